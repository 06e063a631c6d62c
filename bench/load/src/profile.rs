//! Which SRTP profile a session negotiates, and which it negotiated.
//!
//! str0m does not tell. It asks its crypto provider for a cipher of the negotiated profile, though:
//! a provider that delegates everything and counts those requests knows.

use std::sync::atomic::{AtomicUsize, Ordering};

use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoProvider, SrtpProvider,
    SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

use crate::one_profile::OneProfile;

/// str0m's own provider with the ciphers counted, which offers `only` one profile if told.
pub(crate) fn provider(only: Option<&'static OneProfile>) -> CryptoProvider {
    let usual = str0m::crypto::from_feature_flags();
    CryptoProvider {
        srtp_provider: &Counting,
        dtls_provider: only.map_or(usual.dtls_provider, |only| only),
        ..usual
    }
}

/// Profiles negotiated so far by every session of this process, each with its number of sessions.
pub(crate) fn negotiated() -> Vec<(&'static str, usize)> {
    [
        ("AEAD_AES_128_GCM", &GCM128),
        ("AEAD_AES_256_GCM", &GCM256),
        ("AES128_CM_SHA1_80", &CM_SHA1),
    ]
    .into_iter()
    .map(|(name, count)| (name, count.load(Ordering::Relaxed) / CIPHERS_PER_SESSION))
    .filter(|(_, count)| *count > 0)
    .collect()
}

/// Counts the sending ciphers of a session; it has as many for receiving.
fn count(counter: &AtomicUsize, encrypt: bool) {
    if encrypt {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn inner() -> &'static dyn SrtpProvider {
    str0m::crypto::from_feature_flags().srtp_provider
}

#[derive(Debug)]
struct Counting;

impl SrtpProvider for Counting {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Self
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Self
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Self
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        inner().srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        inner().srtp_aes_256_ecb_round(key, input, output);
    }
}

impl SupportedAes128CmSha1_80 for Counting {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        count(&CM_SHA1, encrypt);
        inner().aes_128_cm_sha1_80().create_cipher(key, encrypt)
    }
}

impl SupportedAeadAes128Gcm for Counting {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        count(&GCM128, encrypt);
        inner().aead_aes_128_gcm().create_cipher(key, encrypt)
    }
}

impl SupportedAeadAes256Gcm for Counting {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        count(&GCM256, encrypt);
        inner().aead_aes_256_gcm().create_cipher(key, encrypt)
    }
}

/// A session makes a context per direction, each with ciphers of both directions for RTP and RTCP.
const CIPHERS_PER_SESSION: usize = 4;

static GCM128: AtomicUsize = AtomicUsize::new(0);
static GCM256: AtomicUsize = AtomicUsize::new(0);
static CM_SHA1: AtomicUsize = AtomicUsize::new(0);
