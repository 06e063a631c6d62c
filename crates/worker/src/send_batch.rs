//! Gathers consecutive datagrams of one flow and one size into a run that leaves in one GSO call.
//!
//! The last datagram of a run may be shorter; it ends the run. The kernel takes at most 64 segments
//! and 64 KB at once. One buffer is reused for all runs.

use std::net::{IpAddr, SocketAddr};

use headwater_core::{Socket, Transmit};

use crate::udp::Run;

/// The run being gathered.
#[derive(Debug)]
pub(crate) struct SendBatch {
    flow: Option<Flow>,
    buffer: Vec<u8>,
    segment: usize,
    /// A shorter datagram has ended the run.
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Flow {
    socket: Socket,
    source: Option<IpAddr>,
    destination: SocketAddr,
}

impl SendBatch {
    pub(crate) fn new() -> Self {
        Self {
            flow: None,
            buffer: Vec::with_capacity(MAX_BYTES),
            segment: 0,
            ended: false,
        }
    }

    /// Add a datagram. False when it does not continue the run: take the run first.
    pub(crate) fn push(&mut self, transmit: &Transmit) -> bool {
        let flow = Flow {
            socket: transmit.socket,
            source: transmit.source.map(|source| source.ip()),
            destination: transmit.destination,
        };
        let size = transmit.contents.len();
        if size == 0 {
            return true; // nothing in WebRTC is empty
        }
        if self.flow.is_none() {
            self.flow = Some(flow);
            self.segment = size;
            self.ended = false;
        } else if self.flow != Some(flow)
            || self.ended
            || size > self.segment
            || self.buffer.len() + size > MAX_BYTES
            || self.buffer.len() >= self.segment * MAX_SEGMENTS
        {
            return false;
        } else {
            self.ended = size < self.segment;
        }
        self.buffer.extend_from_slice(&transmit.contents);
        true
    }

    /// The gathered run and its socket. Call [`Self::clear`] when it has been sent.
    pub(crate) fn run(&self) -> Option<(Socket, Run<'_>)> {
        let flow = self.flow?;
        let run = Run {
            source: flow.source,
            destination: flow.destination,
            contents: &self.buffer,
            segment: self.segment,
        };
        Some((flow.socket, run))
    }

    pub(crate) fn clear(&mut self) {
        self.flow = None;
        self.buffer.clear();
    }
}

/// `UDP_MAX_SEGMENTS` of older kernels; newer ones take 128.
const MAX_SEGMENTS: usize = 64;
/// Below 65,535 by the largest IP and UDP headers.
const MAX_BYTES: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn transmit(port: u16, size: usize) -> Transmit {
        Transmit {
            socket: Socket::Media,
            source: None,
            destination: SocketAddr::from(([127, 0, 0, 1], port)),
            contents: vec![7; size],
        }
    }

    /// Sizes of the runs that a sequence of (port, size) leaves in.
    fn runs(datagrams: &[(u16, usize)]) -> Vec<(u16, usize, usize)> {
        let mut batch = SendBatch::new();
        let mut runs = Vec::new();
        let mut take = |batch: &mut SendBatch| {
            if let Some((_, run)) = batch.run() {
                runs.push((run.destination.port(), run.segment, run.contents.len()));
            }
            batch.clear();
        };
        for &(port, size) in datagrams {
            let transmit = transmit(port, size);
            if !batch.push(&transmit) {
                take(&mut batch);
                assert!(batch.push(&transmit));
            }
        }
        take(&mut batch);
        runs
    }

    #[test]
    fn equal_datagrams_to_one_destination_are_one_run() {
        assert_eq!(runs(&[(1, 1200); 9]), [(1, 1200, 10_800)]);
    }

    #[test]
    fn a_shorter_datagram_ends_its_run() {
        assert_eq!(
            runs(&[(1, 1200), (1, 1200), (1, 300), (1, 300)]),
            [(1, 1200, 2700), (1, 300, 300)]
        );
    }

    #[test]
    fn a_longer_datagram_or_another_destination_begins_a_run() {
        let expected = [(1, 100, 100), (1, 200, 200), (2, 200, 200)];
        assert_eq!(runs(&[(1, 100), (1, 200), (2, 200)]), expected);
    }

    #[test]
    fn a_run_keeps_the_kernels_bounds() {
        assert_eq!(runs(&[(1, 10); 65]), [(1, 10, 640), (1, 10, 10)]);
        assert_eq!(runs(&[(1, 1400); 50]), [(1, 1400, 64_400), (1, 1400, 5600)]);
    }
}
