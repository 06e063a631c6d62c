//! An hour of a subscriber whose layers change all the time: no number is sealed twice, and nothing
//! that the subscriber sees jumps.

use std::time::Instant;

use headwater_core::fuzzing::switches;

/// Three encodings at 25 pictures a second with temporal layers, a decision every 200 ms.
fn hour(seed: u64, lossy: bool) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut script = vec![u8::from(lossy)];
    for picture in 0..3_600 * 25_u32 {
        if picture % 5 == 0 {
            // Mostly another target; now and then a pause, a wish, or a silence.
            let kind = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4][random.usize(..10)];
            script.extend([3 | kind << 2, random.u8(..)]);
        }
        let temporal = [0, 2, 1, 2][picture as usize % 4];
        for encoding in 0..3 {
            let key = picture == 0 || random.u8(..) < 10;
            let packets = random.u8(..2) << 6;
            let how = encoding | u8::from(key) << 2 | temporal << 3 | 0x20 | packets;
            // 13 ms each; of what is lossy an eighth is lost, late, or doubled.
            let fate = random.u8(..8).max(u8::from(!lossy) * 3) << 5;
            let release = u8::from(random.u8(..4) == 0) << 4;
            script.extend([how, fate | release | 12]);
        }
    }
    script
}

#[test]
fn an_hour_of_switches_repeats_no_number() {
    for (seed, lossy) in [(1, false), (2, true)] {
        let sent = switches(Instant::now(), &hour(seed, lossy));
        assert!(sent > 30_000, "{sent} packets: the hour shows nothing");
    }
}
