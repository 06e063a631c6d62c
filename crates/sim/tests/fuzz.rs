//! Replays the fuzz corpus, then mutates it for a while with a printed seed, on stable Rust.
//!
//! `HEADWATER_FUZZ_SECONDS` (default 20, shared by all targets) and `HEADWATER_FUZZ_SEED` steer it.
//! Coverage-guided runs: `cargo fuzz run --fuzz-dir crates/sim/fuzz <target>`.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater_sim::fuzz;

/// Its name, which is its corpus's too, and what takes its inputs.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 11] = [
    ("datagrams", fuzz::datagrams),
    ("sdp", fuzz::sdp),
    ("candidate", fuzz::candidate),
    ("payloads", fuzz::payloads),
    ("rtcp", fuzz::rtcp),
    ("srtp", fuzz::srtp),
    ("descriptors", fuzz::descriptors),
    ("parameters", fuzz::parameters),
    ("switches", fuzz::switches),
    ("history", fuzz::history),
    ("feedback", fuzz::feedback),
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a readable file"))
        .collect()
}

/// One to four random edits: flip, insert, delete, splice with another seed, repeat, truncate.
fn mutate(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.u8(1..=4) {
        let at = random.usize(..=data.len());
        let end = at + random.usize(..=(data.len() - at).min(64));
        match random.u8(..7) {
            0 if at < data.len() => data[at] ^= 1 << random.u8(..8),
            1 => data.insert(at, random.u8(..)),
            2 => drop(data.drain(at..end)),
            3 => {
                let other = &seeds[random.usize(..seeds.len())];
                let from = random.usize(..=other.len());
                data.splice(at..end, other[from..].iter().copied());
            }
            4 => {
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            5 => data.truncate(at),
            _ if at < data.len() => data[at] = [0, 0x7f, 0x80, 0xff][random.usize(..4)],
            _ => {}
        }
        data.truncate(200_000);
    }
    data
}

/// Every target can be run by `cargo fuzz` too, which knows what its own manifest lists.
#[test]
fn every_target_is_one_of_cargo_fuzz() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    for (name, _) in TARGETS {
        let path = format!("targets/{name}.rs");
        assert!(manifest.contains(&format!("path = \"{path}\"")), "{name}");
        let source = std::fs::read_to_string(folder.join(path)).expect("a source file");
        assert!(source.contains(&format!("fuzz::{name}(")), "{name}");
    }
}

#[test]
fn no_input_of_the_corpus_harms_the_core() {
    for (name, target) in TARGETS {
        let seeds = corpus(name);
        assert!(!seeds.is_empty(), "the corpus of {name} is empty");
        for seed in &seeds {
            target(seed);
        }
    }
}

#[test]
fn no_mutation_of_the_corpus_harms_the_core() {
    let env = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let seconds = env("HEADWATER_FUZZ_SECONDS").unwrap_or(20);
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |time| time.as_secs())
    };
    let seed = env("HEADWATER_FUZZ_SEED").unwrap_or_else(clock);
    println!("HEADWATER_FUZZ_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for (name, target) in TARGETS {
        let seeds = corpus(name);
        let end = Instant::now() + Duration::from_secs(seconds) / TARGETS.len() as u32;
        let mut runs = 0_u64;
        // A busy machine has less time for more, and none for a run that means nothing.
        while Instant::now() < end || runs < FEWEST {
            let data = mutate(&mut random, &seeds);
            let outcome = catch_unwind(|| target(&data));
            if outcome.is_err() {
                let file = std::env::temp_dir().join(format!("headwater-fuzz-{name}-{seed}"));
                std::fs::write(&file, &data).expect("a writable temporary folder");
                panic!(
                    "{name} failed with seed {seed}; input kept in {}",
                    file.display()
                );
            }
            runs += 1;
        }
        println!("{name}: {runs} inputs");
    }
}

const FEWEST: u64 = 25;
