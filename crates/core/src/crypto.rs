//! The crypto provider of all sessions: aws-lc-rs, with an ear at the DTLS handshake.
//!
//! str0m tells which DTLS version was negotiated but not which SRTP profile (RFC 5764). The
//! wrapper here sees the profile pass by with the keying material. The provider's objects are
//! static, so the value travels through a thread-local cell: a session takes it right after the
//! poll in which its handshake ended, and one thread polls one session at a time.

use std::cell::Cell;
use std::time::Instant;

use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};

/// The provider to build sessions with.
pub(crate) fn provider() -> CryptoProvider {
    static DTLS: Listening = Listening;
    CryptoProvider {
        dtls_provider: &DTLS,
        ..str0m::crypto::from_feature_flags()
    }
}

/// The SRTP profile of the handshake that just ended on this thread, once.
pub(crate) fn take_profile() -> Option<&'static str> {
    PROFILE.take().map(|profile| match profile {
        SrtpProfile::AEAD_AES_128_GCM => "AEAD_AES_128_GCM",
        SrtpProfile::AEAD_AES_256_GCM => "AEAD_AES_256_GCM",
        SrtpProfile::AES128_CM_SHA1_80 => "AES128_CM_SHA1_80",
        _ => "unknown",
    })
}

thread_local! {
    static PROFILE: Cell<Option<SrtpProfile>> = const { Cell::new(None) };
}

#[derive(Debug)]
struct Listening;

impl DtlsProvider for Listening {
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
        let inner = str0m::crypto::from_feature_flags()
            .dtls_provider
            .new_dtls(cert, now, version, mtu)?;
        Ok(Box::new(Ear(inner)))
    }
}

#[derive(Debug)]
struct Ear(Box<dyn DtlsInstance>);

impl DtlsInstance for Ear {
    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.0.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(_, profile) = &output {
            PROFILE.set(Some(*profile));
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
