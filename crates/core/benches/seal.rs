//! What sealing and opening one packet of 1,200 bytes costs, in nanoseconds of CPU, by profile, and
//! what the cipher alone costs beside it.
//!
//! `cargo bench --profile measure --bench seal`; compare the figures of one run with each other.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use headwater_core::srtp::{Keys, Opener, Profile, Sealer, Side};

fn main() {
    println!("ns per packet     seal   open   seal a report");
    for profile in [
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes128CmSha1_80,
    ] {
        let (seal, open, report) = (seal(profile), open(profile), report(profile));
        println!(
            "{:<17} {seal:>5.0} {open:>6.0} {report:>8.0}",
            profile.name()
        );
    }
    println!("AES-128-GCM alone {:>5.0}", cipher());
}

/// A hundred subscribers take turns, ten packets each: the keys are not all in the nearest cache.
fn seal(profile: Profile) -> f64 {
    let mut sealers: Vec<_> = (0..SUBSCRIBERS).map(|_| both(profile).0).collect();
    let mut slab = slab();
    let mut sequence = 0_u64;
    per_packet(|| {
        for sealer in &mut sealers {
            for (at, packet) in slab.chunks_exact_mut(SLOT).enumerate() {
                let number = sequence + at as u64;
                packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
                sealer
                    .seal_rtp(HEADER, PAYLOAD, packet, number)
                    .expect("a new number");
            }
        }
        sequence += BURST as u64;
        SUBSCRIBERS * BURST
    })
}

fn open(profile: Profile) -> f64 {
    let (mut sealer, _) = both(profile);
    let sealed: Vec<Vec<u8>> = (0..10_000_u64)
        .map(|number| {
            let mut packet = slab()[..SLOT].to_vec();
            packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
            let len = sealer.seal_rtp(HEADER, PAYLOAD, &mut packet, number);
            packet.truncate(len.expect("a new number"));
            packet
        })
        .collect();
    let mut packet = vec![0; SLOT];
    per_packet(|| {
        let (_, mut opener) = both(profile);
        for sealed in &sealed {
            packet[..sealed.len()].copy_from_slice(sealed);
            let opened = opener.open_rtp(&mut packet[..sealed.len()]);
            assert!(opened.is_ok());
        }
        sealed.len()
    })
}

fn report(profile: Profile) -> f64 {
    let (mut sealer, _) = both(profile);
    let mut packet = [0; 128];
    per_packet(|| {
        for _ in 0..1_000 {
            packet[0] = 0x80;
            sealer.seal_rtcp(64, &mut packet).expect("room");
        }
        1_000
    })
}

fn cipher() -> f64 {
    let keys: Vec<_> = (0..SUBSCRIBERS)
        .map(|at| {
            LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[at as u8; 16]).expect("16 bytes"))
        })
        .collect();
    let (mut slab, mut counter) = (slab(), 0_u64);
    per_packet(|| {
        for key in &keys {
            for packet in slab.chunks_exact_mut(SLOT) {
                counter += 1;
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&counter.to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let (header, rest) = packet.split_at_mut(HEADER);
                let (text, tag) = rest.split_at_mut(PAYLOAD);
                let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), text);
                tag.copy_from_slice(sealed.expect("within limits").as_ref());
            }
        }
        SUBSCRIBERS * BURST
    })
}

fn both(profile: Profile) -> (Sealer, Opener) {
    let material: Vec<u8> = (0..profile.keying_material() as u8).collect();
    // Both of one direction, so that one opens what the other seals.
    let (ours, _) = Keys::from_dtls(profile, &material, Side::Client).expect("enough");
    (Sealer::new(&ours), Opener::new(&ours))
}

fn slab() -> Vec<u8> {
    let mut packet = vec![0x55; SLOT];
    packet[0] = 0x80;
    packet.repeat(BURST)
}

/// The best of three runs of 300 ms, in nanoseconds of this thread's CPU time.
fn per_packet(mut work: impl FnMut() -> usize) -> f64 {
    work();
    let run = |_| {
        let (begun, mut packets) = (cpu(), 0);
        while cpu() - begun < 300_000_000 {
            packets += work();
        }
        (cpu() - begun) as f64 / packets as f64
    };
    (0..3).map(run).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds that this thread has run, as Linux counts them.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let first = text.split_whitespace().next();
    first.and_then(|ns| ns.parse().ok()).expect("a number")
}

const SUBSCRIBERS: usize = 100;
const BURST: usize = 10;
const HEADER: usize = 12;
const PAYLOAD: usize = 1_172;
const SLOT: usize = HEADER + PAYLOAD + 16;
