//! A room of forty people: one subscriber takes eighty tracks, and its browser's answer is long.

use std::time::Duration;

use headwater_core::command::Command;
use headwater_core::event::Reply;
use headwater_core::ids::{PublisherId, SubscriberId};
use headwater_sim::World;
use str0m::media::MediaKind;

const PEOPLE: usize = 40;

#[test]
fn an_answer_about_eighty_tracks_is_accepted() {
    let mut world = World::new(40);
    let router = world.create_router();
    let tracks = [(MediaKind::Audio, "voice"), (MediaKind::Video, "camera")];
    let mut publishers: Vec<PublisherId> = Vec::new();
    for _ in 0..PEOPLE {
        let (_, _, published) = world.publish(router, &tracks, &[]);
        publishers.extend(published.iter().map(|(_, publisher)| *publisher));
    }
    let transport = world.create_subscribe_transport(router);
    let watcher = world.add_peer();
    let items = publishers
        .iter()
        .map(|publisher| (SubscriberId(world.handle()), *publisher))
        .collect();
    let reply = world.command(Command::Subscribe { transport, items });
    let Ok(Reply::Offer { sdp, mids }) = reply else {
        panic!("subscribe makes an offer")
    };
    assert_eq!(mids.len(), 2 * PEOPLE);
    // A browser says about 2 KiB of every m-line; str0m is terser.
    let line = format!("a=x-padding:{}\r\n", "p".repeat(2000));
    let answer = world.peers[watcher].answer(&sdp);
    let answer = answer.replace("a=mid:", &format!("{line}a=mid:"));
    assert!(answer.len() > 128 * 1024, "longer than any offer may be");
    world
        .command(Command::AcceptAnswer {
            transport,
            sdp: answer,
        })
        .expect("the answer is accepted");
    assert!(world.run_until(Duration::from_secs(5), |world| {
        world.peers[watcher].connected
    }));
}
