//! An opened packet in a recording: what decisions read of it, and how long the rest is.
//!
//! Header extensions that decisions do not read are kept as being there: they make a packet longer,
//! which the estimator of the next line counts.

use std::time::{Duration, Instant, UNIX_EPOCH};

use str0m::media::MediaTime;
use str0m::rtp::{AbsCaptureTime, ExtensionValues, RtpHeader, VideoOrientation};

use super::wire::{Reader, Wire, put_block};
use crate::extension::DependencyDescriptor;
use crate::packet::{MAX_PAYLOAD, Rtp};
use crate::shared::Payload;

pub(super) fn put(rtp: &Rtp, now: Instant, out: &mut Vec<u8>) {
    let header = &rtp.header;
    let values = &header.ext_vals;
    (*header.ssrc).put(out);
    (*rtp.seq_no).put(out);
    header.timestamp.put(out);
    (*header.payload_type).put(out);
    now.saturating_duration_since(rtp.timestamp).put(out);
    let capture = values.abs_capture_time.as_ref();
    let has_delay = values.play_delay_min.is_some() && values.play_delay_max.is_some();
    let flags = u8::from(header.marker)
        | u8::from(values.voice_activity == Some(true)) << 1
        | u8::from(values.video_orientation.is_some()) << 2
        | u8::from(has_delay) << 3
        | u8::from(capture.is_some()) << 4
        | u8::from(capture.is_some_and(|time| time.clock_offset.is_some())) << 5;
    out.push(flags);
    values.audio_level.map(i8::unsigned_abs).put(out);
    let descriptor = values.user_values.get::<DependencyDescriptor>();
    put_block(descriptor.map_or(&[], |descriptor| &*descriptor.0), out);
    (rtp.payload.len() as u64).put(out);
    put_block(&rtp.payload[..head_of(&rtp.payload)], out);
}

/// How much of a payload decisions may read.
fn head_of(payload: &[u8]) -> usize {
    let aggregate = payload.first().is_some_and(|first| first & 0x1f == 24);
    payload.len().min(if aggregate { AGGREGATE } else { HEAD })
}

pub(super) fn take(from: &mut Reader<'_>, now: Instant) -> Option<Rtp> {
    let ssrc = u32::take(from)?;
    let sequence = u64::take(from)?;
    let timestamp = u32::take(from)?;
    let payload_type = u8::take(from)?;
    let age = Duration::take(from)?;
    let flags = from.byte()?;
    let flag = |place: u8| flags >> place & 1 == 1;
    let nothing = || MediaTime::from_millis(0);
    let level = <Option<u8> as Wire>::take(from)?;
    let mut ext_vals = ExtensionValues {
        audio_level: level.map(|level| -((level & 0x7f) as i8)),
        voice_activity: level.map(|_| flag(1)),
        video_orientation: flag(2).then_some(VideoOrientation::Deg0),
        play_delay_min: flag(3).then(nothing),
        play_delay_max: flag(3).then(nothing),
        abs_capture_time: flag(4).then(|| AbsCaptureTime {
            capture_time: UNIX_EPOCH,
            clock_offset: flag(5).then_some(0),
        }),
        ..ExtensionValues::default()
    };
    let descriptor = from.block()?;
    if !descriptor.is_empty() {
        ext_vals
            .user_values
            .set(DependencyDescriptor(descriptor.into()));
    }
    let len = usize::try_from(u64::take(from)?).ok()?;
    let head = from.block()?;
    if head.len() > len || len > MAX_PAYLOAD {
        return None;
    }
    let mut payload = head.to_vec();
    payload.resize(len, 0);
    Some(Rtp {
        seq_no: sequence.into(),
        header: RtpHeader {
            version: 2,
            has_padding: false,
            has_extension: true,
            csrc_count: 0,
            marker: flag(0),
            payload_type: payload_type.into(),
            sequence_number: sequence as u16,
            timestamp,
            ssrc: ssrc.into(),
            csrc: [0; 15],
            ext_vals,
            header_len: 0,
        },
        payload: Payload::from(payload),
        timestamp: now.checked_sub(age)?,
        report: None,
    })
}

/// More than any descriptor takes.
const HEAD: usize = 96;
/// With H.264, the first units of a STAP-A.
const AGGREGATE: usize = 400;
