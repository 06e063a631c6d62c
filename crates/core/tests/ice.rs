//! ICE: credentials name their thread, also after a restart; addresses are learnt only from
//! checks whose integrity holds, and only once.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Room, assert_continuous, video};
use headwater_core::Route;
use headwater_core::command::Command;
use headwater_core::event::Reply;

fn ufrags(sdp: &str) -> Vec<&str> {
    let mut ufrags: Vec<_> = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .collect();
    ufrags.dedup();
    ufrags
}

fn password(sdp: &str) -> &str {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=ice-pwd:"))
        .unwrap()
}

/// The client restarts ICE: new credentials with the thread's prefix, and media goes on.
#[test]
fn restart_by_the_client() {
    let mut room = Room::new(60);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    let transport = room.publishing;
    let sdp = room.world.peers[room.alice].offer_ice_restart();
    let Ok(Reply::Answer { sdp, .. }) = room.world.command(Command::AcceptOffer { transport, sdp })
    else {
        panic!("an answer")
    };
    assert_eq!(ufrags(&sdp).len(), 1);
    assert!(ufrags(&sdp)[0].starts_with("0000"));
    assert!(password(&sdp).len() >= 22);
    room.world.peers[room.alice].accept_answer(&sdp);
    assert_eq!(room.world.counter("known_ufrags"), 2);
    room.frames(50);
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert!(packets.len() > 150, "{} packets", packets.len());
}

/// The server restarts ICE of a subscribe transport, twice; a restart rolled back leaves nothing.
#[test]
fn restart_by_the_server() {
    let mut room = Room::new(61);
    let (bob, transport, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    let mut seen = Vec::new();
    for round in 0..3 {
        let reply = room.world.command(Command::CreateOffer {
            transport,
            ice_restart: true,
        });
        let Ok(Reply::Offer { sdp, .. }) = reply else {
            panic!("{reply:?}")
        };
        let [ufrag] = ufrags(&sdp)[..] else {
            panic!("one ufrag")
        };
        assert!(ufrag.starts_with("0000"));
        let new = (ufrag.to_owned(), password(&sdp).to_owned());
        assert!(!seen.contains(&new));
        seen.push(new);
        if round == 1 {
            room.world
                .command(Command::RollbackOffer { transport })
                .unwrap();
        } else {
            let sdp = room.world.peers[bob].answer(&sdp);
            room.world
                .command(Command::AcceptAnswer { transport, sdp })
                .unwrap();
        }
        assert_eq!(room.world.counter("known_ufrags"), 2);
        room.frames(30);
    }
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert!(packets.len() > 250, "{} packets", packets.len());
}

/// A check for another thread's ufrag is named as that thread's, whatever thread it is.
#[test]
fn foreign_ufrags_name_their_thread() {
    let room = Room::new(62);
    let stranger: SocketAddr = "192.0.2.9:5000".parse().unwrap();
    assert_eq!(
        room.world
            .sfu
            .route(stranger, &binding_request("00a7ABCDEFGH:peer")),
        Route::Thread(0xa7)
    );
    assert_eq!(
        room.world
            .sfu
            .route(stranger, &binding_request("0000ABCDEFGH:peer")),
        Route::Unknown
    );
    assert_eq!(
        room.world.sfu.route(stranger, &binding_request("xyz:peer")),
        Route::Unknown
    );
    assert_eq!(
        room.world.sfu.route(stranger, &binding_request("no colon")),
        Route::Unknown
    );
    assert_eq!(room.world.sfu.route(stranger, &[0; 20]), Route::Unknown);
    assert_eq!(room.world.sfu.route(stranger, &[]), Route::Unknown);
}

/// A check with a good ufrag and a bad password is dropped and its source not remembered.
#[test]
fn integrity_is_required() {
    let mut room = Room::new(63);
    let ufrag = room.world.peers[room.alice].remote_ufrag();
    let stranger: SocketAddr = "192.0.2.9:5000".parse().unwrap();
    let request = binding_request(&format!("{ufrag}:peer"));
    assert!(matches!(
        room.world.sfu.route(stranger, &request),
        Route::Session(_)
    ));
    assert!(!room.world.inject(stranger, &request));
    assert_eq!(room.world.counter("drop_integrity"), 1);
    assert_eq!(room.world.counter("known_addresses"), 1);
}

/// A captured check sent again from elsewhere moves nothing; the peer's own copy does no harm.
#[test]
fn replayed_checks_are_dropped() {
    let mut room = Room::new(64);
    room.world.network.wiretap = Some(Vec::new());
    room.world.run(Duration::from_secs(10));
    let tapped = room.world.network.wiretap.take().unwrap();
    let (source, check) = tapped
        .into_iter()
        .find(|(_, bytes)| bytes[0] == 0)
        .expect("a check");
    assert!(room.world.inject(source, &check), "a retransmission");
    let attacker: SocketAddr = "192.0.2.66:6666".parse().unwrap();
    assert!(!room.world.inject(attacker, &check));
    assert_eq!(room.world.counter("drop_replay"), 1);
    assert_eq!(room.world.counter("known_addresses"), 1);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(20);
    assert_continuous(&video(&room.world.peers[bob].received));
}

/// A STUN binding request with only a USERNAME.
fn binding_request(username: &str) -> Vec<u8> {
    let padded = username.len().next_multiple_of(4);
    let mut bytes = vec![0, 1];
    bytes.extend_from_slice(&((padded + 4) as u16).to_be_bytes());
    bytes.extend_from_slice(&0x2112_a442_u32.to_be_bytes());
    bytes.extend_from_slice(&[9; 12]);
    bytes.extend_from_slice(&[0, 6]);
    bytes.extend_from_slice(&(username.len() as u16).to_be_bytes());
    bytes.extend_from_slice(username.as_bytes());
    bytes.resize(20 + 4 + padded, 0);
    bytes
}
