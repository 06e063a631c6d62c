//! The session keys of one direction and kind (RTP or RTCP), expanded once, and what they do to
//! bytes in place.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use super::{Keys, MAX_KEY, MAX_SALT, Profile};

/// What the key derivation tells apart (RFC 3711 section 4.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

/// Session keys.
pub(super) enum Cipher {
    Gcm(Gcm),
    CmSha1(Box<CmSha1>),
}

impl Cipher {
    /// Derive the session keys from the master key (RFC 3711 section 4.3.1, rate 0).
    pub(super) fn derive(keys: &Keys, kind: Kind) -> Self {
        let first_label = match kind {
            Kind::Rtp => 0,
            Kind::Rtcp => 3,
        };
        let (mut key, mut mac, mut salt) = ([0; MAX_KEY], [0; SHA1_KEY], [0; MAX_SALT]);
        let key = &mut key[..keys.profile.key_len()];
        derive(keys, first_label, key);
        derive(keys, first_label + 1, &mut mac);
        derive(keys, first_label + 2, &mut salt[..keys.profile.salt_len()]);
        Self::new(keys.profile, key, &salt, &mac)
    }

    /// From session keys; a salt of GCM is what `salt` begins with.
    pub(super) fn new(
        profile: Profile,
        key: &[u8],
        salt: &[u8; MAX_SALT],
        mac: &[u8; SHA1_KEY],
    ) -> Self {
        let algorithm = match profile {
            Profile::AeadAes128Gcm => &AES_128_GCM,
            Profile::AeadAes256Gcm => &AES_256_GCM,
            Profile::Aes128CmSha1_80 => {
                return Self::CmSha1(Box::new(CmSha1 {
                    key: counter_mode(key),
                    salt: *salt,
                    mac: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, mac),
                }));
            }
        };
        let mut nonce = [0; GCM_NONCE];
        nonce.copy_from_slice(&salt[..GCM_NONCE]);
        let key = UnboundKey::new(algorithm, key).expect("the profile knows the key's length");
        Self::Gcm(Gcm {
            key: LessSafeKey::new(key),
            salt: nonce,
        })
    }
}

/// AES in Galois counter mode. `index` is the extended sequence number of RTP, or the 31 bits of
/// the SRTCP index.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; GCM_NONCE],
}

impl Gcm {
    /// Encrypt in place, the tag goes to `tag`; false when they do not fit the cipher.
    pub(super) fn seal(
        &self,
        ssrc: u32,
        index: u64,
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> bool {
        let (nonce, aad) = (self.nonce(ssrc, index), Aad::from(aad));
        self.key
            .seal_in_place_scatter(nonce, aad, text, &[], tag)
            .is_ok()
    }

    /// Decrypt in place what ends with its tag; false when the tag is wrong.
    pub(super) fn open(&self, ssrc: u32, index: u64, aad: &[u8], sealed: &mut [u8]) -> bool {
        let (nonce, aad) = (self.nonce(ssrc, index), Aad::from(aad));
        self.key.open_in_place(nonce, aad, sealed).is_ok()
    }

    /// RFC 7714 sections 8.1 and 9.1.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = self.salt;
        xor(&mut nonce[2..6], &ssrc.to_be_bytes());
        xor(&mut nonce[6..12], &index.to_be_bytes()[2..]);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// AES in counter mode beside HMAC-SHA1.
pub(super) struct CmSha1 {
    key: EncryptingKey,
    salt: [u8; MAX_SALT],
    mac: hmac::Key,
}

impl CmSha1 {
    /// Encrypt or decrypt in place: counter mode is its own reverse (RFC 3711 section 4.1.1).
    pub(super) fn apply(&self, ssrc: u32, index: u64, text: &mut [u8]) {
        let mut counter = [0; AES_BLOCK];
        counter[..MAX_SALT].copy_from_slice(&self.salt);
        xor(&mut counter[4..8], &ssrc.to_be_bytes());
        xor(&mut counter[8..14], &index.to_be_bytes()[2..]);
        apply_counter(&self.key, counter, text);
    }

    /// The 80 bits of HMAC-SHA1 over `bytes`.
    pub(super) fn tag(&self, bytes: &[u8]) -> [u8; SHA1_TAG] {
        let mut tag = [0; SHA1_TAG];
        tag.copy_from_slice(&hmac::sign(&self.mac, bytes).as_ref()[..SHA1_TAG]);
        tag
    }

    /// Whether `tag` is that of `bytes`, in constant time.
    pub(super) fn verify(&self, bytes: &[u8], tag: &[u8]) -> bool {
        verify_slices_are_equal(&self.tag(bytes), tag).is_ok()
    }

    #[cfg(test)]
    pub(super) const fn salt(&self) -> [u8; MAX_SALT] {
        self.salt
    }
}

/// The pseudo-random function of RFC 3711 section 4.3.3 (RFC 6188 for 256 bits).
fn derive(keys: &Keys, label: u8, out: &mut [u8]) {
    let mut counter = [0; AES_BLOCK];
    counter[..MAX_SALT].copy_from_slice(&keys.salt);
    counter[7] ^= label;
    out.fill(0);
    let key = counter_mode(&keys.key[..keys.profile.key_len()]);
    apply_counter(&key, counter, out);
}

fn counter_mode(key: &[u8]) -> EncryptingKey {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    UnboundCipherKey::new(algorithm, key)
        .and_then(EncryptingKey::ctr)
        .expect("the profile knows the key's length")
}

fn apply_counter(key: &EncryptingKey, counter: [u8; AES_BLOCK], text: &mut [u8]) {
    let context = EncryptionContext::Iv128(FixedLength::from(counter));
    key.less_safe_encrypt(text, context)
        .expect("counter mode takes any length");
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    bytes.iter_mut().zip(with).for_each(|(byte, w)| *byte ^= w);
}

/// Bytes of a GCM tag.
pub(super) const GCM_TAG: usize = 16;
/// Bytes of a truncated HMAC-SHA1.
pub(super) const SHA1_TAG: usize = 10;
/// Bytes of an SRTCP index with its encryption bit.
pub(super) const INDEX: usize = 4;
/// Bytes of an HMAC-SHA1 key.
pub(super) const SHA1_KEY: usize = 20;
const GCM_NONCE: usize = 12;
const AES_BLOCK: usize = 16;
