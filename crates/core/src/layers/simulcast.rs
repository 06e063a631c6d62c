//! The largest encoding that is alive.
//!
//! Size is the picture's pixels where a key frame told them (VP8), else the bitrate of the last
//! window: encoders give more bits to more pixels.

use std::time::{Duration, Instant};

use str0m::media::Rid;

/// Encodings of one publisher as seen on the wire, and which one is the target.
#[derive(Default)]
pub(crate) struct Largest {
    encodings: Vec<Encoding>,
    target: Option<usize>,
    window_start: Option<Instant>,
}

/// One encoding (one SSRC) of a publisher.
pub(crate) struct Encoding {
    pub(crate) ssrc: u32,
    pub(crate) rid: Option<Rid>,
    pub(crate) pixels: Option<u32>,
    /// Bytes per second over the last full window.
    pub(crate) rate: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    window_bytes: u64,
    last: Instant,
}

impl Largest {
    /// Notes a packet. True when the target has changed.
    pub(crate) fn handle_packet(
        &mut self,
        ssrc: u32,
        rid: Option<Rid>,
        len: usize,
        now: Instant,
    ) -> bool {
        let before = self.target();
        let index = self.index(ssrc, rid, now);
        let encoding = &mut self.encodings[index];
        encoding.last = now;
        encoding.packets += 1;
        encoding.bytes += len as u64;
        encoding.window_bytes += len as u64;
        let start = *self.window_start.get_or_insert(now);
        if self.target.is_none() || before.is_none() {
            self.target = Some(index);
        } else if now.saturating_duration_since(start) >= WINDOW {
            self.evaluate(now, now.saturating_duration_since(start));
        }
        before != self.target()
    }

    pub(crate) fn set_pixels(&mut self, ssrc: u32, pixels: u32) {
        if let Some(encoding) = self.encodings.iter_mut().find(|e| e.ssrc == ssrc) {
            encoding.pixels = Some(pixels);
        }
    }

    /// The SSRC to forward, once a packet has come.
    pub(crate) fn target(&self) -> Option<u32> {
        self.target.map(|index| self.encodings[index].ssrc)
    }

    pub(crate) fn encodings(&self) -> &[Encoding] {
        &self.encodings
    }

    /// The encoding of this SSRC. A new SSRC with a known RID replaces the old one: the
    /// browser restarted that encoder.
    fn index(&mut self, ssrc: u32, rid: Option<Rid>, now: Instant) -> usize {
        if let Some(index) = self.encodings.iter().position(|e| e.ssrc == ssrc) {
            return index;
        }
        let new = Encoding {
            ssrc,
            rid,
            pixels: None,
            rate: 0,
            packets: 0,
            bytes: 0,
            window_bytes: 0,
            last: now,
        };
        if let Some(index) = self.encodings.iter().position(|e| e.rid == rid) {
            self.encodings[index] = new;
            return index;
        }
        self.encodings.push(new);
        self.encodings.len() - 1
    }

    fn evaluate(&mut self, now: Instant, elapsed: Duration) {
        let micros = elapsed.as_micros().max(1) as u64;
        for encoding in &mut self.encodings {
            encoding.rate = encoding.window_bytes * 1_000_000 / micros;
            encoding.window_bytes = 0;
        }
        self.window_start = Some(now);
        let alive = |e: &Encoding| now.saturating_duration_since(e.last) < ALIVE;
        let all_known = self.encodings.iter().all(|e| e.pixels.is_some());
        let score = |e: &Encoding| {
            if all_known {
                u64::from(e.pixels.unwrap_or(0))
            } else {
                e.rate
            }
        };
        let best = (0..self.encodings.len())
            .filter(|i| alive(&self.encodings[*i]))
            .max_by_key(|i| score(&self.encodings[*i]));
        let current = self.target.filter(|i| alive(&self.encodings[*i]));
        self.target = match (current, best) {
            // Hysteresis, so that two like encodings do not take turns.
            (Some(current), Some(best))
                if score(&self.encodings[best]) * 4 < score(&self.encodings[current]) * 5 =>
            {
                Some(current)
            }
            (_, Some(best)) => Some(best),
            (_, None) => self.target,
        };
    }
}

/// How often bitrates and the target are computed.
const WINDOW: Duration = Duration::from_millis(500);
/// An encoding without packets for this long is dead.
const ALIVE: Duration = Duration::from_secs(2);
