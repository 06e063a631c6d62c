//! What a subscriber with valid keys may say: any RTCP at all.

use std::time::Duration;

use str0m::media::MediaKind;

use super::assert_contained;
use crate::World;

/// RTCP of one subscriber, sealed with its own key, beside media. Records of one length byte (times
/// 8) and a compound packet in which every [`STREAM`] stands for the source it receives.
pub fn feedback(data: &[u8]) {
    let mut world = World::new(5);
    let router = world.create_router();
    let (alice, _, published) = world.publish(router, &[(MediaKind::Video, "camera")], &[]);
    let (camera, publisher) = published[0];
    let (bob, _, _) = world.subscribe(router, &[publisher]);
    let frame = |world: &mut World, key| {
        let now = world.now;
        world.peers[alice].send_video(now, camera, key, 3, 900);
        world.run(Duration::from_millis(20));
    };
    (0..5).for_each(|_| frame(&mut world, true));
    let address = world.peers[bob].address;
    let ssrc = world.peers[bob].received.last().map(|packet| packet.ssrc);
    let ssrc = ssrc.expect("media has arrived").to_be_bytes();
    let mut rest = data;
    while let [length, tail @ ..] = rest {
        let (packet, after) = tail.split_at(tail.len().min(usize::from(*length) * 8));
        rest = after;
        if packet.len() < 8 {
            continue;
        }
        let mut packet = packet.to_vec();
        for at in 0..packet.len() - 3 {
            if packet[at..at + 4] == STREAM {
                packet[at..at + 4].copy_from_slice(&ssrc);
            }
        }
        let datagram = world.peers[bob].forge_rtcp(&packet);
        world.inject(address, &datagram);
        frame(&mut world, false);
    }
    world.run(Duration::from_secs(1));
    assert_contained(&world);
}

/// Stands for the SSRC of what the subscriber receives.
const STREAM: [u8; 4] = [0xaa; 4];
