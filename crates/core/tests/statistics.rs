//! `docs/reference/statistics.md` explains every name that the core answers.

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use common::Room;
use headwater_core::command::{Command, PlainOptions, StatsTarget};
use headwater_core::event::Reply;
use headwater_core::ids::{DataPublisherId, DataSubscriberId, RecordingTrackId, TransportId};
use headwater_sim::World;

const PAGE: &str = include_str!("../../../docs/reference/statistics.md");

fn answered(world: &mut World, targets: &[StatsTarget]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for target in targets {
        match world.command(Command::GetStats { target: *target }) {
            Ok(Reply::Stats(stats)) => {
                names.extend(stats.into_iter().map(|(name, _)| name.to_owned()));
            }
            other => panic!("{target:?}: {other:?}"),
        }
    }
    names
}

/// Every object of a busy room, asked. `rid` needs simulcast and is tested there.
#[test]
fn the_page_is_complete() {
    let mut room = Room::new(120);
    let (_, watching, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    let remote: SocketAddr = "127.0.0.1:6000".parse().unwrap();
    let (recording, track) = (
        TransportId(room.world.handle()),
        RecordingTrackId(room.world.handle()),
    );
    let plain = TransportId(room.world.handle());
    let (data_publisher, data_subscriber) = (
        DataPublisherId(room.world.handle()),
        DataSubscriberId(room.world.handle()),
    );
    let (router, publisher, label) = (room.router, room.camera.1, "chat".to_owned());
    for command in [
        Command::CreateRecordingTransport {
            router,
            transport: recording,
            remote,
        },
        Command::StartRecording {
            transport: recording,
            track,
            publisher,
            remote,
        },
        Command::CreatePlainTransport {
            router,
            transport: plain,
            options: PlainOptions {
                local: remote,
                rtcp_local: None,
                comedia: false,
                keys: None,
            },
        },
        Command::PublishData {
            transport: room.publishing,
            data_publisher,
            label,
            stream: None,
        },
        Command::SubscribeData {
            transport: watching,
            data_subscriber,
            data_publisher,
            stream: None,
        },
    ] {
        room.world.command(command).unwrap();
    }
    room.frames(150);
    let webrtc = [
        StatsTarget::Transport(room.publishing),
        StatsTarget::Transport(watching),
    ];
    let own = [recording, plain].map(StatsTarget::Transport);
    let mut targets = [&webrtc[..], &own].concat();
    targets.extend([
        StatsTarget::Thread,
        StatsTarget::Publisher(publisher),
        StatsTarget::Subscriber(subscribers[0]),
        StatsTarget::DataPublisher(data_publisher),
        StatsTarget::DataSubscriber(data_subscriber),
        StatsTarget::RecordingTrack(track),
    ]);
    let names = answered(&mut room.world, &targets);
    assert!(names.len() > 50, "{} names", names.len());
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !PAGE.contains(&format!("`{}`", of_any_layer(name))))
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
}

/// `layer_2_1_bitrate` is explained with `layer_0_0_bitrate`, `encoding_2_rid` with `encoding_0_rid`.
fn of_any_layer(name: &str) -> String {
    match &name.split('_').collect::<Vec<_>>()[..] {
        ["layer", _, _, what @ ..] => format!("layer_0_0_{}", what.join("_")),
        ["encoding", _, what @ ..] => format!("encoding_0_{}", what.join("_")),
        _ => name.to_owned(),
    }
}
