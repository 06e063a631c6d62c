//! The crypto provider of all sessions: aws-lc-rs, with an ear at the DTLS handshake.
//!
//! str0m tells which DTLS version was negotiated but not which SRTP profile (RFC 5764). The
//! wrapper here sees the profile pass by with the keying material. The provider's objects are
//! static, so the value travels through a thread-local cell: a session takes it right after the
//! poll in which its handshake ended, and one thread polls one session at a time.
//!
//! As a DTLS 1.3 server, dimpl takes the client's first SRTP profile, which from Chromium is
//! AES-CM with HMAC-SHA1: a microsecond more per packet than the AEAD that stands behind it.
//! dimpl has no setting for it, but as a 1.2 server it prefers AEAD. So a server side that is
//! to speak 1.3 waits for the ClientHello, and speaks 1.2 with a client that does not know 1.3
//! or would waste AEAD.

use std::cell::Cell;
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};

use crate::client_hello::Assembler;

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

/// A DTLS version as people write it.
pub(crate) const fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::DTLS1_2 => "1.2",
        ProtocolVersion::DTLS1_3 => "1.3",
        _ => "unknown",
    }
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
        let recipe = Recipe {
            cert: cert.clone(),
            mtu,
        };
        Ok(Box::new(match version {
            DtlsVersion::Dtls13 => Ear::Waiting(Waiting::new(recipe, now)),
            _ => Ear::Ready(recipe.build(version, now)?),
        }))
    }
}

/// What a DTLS instance is made of.
#[derive(Debug)]
struct Recipe {
    cert: DtlsCert,
    mtu: Option<usize>,
}

impl Recipe {
    fn build(
        &self,
        version: DtlsVersion,
        now: Instant,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let provider = str0m::crypto::from_feature_flags().dtls_provider;
        provider.new_dtls(&self.cert, now, version, self.mtu)
    }
}

/// A DTLS instance, or what will become one.
#[derive(Debug)]
enum Ear {
    Waiting(Waiting),
    Ready(Box<dyn DtlsInstance>),
}

/// Waits for the ClientHello, or for the news that we are the client.
#[derive(Debug)]
struct Waiting {
    recipe: Recipe,
    now: Instant,
    assembler: Assembler,
    /// Datagrams to hand over, in order.
    kept: Vec<Vec<u8>>,
    closed: bool,
}

impl Waiting {
    fn new(recipe: Recipe, now: Instant) -> Self {
        Self {
            recipe,
            now,
            assembler: Assembler::default(),
            kept: Vec::new(),
            closed: false,
        }
    }

    /// The instance, once the ClientHello is complete.
    fn handle_packet(
        &mut self,
        packet: &[u8],
    ) -> Result<Option<Box<dyn DtlsInstance>>, DtlsImplError> {
        if self.kept.len() == MAX_KEPT {
            // Not a hello of any browser: forget it, the client will send again.
            (self.kept, self.assembler) = (Vec::new(), Assembler::default());
        }
        self.kept.push(packet.to_vec());
        let Some(offered) = self.assembler.handle_datagram(packet) else {
            return Ok(None);
        };
        let version = match offered.dtls13 && !offered.wastes_aead() {
            true => DtlsVersion::Dtls13,
            false => DtlsVersion::Dtls12,
        };
        let Ok(mut inner) = self.recipe.build(version, self.now) else {
            return Ok(None);
        };
        inner.set_active(false);
        inner.handle_timeout(self.now)?;
        for packet in self.kept.drain(..) {
            inner.handle_packet(&packet)?;
        }
        Ok(Some(inner))
    }
}

impl DtlsInstance for Ear {
    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        match self {
            Self::Waiting(waiting) => DtlsOutput::Timeout(waiting.now + TICK),
            Self::Ready(inner) => {
                let output = inner.poll_output(buf);
                if let DtlsOutput::KeyingMaterial(_, profile) = &output {
                    PROFILE.set(Some(*profile));
                }
                output
            }
        }
    }

    fn set_active(&mut self, active: bool) {
        if let Self::Waiting(waiting) = self
            && active
            && let Ok(inner) = waiting.recipe.build(DtlsVersion::Dtls13, waiting.now)
        {
            *self = Self::Ready(inner);
        }
        if let Self::Ready(inner) = self {
            inner.set_active(active);
        }
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        match self {
            Self::Waiting(waiting) => {
                if let Some(inner) = waiting.handle_packet(packet)? {
                    *self = Self::Ready(inner);
                }
                Ok(())
            }
            Self::Ready(inner) => inner.handle_packet(packet),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        match self {
            Self::Waiting(waiting) => {
                waiting.now = now;
                Ok(())
            }
            Self::Ready(inner) => inner.handle_timeout(now),
        }
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        match self {
            Self::Waiting(_) => Ok(0), // nothing accepted: the handshake is still to come
            Self::Ready(inner) => inner.send_application_data(data),
        }
    }

    fn is_active(&self) -> bool {
        matches!(self, Self::Ready(inner) if inner.is_active())
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        match self {
            Self::Waiting(_) => None,
            Self::Ready(inner) => inner.protocol_version(),
        }
    }

    fn is_closing(&self) -> bool {
        match self {
            Self::Waiting(waiting) => waiting.closed,
            Self::Ready(inner) => inner.is_closing(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Waiting(waiting) => waiting.closed,
            Self::Ready(inner) => inner.is_closed(),
        }
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        match self {
            Self::Waiting(waiting) => {
                waiting.closed = true;
                Ok(())
            }
            Self::Ready(inner) => inner.close(),
        }
    }
}

/// How often a waiting instance wants to know the time, so that its timers start right.
const TICK: Duration = Duration::from_millis(250);
/// Datagrams that one ClientHello may take.
const MAX_KEPT: usize = 16;
