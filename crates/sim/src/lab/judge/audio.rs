//! What was heard: frames of sound by their capture time, whichever packet brought them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use str0m::rtp::RedDecoder;

use super::sound::Arrival;
use crate::lab::source::read_stamp;

/// Collects frames of sound.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    /// Capture time of a frame, and when it first arrived.
    pub(crate) frames: BTreeMap<Duration, Duration>,
    /// Packets in order of arrival, copies of known ones left out.
    pub(crate) packets: Vec<Arrival>,
    /// Frames that came only as a copy in a later packet.
    pub(crate) by_redundancy: u64,
}

impl Ear {
    /// A packet; `red` says how to read it.
    pub(crate) fn hear(&mut self, at: Duration, payload: &[u8], red: bool) {
        if !red {
            return self.frame(at, payload, false);
        }
        let Ok(blocks) = RedDecoder::decode(payload) else {
            return;
        };
        for (index, block) in blocks.iter().enumerate() {
            self.frame(at, block.payload, index + 1 < blocks.len());
        }
    }

    fn frame(&mut self, at: Duration, frame: &[u8], copy: bool) {
        let Some((captured, _)) = frame.get(1..).and_then(read_stamp) else {
            return;
        };
        if !copy {
            self.packets.push(Arrival { at, captured });
        }
        if let Entry::Vacant(slot) = self.frames.entry(captured) {
            slot.insert(at);
            self.by_redundancy += u64::from(copy);
        }
    }
}
