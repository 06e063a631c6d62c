//! Harnesses of pure parsers: bytes in, an answer out, no call around them.

use std::time::Instant;

use headwater_core::rtcp::{Compound, MAX_ARRIVALS, Message, Writer};
use headwater_core::srtp::{Keys, OpenError, Opener, Profile, Side};

/// A compound RTCP packet. Whatever is understood is written again and must then read the same, and
/// the work stays within what the length of the packet allows.
pub fn rtcp(data: &[u8]) {
    let mut work = 0;
    for message in Compound::new(data).map_while(Result::ok) {
        let before = describe(message);
        work += before.len();
        let mut buf = vec![0; data.len() * 2 + MAX_ARRIVALS * 3 + 64];
        let mut writer = Writer::new(&mut buf);
        if !write(&mut writer, message) {
            continue;
        }
        let len = writer.len();
        let after = Compound::new(&buf[..len]).next().map(|m| m.map(describe));
        assert_eq!(after, Some(Ok(before)), "{message:?}");
    }
    // A NACK names up to seventeen packets in four bytes, and nothing else says more in less.
    assert!(work <= data.len() * 17 / 4 * 2 + MAX_ARRIVALS * 2);
}

/// Any bytes as SRTP and as SRTCP of every profile. What opens does not open twice.
pub fn srtp(data: &[u8]) {
    for profile in [
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes128CmSha1_80,
    ] {
        let material: Vec<u8> = (0..profile.keying_material()).map(|at| at as u8).collect();
        let keys = Keys::from_dtls(profile, &material, Side::Server);
        let mut opener = Opener::new(&keys.expect("enough material").1);
        if opener.open_rtp(&mut data.to_vec()).is_ok() {
            let again = opener.open_rtp(&mut data.to_vec()).err();
            assert_eq!(again, Some(OpenError::Replayed));
        }
        if opener.open_rtcp(&mut data.to_vec()).is_ok() {
            let again = opener.open_rtcp(&mut data.to_vec()).err();
            assert_eq!(again, Some(OpenError::Replayed));
        }
    }
}

/// Payloads and dependency descriptors of every codec; see [`headwater_core::fuzzing`].
pub fn descriptors(data: &[u8]) {
    headwater_core::fuzzing::descriptors(Instant::now(), data);
}

/// The picture size in H264's parameter sets; see [`headwater_core::fuzzing`].
pub fn parameters(data: &[u8]) {
    headwater_core::fuzzing::parameters(data);
}

/// Layers and encodings, switched in any order; see [`headwater_core::fuzzing`].
pub fn switches(data: &[u8]) {
    let _ = headwater_core::fuzzing::switches(Instant::now(), data);
}

/// What a stream remembers to send again; see [`headwater_core::fuzzing`].
pub fn history(data: &[u8]) {
    headwater_core::fuzzing::history(data);
}

/// A message as numbers.
fn describe(message: Message<'_>) -> Vec<i64> {
    let words = |fixed: &[u64], rest: &mut dyn Iterator<Item = u64>| {
        let all = fixed.iter().copied().chain(rest);
        all.map(|word| word as i64).collect()
    };
    match message {
        Message::SenderReport {
            sender,
            info,
            blocks,
        } => {
            let fixed = [
                sender.into(),
                info.ntp,
                info.rtp_timestamp.into(),
                info.packets.into(),
                info.octets.into(),
            ];
            words(&fixed, &mut blocks.flat_map(block))
        }
        Message::ReceiverReport { sender, blocks } => {
            words(&[sender.into()], &mut blocks.flat_map(block))
        }
        Message::Nack {
            sender,
            media,
            lost,
        } => words(&[sender.into(), media.into()], &mut lost.map(u64::from)),
        Message::Pli { sender, media } => {
            words(&[sender.into(), media.into()], &mut [].into_iter())
        }
        Message::Fir { sender, requests } => {
            let mut requests = requests.flat_map(|(ssrc, number)| [ssrc.into(), number.into()]);
            words(&[sender.into()], &mut requests)
        }
        Message::TransportCc(feedback) => {
            let fixed = [
                feedback.sender.into(),
                feedback.media.into(),
                feedback.number.into(),
                feedback.reference.into(),
            ];
            let mut arrivals = feedback.arrivals().flat_map(|arrival| {
                let ticks = arrival.ticks.unwrap_or(i64::MIN);
                [arrival.sequence.into(), ticks as u64]
            });
            words(&fixed, &mut arrivals)
        }
        Message::Remb {
            sender,
            bitrate,
            sources,
        } => words(&[sender.into(), bitrate], &mut sources.map(u64::from)),
        Message::Bye { sources } => words(&[], &mut sources.map(u64::from)),
        Message::Other { packet_type, count } => {
            words(&[packet_type.into(), count.into()], &mut [].into_iter())
        }
    }
}

fn block(block: headwater_core::rtcp::ReportBlock) -> [u64; 7] {
    [
        block.ssrc.into(),
        block.fraction_lost.into(),
        block.lost as u64,
        block.highest_sequence.into(),
        block.jitter.into(),
        block.last_report.into(),
        block.delay.into(),
    ]
}

/// Write what was read, where the writer has a form for it.
fn write(writer: &mut Writer<'_>, message: Message<'_>) -> bool {
    let outcome = match message {
        Message::SenderReport {
            sender,
            info,
            blocks,
        } => writer.sender_report(sender, &info, &blocks.collect::<Vec<_>>()),
        Message::ReceiverReport { sender, blocks } => {
            writer.receiver_report(sender, &blocks.collect::<Vec<_>>())
        }
        Message::Nack {
            sender,
            media,
            lost,
        } => writer.nack(sender, media, &lost.collect::<Vec<_>>()),
        Message::Pli { sender, media } => writer.pli(sender, media),
        Message::TransportCc(feedback) => {
            let mut last = i64::from(feedback.reference) * 256;
            let deltas: Vec<_> = feedback
                .arrivals()
                .map(|arrival| {
                    let ticks = arrival.ticks?;
                    Some((ticks - std::mem::replace(&mut last, ticks)) as i32)
                })
                .collect();
            let ends = (feedback.sender, feedback.media);
            let clock = (feedback.reference, feedback.number);
            writer.transport_cc(ends, feedback.base, clock, &deltas)
        }
        Message::Remb {
            sender,
            bitrate,
            sources,
        } if bitrate < u64::MAX => writer.remb(sender, bitrate, &sources.collect::<Vec<_>>()),
        Message::Bye { sources } => writer.bye(&sources.collect::<Vec<_>>()),
        // Of several requests in one FIR, and of other types, the writer has no form.
        _ => return false,
    };
    outcome.expect("what came in one packet fits another");
    true
}
