//! A handle names one object: whoever brings one that is in use is refused, and nothing changes.

mod common;

use common::Room;
use headwater_core::command::{Command, RouterOptions, TransportOptions};
use headwater_core::error::Error;
use headwater_core::ids::SubscriberId;

#[test]
fn a_handle_in_use_is_refused() {
    let mut room = Room::new(500);
    let (_, watching, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    let options = TransportOptions::default();
    let router = room.router;
    let twice = SubscriberId(room.world.handle());
    let before = room.world.sfu.counters();
    let commands = [
        Command::CreateRouter {
            router,
            options: RouterOptions { codecs: Vec::new() },
        },
        Command::CreatePublishTransport {
            router,
            transport: watching,
            options,
        },
        Command::CreateSubscribeTransport {
            router,
            transport: room.publishing,
            options,
        },
        Command::Publish {
            transport: room.publishing,
            publisher: room.camera.1,
            mid: room.microphone.0.to_string(),
        },
        Command::Subscribe {
            transport: watching,
            items: vec![(subscribers[0], room.microphone.1)],
        },
        Command::Subscribe {
            transport: watching,
            items: vec![(twice, room.camera.1), (twice, room.microphone.1)],
        },
    ];
    for command in commands {
        let said = format!("{command:?}");
        let outcome = room.world.command(command);
        assert!(
            matches!(outcome, Err(Error::HandleInUse)),
            "{said}: {outcome:?}"
        );
    }
    assert_eq!(room.world.sfu.counters(), before);
    room.frames(10);
    assert!(
        room.world.counter("packets_forwarded") > 20,
        "the call goes on"
    );
}
