//! DTLS: 1.2 unless asked, 1.3 where both want it, and the fastest SRTP profile either way.

use std::time::Duration;

use headwater_core::command::{Command, DtlsVersion as Ours, StatsTarget, TransportOptions};
use headwater_core::event::{Reply, StatValue};
use headwater_core::ids::TransportId;
use headwater_sim::World;
use str0m::config::DtlsVersion;
use str0m::media::MediaKind;

/// DTLS version and SRTP profile of a connection between a server set to `ours` and a client
/// set to `theirs`.
fn negotiate(ours: Ours, theirs: DtlsVersion) -> (String, String) {
    let mut world = World::new(90);
    let router = world.create_router();
    let transport = TransportId(world.handle());
    let options = TransportOptions {
        dtls: ours,
        ..TransportOptions::default()
    };
    world
        .command(Command::CreatePublishTransport {
            router,
            transport,
            options,
        })
        .unwrap();
    let peer = world.add_peer_with(|config| config.set_dtls_version(theirs));
    let (sdp, _) = world.peers[peer].offer(&[(MediaKind::Video, "camera")], &[]);
    let reply = world.command(Command::AcceptOffer { transport, sdp });
    let Ok(Reply::Answer { sdp, .. }) = reply else {
        panic!("{reply:?}")
    };
    // The client had some time to itself before it came.
    world.run(Duration::from_secs(3));
    world.peers[peer].accept_answer(&sdp);
    let start = world.now;
    assert!(world.run_until(Duration::from_secs(5), |world| world.peers[peer].connected));
    assert!(
        world.now - start < Duration::from_millis(500),
        "took {:?}",
        world.now - start
    );
    world.run(Duration::from_millis(100));
    let target = StatsTarget::Transport(transport);
    let Ok(Reply::Stats(stats)) = world.command(Command::GetStats { target }) else {
        panic!()
    };
    let text = |name: &str| match stats.iter().find(|(known, _)| *known == name) {
        Some((_, StatValue::Text(text))) => text.clone(),
        other => panic!("{name}: {other:?}"),
    };
    (text("dtls_version"), text("srtp_profile"))
}

/// The default, with clients old and new.
#[test]
fn version_1_2() {
    for theirs in [DtlsVersion::Dtls12, DtlsVersion::Auto] {
        let (version, profile) = negotiate(Ours::V12, theirs);
        assert_eq!(
            (version.as_str(), profile.as_str()),
            ("1.2", "AEAD_AES_256_GCM")
        );
    }
}

/// The setting, with a client that puts AEAD first.
#[test]
fn version_1_3() {
    for theirs in [DtlsVersion::Dtls13, DtlsVersion::Auto] {
        let (version, profile) = negotiate(Ours::V13, theirs);
        assert_eq!(
            (version.as_str(), profile.as_str()),
            ("1.3", "AEAD_AES_256_GCM")
        );
    }
}

/// The setting does not shut out clients that know 1.2 only.
#[test]
fn version_1_3_falls_back() {
    let (version, profile) = negotiate(Ours::V13, DtlsVersion::Dtls12);
    assert_eq!(
        (version.as_str(), profile.as_str()),
        ("1.2", "AEAD_AES_256_GCM")
    );
}
