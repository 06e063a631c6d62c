//! `headwater-lab echo` and `headwater-lab probe`: is the emulated link what it says it is?
//!
//! The echo answers every datagram; the probe sends one every 5 ms and prints the round trips it
//! saw. Both run ahead of ordinary programs, so that what they find is the link's doing.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser, ValueExt};
use serde::Serialize;

use crate::Failure;
use crate::sys;

/// Answer datagrams at an address until killed.
pub(crate) fn serve(mut parser: Parser) -> Result<(), Failure> {
    let address: SocketAddr = parser.value()?.parse()?;
    let socket = UdpSocket::bind(address)?;
    sys::become_urgent();
    println!("{}", serde_json::json!({ "event": "ready" }));
    let mut buffer = [0; 2048];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let _ = socket.send_to(&buffer[..length], from);
    }
}

#[derive(Serialize)]
struct Found {
    sent: usize,
    answered: usize,
    p50_ms: f64,
    p99_ms: f64,
    /// By how much the round trip differs from its median, at the 99th percentile.
    error_p99_ms: f64,
}

/// Measure round trips to an echo.
pub(crate) fn probe(mut parser: Parser) -> Result<(), Failure> {
    let (mut address, mut count, mut expected) = (None, 400, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("count") => count = parser.value()?.parse()?,
            Arg::Long("expected-ms") => expected = Some(parser.value()?.parse::<f64>()?),
            Arg::Value(value) => address = Some(value.parse::<SocketAddr>()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let address = address.ok_or("probe needs the address of an echo")?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    sys::become_urgent();
    let mut trips = measure(&socket, count)?;
    trips.sort_by(f64::total_cmp);
    let at = |sorted: &[f64], share: f64| {
        let index = (sorted.len() as f64 * share) as usize;
        let found = sorted.get(index.min(sorted.len().saturating_sub(1)));
        found.copied().unwrap_or(f64::MAX)
    };
    let median = at(&trips, 0.5);
    let expected = expected.unwrap_or(median);
    let mut errors: Vec<f64> = trips.iter().map(|trip| (trip - expected).abs()).collect();
    errors.sort_by(f64::total_cmp);
    let found = Found {
        sent: count,
        answered: trips.len(),
        p50_ms: median,
        p99_ms: at(&trips, 0.99),
        error_p99_ms: at(&errors, 0.99),
    };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

/// Round trips in milliseconds of those that were answered within a second.
fn measure(socket: &UdpSocket, count: usize) -> Result<Vec<f64>, Failure> {
    let begun = Instant::now();
    let mut sent = Vec::with_capacity(count);
    let mut trips = Vec::with_capacity(count);
    let mut buffer = [0; 64];
    let end = begun + EVERY * count as u32 + Duration::from_secs(1);
    while Instant::now() < end && trips.len() < count {
        let due = begun + EVERY * sent.len() as u32;
        if sent.len() < count && Instant::now() >= due {
            socket.send(&(sent.len() as u64).to_be_bytes())?;
            sent.push(Instant::now());
            continue;
        }
        let next = if sent.len() < count { due } else { end };
        let wait = next.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(wait.max(Duration::from_micros(100))))?;
        match socket.recv(&mut buffer) {
            Ok(8) => {
                let number = u64::from_be_bytes(*buffer.first_chunk().ok_or("short")?);
                let at = sent.get(number as usize).ok_or("not sent")?;
                trips.push(at.elapsed().as_secs_f64() * 1e3);
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(trips)
}

/// Distance between two datagrams.
const EVERY: Duration = Duration::from_millis(5);
