//! What a forwarded packet costs when nothing is done but seal it and send it.
//!
//! Three figures, each in CPU microseconds of the working thread per 1200-byte packet: sealing
//! alone (in place, one key per subscriber), sending alone, and both. Sending goes to 100 live
//! readers on loopback in turn: a burst of nine packets in one call (GSO), or one packet per call
//! (`spread`, as a server must when packets come one by one). The readers drain between rounds, so
//! that no datagram is dropped: a drop is cheaper than a delivery and would flatter the floor. They
//! never sleep, because waking a core that idles costs as much as a packet and comes and goes with
//! what else the machine does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;
use str0m::crypto::CryptoProvider;

use crate::clock::{Core, stay_on, thread_cpu};
use crate::socket::Socket;

/// The floor of this machine. Costs are CPU microseconds per packet.
#[derive(Debug, Serialize)]
pub(crate) struct Floor {
    /// Bytes of a datagram.
    pub(crate) packet_bytes: usize,
    /// Packets in a burst.
    pub(crate) burst: usize,
    /// Sockets that take turns as destination.
    pub(crate) destinations: usize,
    /// AES-128-GCM in place.
    pub(crate) seal: f64,
    /// AES-256-GCM in place.
    pub(crate) seal_aes256: f64,
    /// AES-128-CM and HMAC-SHA1-80, as str0m's provider does it.
    pub(crate) seal_cm_sha1: f64,
    /// A burst in one call.
    pub(crate) send_burst: f64,
    /// One packet in one call.
    pub(crate) send_single: f64,
    /// AES-128-GCM and a burst in one call: the floor for bursts.
    pub(crate) burst_total: f64,
    /// AES-128-GCM and one packet in one call: the floor for spread packets.
    pub(crate) spread_total: f64,
    /// As `burst_total`, with receive offload at the readers: not a floor of any network.
    pub(crate) burst_total_gro: f64,
}

/// Measure for about `seconds` in all.
pub(crate) fn measure(seconds: f64) -> io::Result<Floor> {
    let step = Duration::from_secs_f64(seconds / 8.0);
    let live = Readers::start(false)?;
    let with_gro = Readers::start(true)?;
    stay_on(Core::First);
    let floor = Floor {
        packet_bytes: PACKET,
        burst: BURST,
        destinations: DESTINATIONS,
        seal: seal_only(&AES_128_GCM, step),
        seal_aes256: seal_only(&AES_256_GCM, step),
        seal_cm_sha1: cm_sha1_only(step),
        send_burst: send(&live, None, BURST, step)?,
        send_single: send(&live, None, 1, step)?,
        burst_total: send(&live, Some(&AES_128_GCM), BURST, step)?,
        spread_total: send(&live, Some(&AES_128_GCM), 1, step)?,
        burst_total_gro: send(&with_gro, Some(&AES_128_GCM), BURST, step)?,
    };
    Ok(floor)
}

/// Sealing keys and a burst of plain packets, laid out for one send.
struct Slab {
    keys: Vec<LessSafeKey>,
    bytes: Vec<u8>,
    counter: u64,
}

impl Slab {
    fn new(algorithm: &'static Algorithm) -> Self {
        let keys = (0..DESTINATIONS)
            .map(|_| {
                let key: Vec<u8> = (0..algorithm.key_len()).map(|_| fastrand::u8(..)).collect();
                // The key has the length that the algorithm itself names.
                LessSafeKey::new(
                    UnboundKey::new(algorithm, &key).expect("a key of the right length"),
                )
            })
            .collect();
        Self {
            keys,
            bytes: vec![0x55; PACKET * BURST],
            counter: 0,
        }
    }

    /// Seal the first `packets` packets with the key of subscriber `destination`.
    fn seal(&mut self, destination: usize, packets: usize) {
        let key = &self.keys[destination];
        for packet in self.bytes.chunks_exact_mut(PACKET).take(packets) {
            self.counter += 1;
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
            let (header, rest) = packet.split_at_mut(HEADER);
            header[..8].copy_from_slice(&self.counter.to_be_bytes());
            let (payload, tag) = rest.split_at_mut(PACKET - HEADER - TAG);
            let nonce = Nonce::assume_unique_for_key(nonce);
            let sealed = key
                .seal_in_place_separate_tag(nonce, Aad::from(&*header), payload)
                .expect("1200 bytes are within the limits of GCM");
            tag.copy_from_slice(sealed.as_ref());
        }
    }
}

fn seal_only(algorithm: &'static Algorithm, time: Duration) -> f64 {
    let mut slab = Slab::new(algorithm);
    per_packet(time, || {
        (0..DESTINATIONS).for_each(|destination| slab.seal(destination, BURST));
        DESTINATIONS * BURST
    })
}

/// The profile that a peer without AEAD gets, through the provider that str0m itself calls.
fn cm_sha1_only(time: Duration) -> f64 {
    let provider: CryptoProvider = str0m::crypto::from_feature_flags();
    let mut cipher = provider
        .srtp_provider
        .aes_128_cm_sha1_80()
        .create_cipher([7; 16], true);
    let (plain, mut sealed) = (vec![0x55; PACKET], vec![0; PACKET]);
    let mut counter = 0_u128;
    per_packet(time, || {
        for _ in 0..BURST * DESTINATIONS {
            counter += 1 << 16;
            let body = PACKET - SHA1_TAG;
            sealed[..HEADER].copy_from_slice(&plain[..HEADER]);
            cipher
                .encrypt(
                    &counter.to_be_bytes(),
                    &plain[HEADER..body],
                    &mut sealed[HEADER..body],
                )
                .expect("counter mode takes any length");
            let tag = provider
                .sha1_hmac_provider
                .sha1_hmac(&[9; 20], &[&sealed[..body], &[0; 4]]);
            sealed[body..].copy_from_slice(&tag[..SHA1_TAG]);
        }
        BURST * DESTINATIONS
    })
}

/// Run `work` for `time`; it answers how many packets it did. CPU microseconds per packet.
fn per_packet(time: Duration, mut work: impl FnMut() -> usize) -> f64 {
    work();
    let (begun, cpu) = (Instant::now(), thread_cpu());
    let mut packets = 0;
    while begun.elapsed() < time {
        packets += work();
    }
    micros(thread_cpu() - cpu, packets)
}

/// Send bursts of `packets` to the readers in turn, sealed when an algorithm is given.
fn send(
    readers: &Readers,
    algorithm: Option<&'static Algorithm>,
    packets: usize,
    time: Duration,
) -> io::Result<f64> {
    let socket = Socket::bind(false)?;
    let mut slab = Slab::new(algorithm.unwrap_or(&AES_128_GCM));
    let (begun, mut used, mut sent) = (Instant::now(), Duration::ZERO, 0_usize);
    while begun.elapsed() < time {
        let before = readers.received();
        let cpu = thread_cpu();
        for (index, destination) in readers.addresses.iter().enumerate() {
            if algorithm.is_some() {
                slab.seal(index, packets);
            }
            let segment = (packets > 1).then_some(PACKET);
            socket.send(*destination, &slab.bytes[..PACKET * packets], segment)?;
        }
        used += thread_cpu() - cpu;
        let round = readers.addresses.len() * packets;
        sent += round;
        readers.wait_for(before + round as u64)?;
    }
    Ok(micros(used, sent))
}

fn micros(time: Duration, packets: usize) -> f64 {
    time.as_secs_f64() * 1e6 / packets.max(1) as f64
}

/// A thread that reads every destination socket, as a generator's subscribers do.
struct Readers {
    addresses: Vec<SocketAddr>,
    received: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Readers {
    fn start(gro: bool) -> io::Result<Self> {
        let sockets = (0..DESTINATIONS)
            .map(|_| Socket::bind(gro))
            .collect::<io::Result<Vec<_>>>()?;
        let addresses = sockets.iter().map(|socket| socket.address).collect();
        let (received, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (counter, end) = (Arc::clone(&received), Arc::clone(&stop));
        let poll = Poll::new()?;
        let thread = thread::spawn(move || {
            stay_on(Core::Last);
            drain(poll, sockets, &counter, &end);
        });
        Ok(Self {
            addresses,
            received,
            stop,
            thread: Some(thread),
        })
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// Sleep (which costs no CPU time) until everything sent has been read.
    fn wait_for(&self, total: u64) -> io::Result<()> {
        let deadline = Instant::now() + DRAIN_LIMIT;
        while self.received() < total {
            if Instant::now() > deadline {
                return Err(io::Error::other(
                    "datagrams were lost on loopback: the floor would be too low",
                ));
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn drain(mut poll: Poll, mut sockets: Vec<Socket>, received: &AtomicU64, stop: &AtomicBool) {
    for (index, socket) in sockets.iter_mut().enumerate() {
        // A fresh epoll takes a fresh descriptor unless the system is out of memory.
        poll.registry()
            .register(&mut socket.io, Token(index), Interest::READABLE)
            .expect("a poll entry");
    }
    let mut events = Events::with_capacity(DESTINATIONS);
    let mut buffer = vec![0; 1 << 16];
    while !stop.load(Ordering::Acquire) {
        if poll
            .poll(&mut events, Some(Duration::from_millis(50)))
            .is_err()
        {
            continue;
        }
        for event in &events {
            let socket = &sockets[event.token().0];
            let mut count = 0;
            while let Ok(len) = socket.io.recv(&mut buffer) {
                count += len.div_ceil(PACKET) as u64;
            }
            received.fetch_add(count, Ordering::AcqRel);
        }
    }
}

const PACKET: usize = 1200;
const BURST: usize = 9;
const DESTINATIONS: usize = 100;
const HEADER: usize = 12;
const TAG: usize = 16;
const SHA1_TAG: usize = 10;
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
