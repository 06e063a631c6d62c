//! All that must be unguessable, drawn from the seed that came in.
//!
//! ChaCha20 (RFC 8439) as a generator: from one seed follows one sequence, so a recorded run
//! replays. str0m draws SDP session ids and DTLS nonces by itself.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use str0m::IceCreds;

use crate::egress::Sources;
use crate::event::TrackKind;

/// A cryptographically secure generator.
pub(crate) struct Random(ChaCha20Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    pub(crate) fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// First sequence number of a stream: below 2^15, so that the rollover counter of both
    /// sides is 0 even when the first packets are reordered (RFC 3711 section 3.3.1).
    pub(crate) fn first_sequence(&mut self) -> u64 {
        u64::from(self.0.next_u32() & 0x7fff)
    }

    /// SSRCs of an m-line (RFC 3550 section 8.1); 0 is libwebrtc's for probes.
    pub(crate) fn sources(&mut self, kind: TrackKind) -> Sources {
        let ssrc = self.u32().max(1);
        let rtx = (kind == TrackKind::Video).then(|| match self.u32().max(1) {
            same if same == ssrc => ssrc ^ 1 << 31,
            other => other,
        });
        Sources { ssrc, rtx }
    }

    /// ICE credentials (RFC 8445 section 5.3) whose ufrag begins with the media thread in four
    /// hex digits, so that any thread can tell the owner of a check without a table. The
    /// remaining ufrag has 72 bits of chance, the password 192.
    pub(crate) fn ice_credentials(&mut self, thread: u16) -> IceCreds {
        IceCreds {
            ufrag: format!("{thread:04x}{}", self.token(UFRAG_RANDOM)),
            pass: self.token(PASSWORD_LEN),
        }
    }

    fn token(&mut self, len: usize) -> String {
        let mut bytes = [0u8; PASSWORD_LEN];
        self.0.fill_bytes(&mut bytes[..len]);
        bytes[..len]
            .iter()
            .map(|b| char::from(ICE_CHARS[usize::from(b & 63)]))
            .collect()
    }
}

/// Characters of a ufrag after the thread prefix, 6 bits each.
const UFRAG_RANDOM: usize = 12;
/// Characters of a password, 6 bits each.
const PASSWORD_LEN: usize = 32;
/// ice-char of RFC 8839 section 5.4.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
