//! The sockets of recording transports: one each, for sending only.
//!
//! Bound to loopback when the receiver is there, so that plain RTP never has a way out of the
//! machine; else to the wildcard address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::ids::{ObjectId, TransportId};
use rustc_hash::FxHashMap;

use crate::udp::UdpPort;

/// The open recording sockets of a media thread.
#[derive(Debug, Default)]
pub(crate) struct RecordingSockets {
    sockets: FxHashMap<TransportId, Recording>,
}

#[derive(Debug)]
struct Recording {
    port: UdpPort,
    remote: IpAddr,
}

impl RecordingSockets {
    /// Open what a command needs; an error means the command must not reach the core.
    pub(crate) fn prepare(&mut self, command: &Command) -> Result<(), Error> {
        match command {
            Command::CreateRecordingTransport {
                transport, remote, ..
            } => {
                if remote.port() == u16::MAX {
                    return Err(Error::Socket(
                        "no port left for RTCP above the RTP port".to_owned(),
                    ));
                }
                if self.sockets.contains_key(transport) {
                    return Ok(()); // handles are made once: this is the caller's mistake
                }
                let recording = Recording {
                    port: open(*remote)?,
                    remote: remote.ip(),
                };
                self.sockets.insert(*transport, recording);
                Ok(())
            }
            Command::StartRecording {
                transport, remote, ..
            } => match self.sockets.get(transport) {
                Some(recording) => recording.check(*remote),
                None => Ok(()), // the core knows better why not
            },
            _ => Ok(()),
        }
    }

    pub(crate) fn get(&mut self, transport: TransportId) -> Option<&mut UdpPort> {
        self.sockets
            .get_mut(&transport)
            .map(|recording| &mut recording.port)
    }

    /// An object is gone; if it was a recording transport, so is its socket.
    pub(crate) fn closed(&mut self, object: ObjectId) {
        if let ObjectId::Transport(transport) = object {
            self.sockets.remove(&transport);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
    }
}

impl Recording {
    /// A track may go to another port, but not where this socket cannot send.
    fn check(&self, remote: SocketAddr) -> Result<(), Error> {
        let same_family = remote.is_ipv4() == self.remote.is_ipv4();
        if !same_family || remote.ip().is_loopback() != self.remote.is_loopback() {
            return Err(Error::Socket(format!(
                "{remote} is out of reach of a socket for {}",
                self.remote
            )));
        }
        if remote.port() == u16::MAX {
            return Err(Error::Socket(
                "no port left for RTCP above the RTP port".to_owned(),
            ));
        }
        Ok(())
    }
}

fn open(remote: SocketAddr) -> Result<UdpPort, Error> {
    let local: IpAddr = match remote.ip() {
        IpAddr::V4(v4) if v4.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(v6) if v6.is_loopback() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpPort::bind_sender(local).map_err(|error| Error::Socket(error.to_string()))
}

#[cfg(test)]
mod tests {
    use headwater_core::ids::{PublisherId, RecordingTrackId, RouterId};

    use super::*;

    const TRANSPORT: TransportId = TransportId(2);

    fn create(remote: &str) -> Command {
        let remote = remote.parse().unwrap();
        Command::CreateRecordingTransport {
            router: RouterId(1),
            transport: TRANSPORT,
            remote,
        }
    }

    fn start(remote: &str) -> Command {
        Command::StartRecording {
            transport: TRANSPORT,
            track: RecordingTrackId(3),
            publisher: PublisherId(4),
            remote: remote.parse().unwrap(),
        }
    }

    fn bound_to(sockets: &mut RecordingSockets) -> IpAddr {
        sockets
            .get(TRANSPORT)
            .unwrap()
            .socket
            .local_addr()
            .unwrap()
            .ip()
    }

    #[test]
    fn a_socket_for_loopback_cannot_send_elsewhere() {
        for (remote, local) in [("127.0.0.1:5004", "127.0.0.1"), ("[::1]:5004", "::1")] {
            let mut sockets = RecordingSockets::default();
            sockets.prepare(&create(remote)).unwrap();
            assert_eq!(bound_to(&mut sockets), local.parse::<IpAddr>().unwrap());
            assert_eq!(sockets.prepare(&start(remote)), Ok(()));
            for elsewhere in ["198.51.100.7:5004", "[2001:db8::7]:5004"] {
                assert!(matches!(
                    sockets.prepare(&start(elsewhere)),
                    Err(Error::Socket(_))
                ));
            }
        }
    }

    #[test]
    fn a_socket_for_another_machine_listens_everywhere_and_lives_as_long_as_its_transport() {
        let mut sockets = RecordingSockets::default();
        sockets.prepare(&create("198.51.100.7:5004")).unwrap();
        assert!(bound_to(&mut sockets).is_unspecified());
        sockets.closed(ObjectId::Transport(TransportId(77)));
        assert!(sockets.get(TRANSPORT).is_some());
        sockets.closed(ObjectId::Transport(TRANSPORT));
        assert!(sockets.get(TRANSPORT).is_none());
    }

    #[test]
    fn rtcp_needs_the_port_above() {
        let mut sockets = RecordingSockets::default();
        assert!(matches!(
            sockets.prepare(&create("127.0.0.1:65535")),
            Err(Error::Socket(_))
        ));
        sockets.prepare(&create("127.0.0.1:65534")).unwrap();
        assert!(matches!(
            sockets.prepare(&start("127.0.0.1:65535")),
            Err(Error::Socket(_))
        ));
    }
}
