//! Sender reports, and the last word of a stream.

use std::time::{Instant, SystemTime};

use super::stream::{Newest, OutStream};
use super::{Egress, Outlet, REPORT_INTERVAL};
use crate::ntp::ntp;
use crate::rtcp::{SenderInfo, Writer};
use crate::sink::Sink;
use crate::srtp::Sealer;

impl Egress {
    /// A sender report (RFC 3550 section 6.4.1) for each stream that has sent since its last one.
    pub(super) fn report<S: Sink>(&mut self, sealer: &mut Sealer, out: &mut Outlet<'_, S>) {
        let mut due: Vec<(u32, SenderInfo)> = Vec::new();
        for (_, stream) in &mut self.streams {
            if std::mem::take(&mut stream.fresh)
                && let Some(newest) = stream.newest
            {
                due.extend(senders(stream, newest, out.now, out.wall));
            }
        }
        for part in due.chunks(MAX_SOURCES) {
            let mut room = [0; ROOM];
            let mut writer = Writer::new(&mut room);
            // The room is made for as many: what does not fit would be left out.
            for (ssrc, info) in part {
                let _ = writer.sender_report(*ssrc, info, &[]);
            }
            for (ssrc, _) in part {
                let _ = writer.canonical_name(*ssrc, &self.cname);
            }
            let len = writer.len();
            out.seal_rtcp(sealer, &room[..len]);
        }
        self.report_at = Some(out.now + REPORT_INTERVAL);
    }

    /// A last report and BYE (RFC 3550 section 6.6) for what has sent, sealed.
    pub(crate) fn farewell(&mut self, now: Instant, wall: SystemTime) -> Option<Vec<u8>> {
        let (sealer, _) = &mut **self.seals.as_mut()?;
        let sent = self.streams.iter().filter_map(|(_, stream)| {
            let newest = stream.newest?;
            senders(stream, newest, now, wall).next()
        });
        let last: Vec<(u32, SenderInfo)> = sent.take(MAX_SOURCES).collect();
        let (first, _) = last.first()?;
        let mut packet = vec![0; ROOM];
        let mut writer = Writer::new(&mut packet);
        for (ssrc, info) in &last {
            writer.sender_report(*ssrc, info, &[]).ok()?;
        }
        writer.canonical_name(*first, &self.cname).ok()?;
        let sources: Vec<u32> = last.iter().map(|(ssrc, _)| *ssrc).collect();
        writer.bye(&sources).ok()?;
        let len = writer.len();
        let total = sealer.seal_rtcp(len, &mut packet).ok()?;
        packet.truncate(total);
        Some(packet)
    }
}

impl<S: Sink> Outlet<'_, S> {
    fn seal_rtcp(&mut self, sealer: &mut Sealer, compound: &[u8]) {
        let len = compound.len() + sealer.profile().rtcp_overhead();
        let room = self.sink.lend(&self.path, len);
        room[..compound.len()].copy_from_slice(compound);
        if sealer.seal_rtcp(compound.len(), room).is_ok() {
            self.committed(len);
        }
    }
}

/// The SSRCs of a stream that have sent something, with what to say of them.
fn senders(
    stream: &OutStream,
    newest: Newest,
    now: Instant,
    wall: SystemTime,
) -> impl Iterator<Item = (u32, SenderInfo)> {
    let info = SenderInfo {
        ntp: ntp(wall),
        rtp_timestamp: newest.at(now),
        packets: stream.packets,
        octets: stream.octets,
    };
    let repair = stream.repair.as_ref().filter(|repair| repair.packets > 0);
    let repair = repair.map(|repair| {
        let SenderInfo {
            ntp, rtp_timestamp, ..
        } = info;
        let (packets, octets) = (repair.packets, repair.octets);
        let info = SenderInfo {
            ntp,
            rtp_timestamp,
            packets,
            octets,
        };
        (repair.ssrc, info)
    });
    std::iter::once((stream.ssrc, info)).chain(repair)
}

/// Sources in one compound.
const MAX_SOURCES: usize = 16;
/// Bytes of a compound with as many reports (28 each) and names (28 each), seal included.
const ROOM: usize = 1_000;
