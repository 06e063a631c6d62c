//! A network without IPv4: the same call, on the same port number.

mod common;

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::Instant;

use common::Call;
use headwater_worker::WorkerConfig;

#[test]
fn a_call_by_ipv6_alone() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    let mut call = Call::open_with(WorkerConfig {
        threads: 2,
        addresses: vec![IpAddr::from(Ipv6Addr::LOCALHOST)],
        ..WorkerConfig::default()
    });
    call.bind = "[::1]:0";
    let candidates = call.worker.candidates();
    assert!(candidates.iter().all(|candidate| candidate.is_ipv6()));
    let (alice, camera, publisher) = call.publish();
    let (bob, _) = call.subscribe(publisher);
    let mut frames = 0;
    call.run_until("video arrives", |call| {
        frames += 1;
        let now = Instant::now();
        let sender = &mut call.peers[alice].peer;
        let asked = sender.key_frame_requests.drain(..).count() > 0;
        sender.send_video(now, camera, frames == 1 || asked, 3, 900);
        call.peers[bob].peer.received.len() > 300
    });
}
