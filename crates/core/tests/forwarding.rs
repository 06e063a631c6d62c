//! A publisher's packets reach a subscriber complete and with numbers of its own.

use std::time::Duration;

use headwater_sim::World;
use str0m::media::MediaKind;

#[test]
fn video_and_audio_arrive_without_a_gap() {
    let mut world = World::new(1);
    let router = world.create_router();
    let tracks = [
        (MediaKind::Video, "camera"),
        (MediaKind::Audio, "microphone"),
    ];
    let (alice, _, published) = world.publish(router, &tracks, &[]);
    let ids: Vec<_> = published.iter().map(|(_, id)| *id).collect();
    let (bob, _, _) = world.subscribe(router, &ids);
    for frame in 0..100 {
        let now = world.now;
        world.peers[alice].send_video(now, published[0].0, frame % 50 == 0, 3, 500);
        world.peers[alice].send_audio(now, published[1].0);
        world.run(Duration::from_millis(20));
    }
    let packets = &world.peers[bob].received;
    eprintln!("{} packets, events {:?}", packets.len(), world.events);
    let mids: Vec<_> = {
        let mut mids: Vec<_> = packets.iter().map(|p| p.mid).collect();
        mids.sort();
        mids.dedup();
        mids
    };
    assert_eq!(mids.len(), 2);
    for mid in mids {
        let of_track: Vec<_> = packets.iter().filter(|p| p.mid == mid).collect();
        assert!(of_track.len() >= 100, "{} packets", of_track.len());
        for pair in of_track.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        }
    }
}
