//! A DTLS client that offers a single SRTP profile, so that a run can choose what is negotiated.
//!
//! dimpl has no setting for it: its ClientHello always lists three (RFC 5764 section 4.1.1). So the
//! list is rewritten, in place and without changing its length, wherever it counts: in the datagram
//! that leaves, and in the transcript wherever this end hashes or signs it. Both ends then agree on
//! what was said, and the server chooses among three times the same.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, KeyProvider, SignatureAlgorithm,
    SigningKey, aws_lc_rs,
};
use str0m::config::{DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};

/// The one SRTP profile that is offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OneProfile {
    name: &'static str,
    /// Number in the IANA registry, as it stands in the hello.
    id: [u8; 2],
}

impl OneProfile {
    /// By its short name, as `--srtp` has it.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|profile| profile.name == name)
    }

    /// Puts this profile in the place of all that a ClientHello in `bytes` offers.
    pub(crate) fn rewrite(&self, bytes: &mut [u8]) {
        let found = bytes.windows(OFFERED.len()).position(|at| at == OFFERED);
        if let Some(start) = found {
            let ids = &mut bytes[start + BEFORE_IDS..start + OFFERED.len()];
            ids.chunks_exact_mut(2)
                .for_each(|id| id.copy_from_slice(&self.id));
        }
    }

    /// Itself, as a provider has to be.
    fn eternal(&self) -> &'static Self {
        // Values exist in `ALL` only.
        Self::named(self.name).expect("one of them")
    }

    fn rewritten(&self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = bytes.to_vec();
        self.rewrite(&mut copy);
        copy
    }
}

impl DtlsProvider for OneProfile {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        let usual = str0m::crypto::from_feature_flags();
        usual.dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let provider = CryptoProvider {
            hash_provider: self.eternal(),
            key_provider: self.eternal(),
            ..aws_lc_rs::default_provider()
        };
        let mut builder = dimpl::Config::builder()
            .with_crypto_provider(provider)
            .use_server_cookie(false);
        if let Some(mtu) = mtu {
            builder = builder.mtu(mtu);
        }
        let config = builder
            .build()
            .map_err(|error| CryptoError::Other(error.to_string()))?;
        let certificate = dimpl::DtlsCertificate {
            certificate: cert.certificate.clone(),
            private_key: cert.private_key.clone(),
        };
        let dtls = dimpl::Dtls::new_12(Arc::new(config), certificate, now);
        Ok(Box::new(Client(dtls)))
    }
}

impl HashProvider for OneProfile {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        let usual = aws_lc_rs::default_provider().hash_provider;
        Box::new(Transcript {
            profile: self.eternal(),
            hash: usual.create_hash(algorithm),
        })
    }
}

impl KeyProvider for OneProfile {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, dimpl::CryptoError> {
        let usual = aws_lc_rs::default_provider().key_provider;
        Ok(Box::new(Signer {
            profile: self.eternal(),
            key: usual.load_private_key(key_der)?,
        }))
    }
}

/// Hashes the transcript as the server has it.
#[derive(Debug)]
struct Transcript {
    profile: &'static OneProfile,
    hash: Box<dyn HashContext>,
}

impl HashContext for Transcript {
    fn update(&mut self, data: &[u8]) {
        self.hash.update(&self.profile.rewritten(data));
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.hash.clone_and_finalize(out);
    }
}

/// Signs the transcript as the server has it (CertificateVerify).
#[derive(Debug)]
struct Signer {
    profile: &'static OneProfile,
    key: Box<dyn SigningKey>,
}

impl SigningKey for Signer {
    fn sign(
        &mut self,
        data: &[u8],
        hash_alg: HashAlgorithm,
        out: &mut Buf,
    ) -> Result<(), dimpl::CryptoError> {
        self.key.sign(&self.profile.rewritten(data), hash_alg, out)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.key.hash_algorithm()
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        self.key.supported_hash_algorithms()
    }
}

/// dimpl as str0m calls it.
struct Client(dimpl::Dtls);

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish()
    }
}

impl DtlsInstance for Client {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buf)
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

static ALL: [OneProfile; 3] = [
    OneProfile {
        name: "cm-sha1",
        id: [0x00, 0x01],
    },
    OneProfile {
        name: "gcm128",
        id: [0x00, 0x07],
    },
    OneProfile {
        name: "gcm256",
        id: [0x00, 0x08],
    },
];

/// The extension use_srtp as dimpl writes it: type, length, length of the list, the list.
const OFFERED: [u8; 12] = [
    0x00, 0x0e, 0x00, 0x09, 0x00, 0x06, 0x00, 0x08, 0x00, 0x07, 0x00, 0x01,
];
const BEFORE_IDS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hello_offers_is_replaced_and_nothing_else() {
        let profile = OneProfile::named("cm-sha1").unwrap();
        let mut hello = [&[1, 2, 3][..], &OFFERED, &[0, 9]].concat();
        profile.rewrite(&mut hello);
        assert_eq!(hello[9..15], [0, 1, 0, 1, 0, 1]);
        assert_eq!(
            (&hello[..9], &hello[15..]),
            (&[1, 2, 3, 0, 14, 0, 9, 0, 6][..], &[0, 9][..])
        );
        let mut other = [7; 40];
        profile.rewrite(&mut other);
        assert_eq!(other, [7; 40]);
        assert!(OneProfile::named("md5").is_none());
    }
}
