//! The sending direction: plain RTP and RTCP in, sealed in the same buffer.

use rustc_hash::FxHashMap;

use super::cipher::{Cipher, GCM_TAG, INDEX, Kind, SHA1_TAG};
use super::window::Window;
use super::{Keys, Profile, RTCP_HEADER, RTP_HEADER, word};

/// Seals what leaves under one key. There must be no second one for the same key.
pub struct Sealer {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    /// Of each source, the extended sequence numbers sealed lately; and where it is, by SSRC.
    sealed: Vec<Sealed>,
    places: FxHashMap<u32, usize>,
    /// The source sealed last and its place: the next packet is mostly its too.
    last: Option<(u32, usize)>,
    /// Of the next SRTCP packet, whatever its sender.
    index: u32,
}

impl Sealer {
    /// A sealer with fresh counters.
    pub fn new(keys: &Keys) -> Self {
        let rtp = Cipher::derive(keys, Kind::Rtp);
        let rtcp = Cipher::derive(keys, Kind::Rtcp);
        Self::from_ciphers(keys.profile(), rtp, rtcp, 0)
    }

    pub(super) fn from_ciphers(profile: Profile, rtp: Cipher, rtcp: Cipher, index: u32) -> Self {
        Self {
            profile,
            rtp,
            rtcp,
            sealed: Vec::new(),
            places: FxHashMap::default(),
            last: None,
            index,
        }
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Seal the RTP packet at the start of `buf`, whose header (extensions included) and payload
    /// (padding included) have these lengths. `extended_sequence` is the roll-over counter times
    /// 65,536 plus the header's sequence number. Answers the sealed length: `header_len +
    /// payload_len` plus [`Profile::rtp_overhead`], for which `buf` must have room.
    ///
    /// # Errors
    ///
    /// See [`SealError`]. The packet must then not be sent.
    pub fn seal_rtp(
        &mut self,
        header_len: usize,
        payload_len: usize,
        buf: &mut [u8],
        extended_sequence: u64,
    ) -> Result<usize, SealError> {
        let end = header_len + payload_len;
        let total = end + self.profile.rtp_overhead();
        if header_len < RTP_HEADER || buf.len() < total {
            return Err(SealError::Room);
        }
        let ssrc = word(buf, 8);
        let sequence = u16::from_be_bytes([buf[2], buf[3]]);
        debug_assert_eq!(
            sequence, extended_sequence as u16,
            "the header carries the low half of the extended sequence number"
        );
        self.claim(ssrc, extended_sequence)?;
        match &self.rtp {
            Cipher::Gcm(gcm) => {
                let (header, rest) = buf.split_at_mut(header_len);
                let (text, tag) = rest[..total - header_len].split_at_mut(payload_len);
                if !gcm.seal(ssrc, extended_sequence, header, text, tag) {
                    return Err(SealError::Room);
                }
            }
            Cipher::CmSha1(cm) => {
                cm.apply(ssrc, extended_sequence, &mut buf[header_len..end]);
                // The roll-over counter is authenticated and not sent: the tag takes its place.
                let roc = (extended_sequence >> 16) as u32;
                buf[end..end + ROC].copy_from_slice(&roc.to_be_bytes());
                let tag = cm.tag(&buf[..end + ROC]);
                buf[end..total].copy_from_slice(&tag);
            }
        }
        Ok(total)
    }

    /// Seal the compound RTCP packet in the first `len` bytes of `buf`. Answers the sealed length:
    /// `len` plus [`Profile::rtcp_overhead`], for which `buf` must have room.
    ///
    /// # Errors
    ///
    /// See [`SealError`]. The packet must then not be sent.
    pub fn seal_rtcp(&mut self, len: usize, buf: &mut [u8]) -> Result<usize, SealError> {
        let total = len + self.profile.rtcp_overhead();
        if len < RTCP_HEADER || buf.len() < total {
            return Err(SealError::Room);
        }
        if self.index >= ENCRYPTED {
            return Err(SealError::Exhausted);
        }
        let (ssrc, index) = (word(buf, 4), self.index);
        self.index += 1;
        let trailer = (ENCRYPTED | index).to_be_bytes();
        match &self.rtcp {
            Cipher::Gcm(gcm) => {
                let mut aad = [0; RTCP_HEADER + INDEX];
                aad[..RTCP_HEADER].copy_from_slice(&buf[..RTCP_HEADER]);
                aad[RTCP_HEADER..].copy_from_slice(&trailer);
                let (text, rest) = buf[RTCP_HEADER..total].split_at_mut(len - RTCP_HEADER);
                let (tag, last) = rest.split_at_mut(GCM_TAG);
                if !gcm.seal(ssrc, u64::from(index), &aad, text, tag) {
                    return Err(SealError::Room);
                }
                last.copy_from_slice(&trailer);
            }
            Cipher::CmSha1(cm) => {
                cm.apply(ssrc, u64::from(index), &mut buf[RTCP_HEADER..len]);
                buf[len..len + INDEX].copy_from_slice(&trailer);
                let tag = cm.tag(&buf[..len + INDEX]);
                buf[len + INDEX..total].copy_from_slice(&tag);
            }
        }
        Ok(total)
    }

    /// Take a number that was never taken before.
    fn claim(&mut self, ssrc: u32, extended_sequence: u64) -> Result<(), SealError> {
        if extended_sequence >= MAX_SEQUENCE {
            return Err(SealError::Exhausted);
        }
        let place = match self.last {
            Some((last, place)) if last == ssrc => place,
            _ => self.place(ssrc),
        };
        match self.sealed[place].insert(extended_sequence) {
            true => Ok(()),
            false => Err(SealError::Sealed),
        }
    }

    /// Where the numbers of a source are.
    fn place(&mut self, ssrc: u32) -> usize {
        let place = *self.places.entry(ssrc).or_insert(self.sealed.len());
        if place == self.sealed.len() {
            self.sealed.push(Window::new());
        }
        self.last = Some((ssrc, place));
        place
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sealer")
            .field("profile", &self.profile)
            .field("sources", &self.sealed.len())
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The packet is shorter than its header, or the buffer has no room for what sealing adds.
    #[error("no room to seal the packet")]
    Room,
    /// This SSRC's number was sealed before, or is so far behind that nobody knows: to seal it
    /// again would repeat a nonce.
    #[error("the sequence number was sealed before")]
    Sealed,
    /// Every index of this key was used (RFC 3711 section 9.2).
    #[error("the key is used up")]
    Exhausted,
}

/// What was sealed lately, as far behind the highest number as a late packet may be.
type Sealed = Window<16>;

/// The bit of an SRTCP index that says encrypted; also one above the highest index.
pub(super) const ENCRYPTED: u32 = 1 << 31;
/// Bytes of the roll-over counter.
pub(super) const ROC: usize = 4;
const MAX_SEQUENCE: u64 = 1 << 48;
const _: () = assert!(ROC <= SHA1_TAG);
