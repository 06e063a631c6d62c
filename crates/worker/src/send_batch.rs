//! Gathers consecutive datagrams of one flow and one size into a run that leaves in one GSO call.
//!
//! The last datagram of a run may be shorter; it ends the run. The kernel takes at most 64 segments
//! and 64 KB at once. One buffer is reused for all runs; datagrams are written into it where they
//! are made (`headwater_core::sink`), so room is lent first and counts once it is committed.

use std::net::{IpAddr, SocketAddr};

use headwater_core::Socket;

use crate::udp::Run;

/// The run being gathered.
#[derive(Debug)]
pub(crate) struct SendBatch {
    flow: Flow,
    /// Always of full length: what is not filled is room to lend.
    buffer: Box<[u8]>,
    filled: usize,
    segment: usize,
    /// A shorter datagram has ended the run.
    ended: bool,
    /// What `commit` is about.
    lent: Lent,
}

/// Where datagrams go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flow {
    socket: Socket,
    source: Option<IpAddr>,
    destination: SocketAddr,
}

#[derive(Clone, Copy, Debug)]
struct Lent {
    flow: Flow,
    len: usize,
}

impl Flow {
    /// `source` is the local address to send from, where one is known.
    pub(crate) fn new(socket: Socket, source: Option<SocketAddr>, destination: SocketAddr) -> Self {
        Self {
            socket,
            source: source.map(|source| source.ip()),
            destination,
        }
    }
}

impl SendBatch {
    pub(crate) fn new() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let flow = Flow::new(Socket::Media, None, nowhere);
        Self {
            flow,
            buffer: vec![0; MAX_BYTES].into_boxed_slice(),
            filled: 0,
            segment: 0,
            ended: false,
            lent: Lent { flow, len: 0 },
        }
    }

    /// Whether nothing was committed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Whether a datagram continues the run. If not, send the run first.
    pub(crate) fn fits(&self, flow: Flow, len: usize) -> bool {
        self.filled == 0
            || (self.flow == flow
                && !self.ended
                && len <= self.segment
                && self.filled + len <= MAX_BYTES
                && self.filled < self.segment * MAX_SEGMENTS)
    }

    /// Room for a datagram that fits.
    ///
    /// # Panics
    /// When the datagram is longer than any there is.
    pub(crate) fn lend(&mut self, flow: Flow, len: usize) -> &mut [u8] {
        self.lent = Lent { flow, len };
        &mut self.buffer[self.filled..self.filled + len]
    }

    /// The datagram in the room lent last is complete.
    pub(crate) fn commit(&mut self) {
        let Lent { flow, len } = self.lent;
        if self.filled == 0 {
            self.flow = flow;
            self.segment = len;
            self.ended = false;
        } else {
            self.ended = len < self.segment;
        }
        self.filled += len;
        self.lent.len = 0;
    }

    /// The gathered run and its socket. Call [`Self::clear`] when it has been sent.
    pub(crate) fn run(&self) -> Option<(Socket, Run<'_>)> {
        if self.filled == 0 {
            return None;
        }
        let run = Run {
            source: self.flow.source,
            destination: self.flow.destination,
            contents: &self.buffer[..self.filled],
            segment: self.segment,
        };
        Some((self.flow.socket, run))
    }

    pub(crate) const fn clear(&mut self) {
        self.filled = 0;
    }
}

/// `UDP_MAX_SEGMENTS` of older kernels; newer ones take 128.
const MAX_SEGMENTS: usize = 64;
/// Below 65,535 by the largest IP and UDP headers.
const MAX_BYTES: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16) -> Flow {
        Flow::new(
            Socket::Media,
            None,
            SocketAddr::from(([127, 0, 0, 1], port)),
        )
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
            if !batch.fits(flow(port), size) {
                take(&mut batch);
                assert!(batch.fits(flow(port), size));
            }
            batch.lend(flow(port), size).fill(7);
            batch.commit();
        }
        take(&mut batch);
        runs
    }

    #[test]
    fn what_is_not_committed_is_not_sent() {
        let mut batch = SendBatch::new();
        batch.lend(flow(1), 1200).fill(1);
        assert!(batch.run().is_none());
        batch.lend(flow(2), 100).fill(2);
        batch.commit();
        batch.lend(flow(2), 100).fill(3);
        let (_, run) = batch.run().expect("one datagram");
        assert_eq!((run.contents, run.segment), (&[2; 100][..], 100));
        assert_eq!(run.destination.port(), 2);
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
