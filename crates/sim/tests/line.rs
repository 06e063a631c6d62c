//! The picture follows the line: narrower, it gets smaller within two seconds; wider, it is back
//! within ten; and the viewer is told each time, with the reason.

use std::time::Duration;

use headwater_core::event::Event;
use headwater_core::ids::SubscriberId;
use headwater_core::layer::{Layer, LayerReason};
use headwater_sim::Link;
use headwater_sim::lab::Call;

const S: Duration = Duration::from_secs(1);

/// A line of this rate with the buffer of a home router.
fn line(rate: u64) -> Link {
    Link {
        rate,
        queue: 48 * 1024,
        ..Link::default().delayed(Duration::from_millis(25))
    }
}

/// What a receiver's camera subscriber was told, in order.
fn told(call: &mut Call, receiver: usize) -> Vec<(Option<Layer>, LayerReason, Option<u64>)> {
    let camera: SubscriberId = call.receivers[receiver].subscribers[0];
    call.world.take_events(|event| match event {
        Event::LayerChanged {
            subscriber,
            to,
            reason,
            estimate,
            ..
        } if *subscriber == camera => Some((*to, *reason, *estimate)),
        _ => None,
    })
}

fn spatial(told: &[(Option<Layer>, LayerReason, Option<u64>)]) -> Option<u8> {
    told.last()
        .and_then(|(to, ..)| to.map(|layer| layer.spatial))
}

#[test]
fn narrow_and_wide_again() {
    for seed in 1..=3 {
        let mut call = Call::new(seed, 1);
        call.link(0, line(4_000_000));
        call.talk(8 * S);
        let start = told(&mut call, 0);

        assert_eq!(spatial(&start), Some(2), "seed {seed}: {start:?}");
        call.link(0, line(500_000));
        call.talk(2 * S);
        let down = told(&mut call, 0);

        assert!(spatial(&down) < Some(2), "seed {seed}: {down:?}");
        assert_eq!(
            down.last().map(|(_, reason, _)| *reason),
            Some(LayerReason::Bandwidth)
        );
        let stretch = call.talk(20 * S);

        let verdict = call.verdict(0, stretch);

        assert!(verdict.frozen < 0.1, "seed {seed}: {verdict:?}");
        call.link(0, line(4_000_000));
        call.talk(10 * S);
        let up = told(&mut call, 0);

        assert_eq!(spatial(&up), Some(2), "seed {seed}: {up:?}");
    }
}
