//! The crypto provider of all sessions: aws-lc-rs, with an ear at the DTLS handshake.
//!
//! str0m tells neither which SRTP profile was negotiated (RFC 5764) nor with which keys. The
//! wrapper here sees both pass by. The provider's objects are static, so they travel through a
//! thread-local cell: a session takes them right after the poll in which its handshake ended, and
//! one thread polls one session at a time.
//!
//! What a subscribe transport sends is sealed by us (`egress`). Two writers under one SRTP key
//! would repeat a nonce, so there the keying material ends here: str0m never sees it and cannot
//! seal a packet. In its place it hears once more that DTLS is connected, which changes nothing.
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
use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};

use crate::client_hello::Assembler;
use crate::srtp::{Profile, Side};

/// The provider to build sessions with; `withhold` for those whose media we seal ourselves.
pub(crate) fn provider(withhold: bool) -> CryptoProvider {
    static SHARING: Listening = Listening { withhold: false };
    static WITHHOLDING: Listening = Listening { withhold: true };
    CryptoProvider {
        dtls_provider: if withhold { &WITHHOLDING } else { &SHARING },
        ..str0m::crypto::from_feature_flags()
    }
}

/// What a handshake agreed on for SRTP.
pub(crate) struct Agreement {
    pub(crate) profile: Profile,
    /// Exported keying material (RFC 5764 section 4.2).
    pub(crate) material: Vec<u8>,
    pub(crate) side: Side,
}

/// The outcome of the handshake that just ended on this thread, once.
pub(crate) fn take_agreement() -> Option<Agreement> {
    AGREEMENT.take()
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
    static AGREEMENT: Cell<Option<Agreement>> = const { Cell::new(None) };
}

#[derive(Debug)]
struct Listening {
    withhold: bool,
}

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
        let stage = match version {
            DtlsVersion::Dtls13 => Stage::Waiting(Waiting::new(recipe, now)),
            _ => Stage::Ready(recipe.build(version, now)?),
        };
        Ok(Box::new(Ear {
            withhold: self.withhold,
            stage,
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

/// A DTLS instance that is listened to.
#[derive(Debug)]
struct Ear {
    withhold: bool,
    stage: Stage,
}

/// A DTLS instance, or what will become one.
#[derive(Debug)]
enum Stage {
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
        match &mut self.stage {
            Stage::Waiting(waiting) => DtlsOutput::Timeout(waiting.now + TICK),
            Stage::Ready(inner) => {
                let output = inner.poll_output(buf);
                let DtlsOutput::KeyingMaterial(material, theirs) = &output else {
                    return output;
                };
                AGREEMENT.set(Profile::of_dtls(*theirs).map(|profile| Agreement {
                    profile,
                    material: material.to_vec(),
                    side: match inner.is_active() {
                        true => Side::Client,
                        false => Side::Server,
                    },
                }));
                match self.withhold {
                    true => DtlsOutput::Connected,
                    false => output,
                }
            }
        }
    }

    fn set_active(&mut self, active: bool) {
        if let Stage::Waiting(waiting) = &mut self.stage
            && active
            && let Ok(inner) = waiting.recipe.build(DtlsVersion::Dtls13, waiting.now)
        {
            self.stage = Stage::Ready(inner);
        }
        if let Stage::Ready(inner) = &mut self.stage {
            inner.set_active(active);
        }
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        match &mut self.stage {
            Stage::Waiting(waiting) => {
                if let Some(inner) = waiting.handle_packet(packet)? {
                    self.stage = Stage::Ready(inner);
                }
                Ok(())
            }
            Stage::Ready(inner) => inner.handle_packet(packet),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        match &mut self.stage {
            Stage::Waiting(waiting) => {
                waiting.now = now;
                Ok(())
            }
            Stage::Ready(inner) => inner.handle_timeout(now),
        }
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        match &mut self.stage {
            Stage::Waiting(_) => Ok(0), // nothing accepted: the handshake is still to come
            Stage::Ready(inner) => inner.send_application_data(data),
        }
    }

    fn is_active(&self) -> bool {
        matches!(&self.stage, Stage::Ready(inner) if inner.is_active())
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        match &self.stage {
            Stage::Waiting(_) => None,
            Stage::Ready(inner) => inner.protocol_version(),
        }
    }

    fn is_closing(&self) -> bool {
        match &self.stage {
            Stage::Waiting(waiting) => waiting.closed,
            Stage::Ready(inner) => inner.is_closing(),
        }
    }

    fn is_closed(&self) -> bool {
        match &self.stage {
            Stage::Waiting(waiting) => waiting.closed,
            Stage::Ready(inner) => inner.is_closed(),
        }
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        match &mut self.stage {
            Stage::Waiting(waiting) => {
                waiting.closed = true;
                Ok(())
            }
            Stage::Ready(inner) => inner.close(),
        }
    }
}

/// How often a waiting instance wants to know the time, so that its timers start right.
const TICK: Duration = Duration::from_millis(250);
/// Datagrams that one ClientHello may take.
const MAX_KEPT: usize = 16;
