//! A DTLS provider that lets the keys of SRTP be overheard (RFC 5764 section 4.2): for a peer that
//! does its media itself, and for one that goes bad and seals RTCP no honest client writes.
//!
//! The provider is static, so the keys travel through a thread-local cell: whoever drove the
//! handshake takes them right after the poll in which it ended.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use headwater_core::srtp::{Keys, Profile, Side};
use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};

/// The provider to build peers with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static DTLS: Overheard = Overheard;
    Arc::new(CryptoProvider {
        dtls_provider: &DTLS,
        ..str0m::crypto::from_feature_flags()
    })
}

/// Our keys and the server's, of the handshake that just ended on this thread, once.
pub(crate) fn take() -> Option<(Keys, Keys)> {
    KEYS.take()
}

thread_local! {
    static KEYS: Cell<Option<(Keys, Keys)>> = const { Cell::new(None) };
}

#[derive(Debug)]
struct Overheard;

impl DtlsProvider for Overheard {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m::crypto::from_feature_flags()
            .dtls_provider
            .generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let provider = str0m::crypto::from_feature_flags().dtls_provider;
        let inner = provider.new_dtls(cert, now, version, mtu)?;
        Ok(Box::new(Ear(inner)))
    }
}

#[derive(Debug)]
struct Ear(Box<dyn DtlsInstance>);

impl DtlsInstance for Ear {
    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let side = if self.0.is_active() {
            Side::Client
        } else {
            Side::Server
        };
        let output = self.0.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let profile = Profile::of_dtls(*profile);
            KEYS.set(profile.and_then(|profile| Keys::from_dtls(profile, material, side)));
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
