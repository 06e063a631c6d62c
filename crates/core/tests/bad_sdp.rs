//! Bad SDP is a typed error for who sent it; the transport and the call beside it live on.

mod common;

use common::{Room, assert_continuous, video};
use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::event::Reply;
use headwater_sim::World;
use str0m::media::MediaKind;

fn good_offer(world: &mut World) -> (usize, String) {
    let peer = world.add_peer();
    let tracks = [(MediaKind::Audio, "a"), (MediaKind::Video, "v")];
    (peer, world.peers[peer].offer(&tracks, &[]).0)
}

/// Name of the case, and how to spoil a good offer.
type Case = (&'static str, fn(&str) -> String);

const CASES: &[Case] = &[
    ("empty", |_| String::new()),
    ("not SDP", |_| "hello".to_owned()),
    ("not UTF-8 lookalike", |_| "\u{0}\u{0}\u{0}".to_owned()),
    ("only the session part", |sdp| {
        sdp.split("m=").next().unwrap().to_owned()
    }),
    ("too large", |sdp| {
        sdp.to_owned() + &"a=x-padding:0123456789\r\n".repeat(4000)
    }),
    ("65 m-lines", |sdp| {
        let (session, line) = sdp.split_at(sdp.find("m=audio").unwrap());
        let line = &line[..line.find("m=video").unwrap()];
        let lines = (0..65).map(|n| line.replace("a=mid:", &format!("a=mid:{n}x")));
        session.to_owned() + &lines.collect::<String>()
    }),
    ("payload type 128", |sdp| {
        sdp.replacen("UDP/TLS/RTP/SAVPF ", "UDP/TLS/RTP/SAVPF 128 ", 1)
    }),
    ("payload type 999", |sdp| {
        sdp.replacen("UDP/TLS/RTP/SAVPF ", "UDP/TLS/RTP/SAVPF 999 ", 1)
    }),
    ("empty fingerprint", |sdp| {
        without_value(sdp, "a=fingerprint:", "sha-256 ")
    }),
    ("bare fingerprint", |sdp| {
        without_value(sdp, "a=fingerprint:", "")
    }),
    ("no fingerprint", |sdp| without(sdp, "a=fingerprint:")),
    ("no ufrag", |sdp| without(sdp, "a=ice-ufrag:")),
    ("short ufrag", |sdp| {
        without_value(sdp, "a=ice-ufrag:", "abc")
    }),
    ("no password", |sdp| without(sdp, "a=ice-pwd:")),
    ("short password", |sdp| {
        without_value(sdp, "a=ice-pwd:", "abc")
    }),
    ("no mid", |sdp| without(sdp, "a=mid:")),
    ("same mid twice", |sdp| without_value(sdp, "a=mid:", "0")),
    ("long mid", |sdp| {
        without_value(sdp, "a=mid:", "abcdefghijklmnopqrstuvwxyz")
    }),
    ("m-line of another kind", |sdp| {
        sdp.replacen("m=audio", "m=text", 1)
    }),
    ("no port", |sdp| sdp.replacen("m=audio 9", "m=audio x", 1)),
    ("garbage line", |sdp| {
        sdp.replacen("m=audio", "garbage\r\nm=audio", 1)
    }),
    ("missing rtpmap", |sdp| without(sdp, "a=rtpmap:")),
];

fn without(sdp: &str, prefix: &str) -> String {
    sdp.lines()
        .filter(|line| !line.starts_with(prefix))
        .map(|line| format!("{line}\r\n"))
        .collect()
}

fn without_value(sdp: &str, prefix: &str, value: &str) -> String {
    let spoil = |line: &str| match line.starts_with(prefix) {
        true => format!("{prefix}{value}\r\n"),
        false => format!("{line}\r\n"),
    };
    sdp.lines().map(spoil).collect()
}

/// Each case fails with `InvalidSdp`, leaves the transport usable and the call undisturbed.
#[test]
fn spoilt_offers() {
    let mut room = Room::new(70);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(5);
    let transport = room.world.create_publish_transport(room.router);
    let (carol, good) = good_offer(&mut room.world);
    for (name, spoil) in CASES {
        let sdp = spoil(&good);
        assert_ne!(sdp, good, "{name} changes nothing");
        let outcome = room.world.command(Command::AcceptOffer { transport, sdp });
        assert!(
            matches!(outcome, Err(Error::InvalidSdp(_))),
            "{name}: {outcome:?}"
        );
        room.frame();
    }
    assert_eq!(room.closed(), []);
    let reply = room.world.command(Command::AcceptOffer {
        transport,
        sdp: good,
    });
    let Ok(Reply::Answer { sdp, tracks }) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(tracks.len(), 2);
    room.world.peers[carol].accept_answer(&sdp);
    room.frames(10);
    assert!(room.world.peers[carol].connected);
    assert_continuous(&video(&room.world.peers[bob].received));
}

/// Lines about payload types that the m-line does not list are dropped (Firefox), a direction
/// that is not written means sendrecv, candidates of any form are ignored.
#[test]
fn known_quirks_are_repaired() {
    let mut world = World::new(71);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let (peer, good) = good_offer(&mut world);
    let dangling = "a=rtcp-fb:77 nack\r\na=fmtp:77 x=1\r\na=rtpmap:77 VP8/90000\r\na=mid:";
    let sdp = without(&good, "a=sendonly").replace("a=mid:", dangling);
    let sdp = sdp + "a=candidate:1 1 udp 1 d6c1e0a2.local 5000 typ host\r\na=candidate:rubbish\r\n";
    let reply = world.command(Command::AcceptOffer { transport, sdp });
    let Ok(Reply::Answer { sdp, tracks }) = reply else {
        panic!("{reply:?}")
    };
    assert!(tracks.iter().all(|track| track.active));
    assert!(!sdp.contains(":77 "));
    drop(world.peers.swap_remove(peer));
}

/// Tracks are named by the second token of msid, else by their mid; RIDs come in order.
#[test]
fn tracks_are_read() {
    let mut world = World::new(72);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let (_, good) = good_offer(&mut world);
    let reply = world.command(Command::AcceptOffer {
        transport,
        sdp: good.clone(),
    });
    let Ok(Reply::Answer { tracks, .. }) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(tracks[0].track_id, "a");
    assert_eq!(tracks[0].stream_id, "stream");
    assert_eq!(tracks[1].track_id, "v");
    let transport = world.create_publish_transport(router);
    let simulcast = "a=rid:q send\r\na=rid:h send\r\na=simulcast:send q;h\r\na=mid:";
    let at = good.find("m=video").unwrap();
    let (head, tail) = good.split_at(at);
    let sdp = without(head, "a=msid:") + &tail.replace("a=mid:", simulcast);
    let reply = world.command(Command::AcceptOffer { transport, sdp });
    let Ok(Reply::Answer { tracks, sdp }) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(tracks[0].track_id, tracks[0].mid);
    assert_eq!(tracks[0].stream_id, "");
    assert_eq!(tracks[1].rids, ["q", "h"]);
    assert!(sdp.contains("a=simulcast:recv q;h"));
}

/// Candidates are checked for form only.
#[test]
fn candidates() {
    let mut world = World::new(73);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let mut add = |candidate: &str| {
        let candidate = candidate.to_owned();
        world
            .command(Command::AddCandidate {
                transport,
                candidate,
            })
            .map(drop)
    };
    let host = "candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host";
    assert_eq!(add(host), Ok(()));
    assert_eq!(add(&format!("a={host}")), Ok(()));
    assert_eq!(
        add("candidate:1 1 udp 1 d6c1e0a2-12.local 5000 typ host"),
        Ok(())
    );
    assert_eq!(add(""), Ok(()), "end of candidates");
    assert!(matches!(
        add("candidate:rubbish"),
        Err(Error::InvalidCandidate(_))
    ));
    assert!(matches!(
        add(&"x".repeat(5000)),
        Err(Error::InvalidCandidate(_))
    ));
}
