//! Transports negotiated by parameters instead of SDP (ORTC, as mediasoup-client does).
//!
//! Such a transport tells its ICE credentials, candidates and fingerprint before anything is known
//! of its client. What the client then tells (its DTLS fingerprint, what it sends or takes) comes
//! here as an offer that the caller has written from it, so codecs, extensions and simulcast are
//! negotiated in one place. The ICE credentials in that offer stand for nothing: a client by
//! parameters never tells its own.
//!
//! The server is ICE-lite: it sends no checks, so it needs no password of the client's, and the
//! client's ufrag is learned from the first check whose integrity holds under *our* password. Only
//! who was given that can make one.
//!
//! ICE restart: new credentials stand beside the old ones, and the old ones go with the first check
//! that uses the new.

use str0m::IceCreds;

use crate::demux;
use crate::error::Error;
use crate::event::Reply;
use crate::ids::TransportId;
use crate::sfu::Sfu;
use crate::transport::webrtc::contained;

/// What stands for the credentials of a client that has not come yet.
pub(crate) fn unknown() -> IceCreds {
    IceCreds {
        ufrag: "unknown".to_owned(),
        pass: "unknownunknownunknownunknown".to_owned(),
    }
}

impl Sfu {
    /// What a client has to know of a transport.
    pub(crate) fn describe(&mut self, id: TransportId) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let session = &mut self.sessions[key];
        let Some(credentials) = session.credentials.last().cloned() else {
            return Err(Error::NotFound { what: "transport" });
        };
        let rtc = &mut session.rtc;
        let Ok(fingerprint) = contained(|| rtc.direct_api().local_dtls_fingerprint().to_string())
        else {
            return Err(self.doom(key));
        };
        let udp = self.config.candidates.iter().map(|at| (*at, false));
        let tcp = self.config.tcp_candidates.iter().map(|at| (*at, true));
        Ok(Reply::Parameters {
            ufrag: credentials.ufrag,
            password: credentials.pass,
            candidates: udp.chain(tcp).collect(),
            fingerprint,
        })
    }

    /// Takes the client's fingerprint; the handshake that is to come is held against it.
    pub(crate) fn set_fingerprint(&mut self, id: TransportId, text: &str) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let session = &mut self.sessions[key];
        if session.learned.is_none() {
            return Err(Error::WrongTransport(
                "the fingerprint comes in an offer or answer on this transport",
            ));
        }
        if session.srtp_profile.is_some() {
            return Err(Error::WrongTransport("the handshake is over"));
        }
        let fingerprint = text
            .parse()
            .map_err(|_| Error::InvalidSdp("a malformed fingerprint".to_owned()))?;
        let rtc = &mut session.rtc;
        match contained(|| rtc.direct_api().set_remote_fingerprint(fingerprint)) {
            Ok(()) => Ok(Reply::Done),
            Err(_) => Err(self.doom(key)),
        }
    }

    /// New ICE credentials, good from now on beside those in force.
    pub(crate) fn renew_ice(&mut self, id: TransportId) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        if self.sessions[key].learned.is_none() {
            return Err(Error::WrongTransport(
                "ICE restarts by an offer on this transport",
            ));
        }
        let unused = self.sessions[key].credentials.split_off(1);
        for credentials in unused {
            self.demux.remove_ufrag(&credentials.ufrag);
        }
        let ours = self.random.ice_credentials(self.config.thread);
        self.demux.add_ufrag(&ours.ufrag, key);
        self.sessions[key].credentials.push(ours);
        self.describe(id)
    }

    /// Takes a client's ufrag, and which of our credentials it uses, from a check that is genuine.
    pub(crate) fn learn_peer(&mut self, key: usize, contents: &[u8]) {
        let session = &mut self.sessions[key];
        let Some(known) = &session.learned else {
            return; // told by SDP
        };
        let Some((ours, theirs)) = demux::ufrags(contents).filter(|(_, u)| is_ufrag(u)) else {
            return;
        };
        let learned = (known.ufrag != theirs).then(|| IceCreds {
            ufrag: theirs.to_owned(),
            pass: known.pass.clone(),
        });
        let is_new = session.credentials.len() > 1 && session.credentials[0].ufrag != ours;
        let renewed = session.credentials.iter().find(|own| own.ufrag == ours);
        let renewed = renewed.filter(|_| is_new).cloned();
        if learned.is_none() && renewed.is_none() {
            return;
        }
        let rtc = &mut session.rtc;
        let outcome = contained(|| {
            let mut direct = rtc.direct_api();
            if let Some(credentials) = &learned {
                direct.set_remote_ice_credentials(credentials.clone());
            }
            if let Some(credentials) = &renewed {
                direct.set_local_ice_credentials(credentials.clone());
            }
        });
        session.learned = learned.or(session.learned.take());
        if outcome.is_err() {
            self.doom(key);
        } else if let Some(credentials) = renewed {
            self.switch_ufrag(key, credentials);
        }
    }
}

/// RFC 8839 section 5.4; it will stand in an SDP.
fn is_ufrag(text: &str) -> bool {
    let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    (4..=256).contains(&text.len()) && text.bytes().all(is_ice_char)
}
