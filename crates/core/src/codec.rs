//! Codecs: which ones a router offers, what a peer negotiated, and which fits which.

use str0m::RtcConfig;
use str0m::format::{Codec, CodecSpec, FormatParams, PayloadParams};

use crate::command::CodecKind;
use crate::event::CodecInfo;
use std::num::NonZeroU32;

/// Enables the codecs of a router, in order of preference.
pub(crate) fn enable(config: RtcConfig, codecs: &[CodecKind]) -> RtcConfig {
    codecs
        .iter()
        .fold(config.clear_codecs(), |config, codec| match codec {
            CodecKind::Opus => config.enable_opus(true, true),
            CodecKind::Vp8 => config.enable_vp8(true),
            CodecKind::Vp9 => config.enable_vp9(true),
            CodecKind::Av1 => config.enable_av1(true),
            CodecKind::H264 => config.enable_h264(true),
        })
}

/// A negotiated codec as the API shows it.
pub(crate) fn info(params: &PayloadParams) -> CodecInfo {
    describe(*params.pt(), &params.spec())
}

fn describe(payload_type: u8, spec: &CodecSpec) -> CodecInfo {
    let kind = if spec.codec.is_audio() {
        "audio"
    } else {
        "video"
    };
    CodecInfo {
        mime: format!("{kind}/{}", spec.codec),
        payload_type,
        clock_rate: spec.clock_rate.get(),
        channels: spec.channels,
        fmtp: spec.format.to_string(),
    }
}

/// What a publisher's payload type means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// As on the wire.
    pub(crate) payload_type: u8,
    pub(crate) spec: CodecSpec,
    /// Wrapped in RED (RFC 2198)?
    pub(crate) red: bool,
    /// The payload type of the codec itself.
    pub(crate) primary: u8,
}

impl Format {
    /// The codec itself, out of RED.
    pub(crate) fn info(&self) -> CodecInfo {
        describe(self.primary, &self.spec)
    }

    /// A codec as somebody describes it without SDP; None for one that we do not carry.
    pub(crate) fn of(info: &CodecInfo) -> Option<(CodecKind, Self)> {
        let (kind, codec) = match info.mime.to_ascii_lowercase().as_str() {
            "audio/opus" => (CodecKind::Opus, Codec::Opus),
            "video/vp8" => (CodecKind::Vp8, Codec::Vp8),
            "video/vp9" => (CodecKind::Vp9, Codec::Vp9),
            "video/av1" => (CodecKind::Av1, Codec::Av1),
            "video/h264" => (CodecKind::H264, Codec::H264),
            _ => return None,
        };
        let spec = CodecSpec {
            codec,
            clock_rate: NonZeroU32::new(info.clock_rate)?.into(),
            channels: info.channels,
            format: FormatParams::parse_line(&info.fmtp),
        };
        let format = Self {
            payload_type: info.payload_type,
            spec,
            red: false,
            primary: info.payload_type,
        };
        Some((kind, format))
    }

    /// Looks `payload_type` up among what a peer negotiated.
    pub(crate) fn find(params: &[PayloadParams], payload_type: u8) -> Option<Self> {
        params.iter().find_map(|p| {
            let red = p.red().is_some_and(|red| *red == payload_type);
            (red || *p.pt() == payload_type).then(|| Self {
                payload_type,
                spec: p.spec(),
                red,
                primary: *p.pt(),
            })
        })
    }
}

/// How a publisher's payload goes out to a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) payload_type: u8,
    /// Take the newest frame out of RED first.
    pub(crate) unwrap_red: bool,
}

/// The subscriber's payload type for a publisher's format, among what the subscriber accepts.
pub(crate) fn outgoing<'a>(
    from: &Format,
    accepted: impl Iterator<Item = &'a PayloadParams>,
) -> Option<Outgoing> {
    let best = accepted
        .filter_map(|p| score(&from.spec, &p.spec()).map(|score| (score, p)))
        .max_by_key(|(score, _)| *score)?
        .1;
    // RED carries the codec's payload type inside, so it passes only where both sides agree.
    let red = best
        .red()
        .filter(|_| from.red && *best.pt() == from.primary);
    Some(Outgoing {
        payload_type: red.map_or(*best.pt(), |red| *red),
        unwrap_red: from.red && red.is_none(),
    })
}

/// How well a stream of `from` can be decoded by who accepts `to`. None: not at all.
fn score(from: &CodecSpec, to: &CodecSpec) -> Option<u8> {
    if from.codec != to.codec || from.clock_rate != to.clock_rate {
        return None;
    }
    match from.codec {
        Codec::Vp9 => {
            let profile = |spec: &CodecSpec| spec.format.profile_id.unwrap_or(0);
            (profile(from) == profile(to)).then_some(1)
        }
        Codec::H264 => score_h264(from, to),
        _ => Some(1),
    }
}

/// RFC 6184 section 8.1: constrained baseline is part of every other profile, and
/// packetization mode 0 is part of mode 1.
fn score_h264(from: &CodecSpec, to: &CodecSpec) -> Option<u8> {
    let profile = |spec: &CodecSpec| spec.format.profile_level_id.unwrap_or(0x42_00_0a) >> 8;
    let mode = |spec: &CodecSpec| spec.format.packetization_mode.unwrap_or(0);
    if mode(from) > mode(to) {
        return None;
    }
    let same_mode = u8::from(mode(from) == mode(to));
    let constrained_baseline = |p: u32| p & 0xff_40 == 0x42_40;
    match (profile(from), profile(to)) {
        (from, to) if from == to => Some(4 + same_mode),
        // Browsers name baseline without the constraint bit and decode either.
        (from, to) if from >> 8 == 0x42 && to >> 8 == 0x42 => Some(2 + same_mode),
        (from, _) if constrained_baseline(from) => Some(same_mode),
        _ => None,
    }
}
