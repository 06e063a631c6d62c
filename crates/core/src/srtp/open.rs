//! The receiving direction: sealed RTCP (and RTP) in, plain in the same buffer.
//!
//! Rules: nothing is believed before its tag is checked; a number is remembered only after that; a
//! packet whose index was seen, or is older than the window, is refused (RFC 3711 section 3.3.2).

use rustc_hash::FxHashMap;

use super::cipher::{Cipher, GCM_TAG, Gcm, INDEX, Kind, SHA1_TAG};
use super::seal::{ENCRYPTED, ROC};
use super::window::Window;
use super::{Keys, Profile, RTCP_HEADER, RTP_HEADER, rtp_header_len, word};

/// Opens what arrives under one key.
pub struct Opener {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    /// By SSRC: extended sequence numbers, and SRTCP indices.
    rtp_seen: FxHashMap<u32, Window<2>>,
    rtcp_seen: FxHashMap<u32, Window<2>>,
}

impl Opener {
    /// An opener that has seen nothing.
    pub fn new(keys: &Keys) -> Self {
        let rtp = Cipher::derive(keys, Kind::Rtp);
        let rtcp = Cipher::derive(keys, Kind::Rtcp);
        Self::from_ciphers(keys.profile(), rtp, rtcp)
    }

    pub(super) fn from_ciphers(profile: Profile, rtp: Cipher, rtcp: Cipher) -> Self {
        Self {
            profile,
            rtp,
            rtcp,
            rtp_seen: FxHashMap::default(),
            rtcp_seen: FxHashMap::default(),
        }
    }

    /// Open an SRTCP packet; answers the plain compound packet, a prefix of `packet`. A packet that
    /// is authenticated and not encrypted (its E bit is clear) is as good as any other.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; the bytes of `packet` are then of no use.
    pub fn open_rtcp<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a [u8], OpenError> {
        if packet.len() < RTCP_HEADER + self.profile.rtcp_overhead() || packet[0] >> 6 != 2 {
            return Err(OpenError::Malformed);
        }
        let len = packet.len() - self.profile.rtcp_overhead();
        let ssrc = word(packet, 4);
        let index_at = match self.rtcp {
            Cipher::Gcm { .. } => packet.len() - INDEX,
            Cipher::CmSha1 { .. } => len,
        };
        let trailer = word(packet, index_at);
        let index = u64::from(trailer & !ENCRYPTED);
        check(&self.rtcp_seen, ssrc, index)?;
        let authentic = match &self.rtcp {
            Cipher::Gcm(gcm) => open_rtcp_gcm(gcm, ssrc, trailer, packet),
            Cipher::CmSha1(cm) => {
                let (signed, tag) = packet.split_at_mut(len + INDEX);
                let authentic = cm.verify(signed, tag);
                if authentic && trailer & ENCRYPTED != 0 {
                    cm.apply(ssrc, index, &mut packet[RTCP_HEADER..len]);
                }
                authentic
            }
        };
        if !authentic {
            return Err(OpenError::Tag);
        }
        remember(&mut self.rtcp_seen, ssrc, index);
        Ok(&packet[..len])
    }

    /// Open an SRTP packet; answers the plain packet, a prefix of `packet`, and its extended
    /// sequence number, guessed as in RFC 3711 section 3.3.1.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; the bytes of `packet` are then of no use.
    pub fn open_rtp<'a>(&mut self, packet: &'a mut [u8]) -> Result<(&'a [u8], u64), OpenError> {
        let header_len = rtp_header_len(packet).ok_or(OpenError::Malformed)?;
        let overhead = self.profile.rtp_overhead();
        if packet.len() < header_len.max(RTP_HEADER) + overhead {
            return Err(OpenError::Malformed);
        }
        let len = packet.len() - overhead;
        let (ssrc, sequence) = (word(packet, 8), u16::from_be_bytes([packet[2], packet[3]]));
        let index = extend(self.rtp_seen.get(&ssrc).map_or(0, Window::next), sequence);
        check(&self.rtp_seen, ssrc, index)?;
        let authentic = match &self.rtp {
            Cipher::Gcm(gcm) => {
                let (header, sealed) = packet.split_at_mut(header_len);
                gcm.open(ssrc, index, header, sealed)
            }
            Cipher::CmSha1(cm) => {
                let mut tag = [0; SHA1_TAG];
                tag.copy_from_slice(&packet[len..]);
                packet[len..len + ROC].copy_from_slice(&((index >> 16) as u32).to_be_bytes());
                let authentic = cm.verify(&packet[..len + ROC], &tag);
                cm.apply(ssrc, index, &mut packet[header_len..len]);
                authentic
            }
        };
        if !authentic {
            return Err(OpenError::Tag);
        }
        remember(&mut self.rtp_seen, ssrc, index);
        Ok((&packet[..len], index))
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Opener")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// Why a packet was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short, or not of this protocol's version.
    #[error("not an SRTP or SRTCP packet")]
    Malformed,
    /// The authentication tag is wrong: not from the peer, or changed on the way.
    #[error("the authentication tag is wrong")]
    Tag,
    /// Seen before, or older than the window.
    #[error("the packet was seen before")]
    Replayed,
    /// The peer speaks for more sources than anyone has.
    #[error("too many sources")]
    Sources,
}

/// RFC 7714 section 9: what is authenticated besides the text is header and index, or all of an
/// unencrypted packet and its index.
fn open_rtcp_gcm(gcm: &Gcm, ssrc: u32, trailer: u32, packet: &mut [u8]) -> bool {
    let index = u64::from(trailer & !ENCRYPTED);
    let (body, trailer_bytes) = packet.split_at_mut(packet.len() - INDEX);
    if trailer & ENCRYPTED != 0 {
        let mut aad = [0; RTCP_HEADER + INDEX];
        aad[..RTCP_HEADER].copy_from_slice(&body[..RTCP_HEADER]);
        aad[RTCP_HEADER..].copy_from_slice(trailer_bytes);
        return gcm.open(ssrc, index, &aad, &mut body[RTCP_HEADER..]);
    }
    let (plain, tag) = body.split_at_mut(body.len() - GCM_TAG);
    let aad = [plain, trailer_bytes].concat(); // rare: no browser sends such packets
    gcm.open(ssrc, index, &aad, tag)
}

fn check(seen: &FxHashMap<u32, Window<2>>, ssrc: u32, index: u64) -> Result<(), OpenError> {
    match seen.get(&ssrc) {
        Some(window) if !window.is_new(index) => Err(OpenError::Replayed),
        None if seen.len() >= MAX_SOURCES => Err(OpenError::Sources),
        _ => Ok(()),
    }
}

fn remember(seen: &mut FxHashMap<u32, Window<2>>, ssrc: u32, index: u64) {
    seen.entry(ssrc).or_insert_with(Window::new).insert(index);
}

/// The number nearest to the highest one seen that ends in `sequence`.
fn extend(next: u64, sequence: u16) -> u64 {
    let Some(highest) = next.checked_sub(1) else {
        return u64::from(sequence);
    };
    let ahead = sequence.wrapping_sub(highest as u16) as i16;
    highest
        .checked_add_signed(i64::from(ahead))
        .unwrap_or_else(|| u64::from(sequence))
}

/// A peer that has more sources than this in one transport is not a browser.
const MAX_SOURCES: usize = 1024;
