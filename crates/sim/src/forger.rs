//! A peer that goes bad: it takes the SRTP keys of its own handshake and seals RTCP that no honest
//! client writes.
//!
//! The provider around str0m's own sees the keying material pass by; it is one object for all
//! peers, so the material travels through a thread-local cell that the peer empties after each poll.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use headwater_core::srtp::{Keys, Profile, Sealer, Side};
use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};

/// The provider to build peers with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static TAPPED: Tapped = Tapped;
    Arc::new(CryptoProvider {
        dtls_provider: &TAPPED,
        ..str0m::crypto::from_feature_flags()
    })
}

/// A sealer with the peer's own key, if its handshake ended on this thread just now.
pub(crate) fn take_sealer() -> Option<Sealer> {
    SEALER.take()
}

thread_local! {
    static SEALER: RefCell<Option<Sealer>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Tapped;

impl DtlsProvider for Tapped {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        let inner = str0m::crypto::from_feature_flags().dtls_provider;
        inner.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = str0m::crypto::from_feature_flags().dtls_provider;
        Ok(Box::new(Ear(inner.new_dtls(cert, now, version, mtu)?)))
    }
}

#[derive(Debug)]
struct Ear(Box<dyn DtlsInstance>);

impl DtlsInstance for Ear {
    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let side = match self.0.is_active() {
            true => Side::Client,
            false => Side::Server,
        };
        let output = self.0.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let profile = match *profile {
                SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
                SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
                SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmSha1_80),
                _ => None,
            };
            let keys = profile.and_then(|profile| Keys::from_dtls(profile, material, side));
            SEALER.set(keys.map(|(ours, _)| Sealer::new(&ours)));
        }
        output
    }

    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
