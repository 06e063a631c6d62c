//! SRTP and SRTCP of our own: RFC 3711 with AES-CM and HMAC-SHA1, RFC 7714 with AES-GCM.
//!
//! [`Keys`] are one direction's master key and salt, cut from what the DTLS handshake exported
//! (RFC 5764 section 4.2). [`Sealer`] and [`Opener`] expand them once, when they are made; sealing
//! a packet afterwards happens in the caller's buffer and allocates nothing.
//!
//! ```text
//! Keys ──► Sealer   RTP:  the caller names the extended sequence number, so the roll-over is exact
//!     │             RTCP: the index is counted here, one for the whole key
//!     └──► Opener   RTP and RTCP: authenticate first, then mind replays, per source
//! ```
//!
//! A repeated nonce breaks AES-GCM for good, so there is exactly one `Sealer` for a key, and it
//! refuses a number that it has sealed before: see [`SealError::Sealed`]. It is not `Clone`.

mod cipher;
mod open;
mod seal;
#[cfg(test)]
mod vectors;
mod window;

use str0m::crypto::dtls::SrtpProfile;

pub use open::{OpenError, Opener};
pub use seal::{SealError, Sealer};

/// A protection profile (RFC 5764, RFC 7714 section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// AES-128 in Galois counter mode.
    AeadAes128Gcm,
    /// AES-256 in Galois counter mode.
    AeadAes256Gcm,
    /// AES-128 in counter mode with an 80 bit HMAC-SHA1.
    Aes128CmSha1_80,
}

impl Profile {
    /// The name as in the registry of DTLS-SRTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::Aes128CmSha1_80 => "AES128_CM_SHA1_80",
        }
    }

    /// The profile that a DTLS handshake chose. None for one that is not ours.
    pub const fn of_dtls(chosen: SrtpProfile) -> Option<Self> {
        match chosen {
            SrtpProfile::AEAD_AES_128_GCM => Some(Self::AeadAes128Gcm),
            SrtpProfile::AEAD_AES_256_GCM => Some(Self::AeadAes256Gcm),
            SrtpProfile::AES128_CM_SHA1_80 => Some(Self::Aes128CmSha1_80),
            _ => None,
        }
    }

    /// Bytes that sealing adds to an RTP packet: the tag.
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => cipher::GCM_TAG,
            Self::Aes128CmSha1_80 => cipher::SHA1_TAG,
        }
    }

    /// Bytes that sealing adds to an RTCP packet: tag and index.
    pub const fn rtcp_overhead(self) -> usize {
        self.rtp_overhead() + cipher::INDEX
    }

    /// Bytes that a DTLS handshake exports for both directions together.
    pub const fn keying_material(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::Aes128CmSha1_80 => 14,
        }
    }
}

/// Which side of the DTLS handshake we were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We sent the ClientHello.
    Client,
    /// We answered it.
    Server,
}

/// The master key and salt of one direction.
pub struct Keys {
    profile: Profile,
    key: [u8; MAX_KEY],
    salt: [u8; MAX_SALT],
}

impl Keys {
    /// From a master key and salt; None unless both have the profile's length.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        let right = key.len() == profile.key_len() && salt.len() == profile.salt_len();
        right.then(|| {
            let mut keys = Self {
                profile,
                key: [0; MAX_KEY],
                salt: [0; MAX_SALT],
            };
            keys.key[..key.len()].copy_from_slice(key);
            // A short salt is padded on the right (RFC 7714 section 11).
            keys.salt[..salt.len()].copy_from_slice(salt);
            keys
        })
    }

    /// From a master key and the salt behind it (RFC 4568 section 6.1); None when they have not the
    /// profile's length together.
    pub fn from_material(profile: Profile, material: &[u8]) -> Option<Self> {
        let (key, salt) = material.split_at_checked(profile.key_len())?;
        Self::new(profile, key, salt)
    }

    /// What we seal with and what the peer seals with, from what DTLS exported (RFC 5764 section
    /// 4.2); None when that is too short.
    pub fn from_dtls(profile: Profile, material: &[u8], side: Side) -> Option<(Self, Self)> {
        let (key, salt) = (profile.key_len(), profile.salt_len());
        if material.len() < profile.keying_material() {
            return None;
        }
        let (client_key, rest) = material.split_at(key);
        let (server_key, rest) = rest.split_at(key);
        let (client_salt, rest) = rest.split_at(salt);
        let client = Self::new(profile, client_key, client_salt)?;
        let server = Self::new(profile, server_key, &rest[..salt])?;
        Some(match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        })
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// Where the header of an RTP packet ends: fixed part, contributing sources, extension (RFC 3550
/// section 5). None when the packet ends before.
pub(crate) fn rtp_header_len(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let fixed = RTP_HEADER + usize::from(first & 0x0f) * 4;
    let len = if first & 0x10 == 0 {
        fixed
    } else {
        let words = packet.get(fixed + 2..fixed + 4)?;
        fixed + 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4
    };
    (first >> 6 == 2 && len <= packet.len()).then_some(len)
}

/// Four bytes at a place that is known to exist.
fn word(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

const MAX_KEY: usize = 32;
const MAX_SALT: usize = 14;
/// The fixed part of an RTP header.
const RTP_HEADER: usize = 12;
/// The part of an RTCP packet that stays in the clear: header and sender.
const RTCP_HEADER: usize = 8;
