//! What arrived, when: delay and loss over all subscribers.
//!
//! A *flow* is one track of one publisher. Only packets sent inside the measured window of their flow
//! count. Loss is counted by packet number, per subscriber and flow, so that a retransmission heals it
//! and a duplicate does not hide it. What a subscriber should have got is every packet of every flow
//! that it ever got anything of.

use std::ops::Range;

use serde::Serialize;

use crate::frame::Stamp;

/// Receipts of all subscribers.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    subscribers: Vec<Subscriber>,
    /// Packet numbers to be measured, per flow.
    windows: Vec<Range<u32>>,
    delays: Histogram,
    /// Media packets received in all, measured or not.
    pub(crate) packets: u64,
    /// Bytes of the datagrams that carried them.
    pub(crate) bytes: u64,
}

/// The result of a window.
#[derive(Debug, Serialize)]
pub(crate) struct Delivery {
    /// Packets that should have arrived: sent in the window, times who takes them.
    pub(crate) expected: u64,
    /// Packets of the window that arrived, each once per subscriber.
    pub(crate) received: u64,
    /// Packets of the window that arrived more than once.
    pub(crate) duplicates: u64,
    /// Share of `expected` that never arrived, in percent.
    pub(crate) loss_percent: f64,
    /// Subscribers with any loss.
    pub(crate) lossy_subscribers: usize,
    /// Forwarding delay in milliseconds, from the publisher's session to the kernel's receive stamp.
    pub(crate) delay_p50_ms: f64,
    /// The same, 99th percentile.
    pub(crate) delay_p99_ms: f64,
    /// The longest.
    pub(crate) delay_max_ms: f64,
}

impl Tally {
    /// Room for one more subscriber, who is to get so many flows; its number.
    pub(crate) fn add_subscriber(&mut self, flows: usize) -> usize {
        self.subscribers.push(Subscriber {
            wanted: flows,
            flows: Vec::new(),
        });
        self.subscribers.len() - 1
    }

    /// Subscribers that have received something of all that they are to get.
    pub(crate) fn fed(&self) -> usize {
        let fed = |subscriber: &&Subscriber| subscriber.flows.len() >= subscriber.wanted;
        self.subscribers.iter().filter(fed).count()
    }

    /// Measure packets from these numbers on, one number per flow; what was measured before is forgotten.
    pub(crate) fn open_window(&mut self, firsts: &[u32]) {
        let flows = self.subscribers.iter_mut().flat_map(|one| &mut one.flows);
        flows.for_each(|(_, receipts)| *receipts = Receipts::default());
        self.delays = Histogram::default();
        self.windows = firsts.iter().map(|first| *first..u32::MAX).collect();
    }

    /// Measure no packet from these numbers on.
    pub(crate) fn close_window(&mut self, ends: &[u32]) {
        for (window, end) in self.windows.iter_mut().zip(ends) {
            window.end = *end;
        }
    }

    /// A packet arrived at `subscriber` at `now` (nanoseconds since the Unix epoch).
    pub(crate) fn record(&mut self, subscriber: usize, stamp: Stamp, now: u64, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
        let receipts = self.subscribers[subscriber].flow(stamp.flow);
        let Some(window) = self
            .windows
            .get(stamp.flow as usize)
            .filter(|window| window.contains(&stamp.index))
        else {
            return;
        };
        if receipts.mark(stamp.index - window.start) {
            self.delays.record(now.saturating_sub(stamp.sent));
        }
    }

    /// The result, once the window is closed and late packets have had their time.
    pub(crate) fn delivery(&self) -> Delivery {
        let sent = |flow: u32| {
            let window = self.windows.get(flow as usize);
            window.map_or(0, |window| u64::from(window.end - window.start))
        };
        let (mut expected, mut received, mut duplicates, mut lossy) = (0, 0, 0, 0);
        for subscriber in &self.subscribers {
            let all: u64 = subscriber.flows.iter().map(|(flow, _)| sent(*flow)).sum();
            let got: u64 = subscriber.flows.iter().map(|(_, one)| one.received).sum();
            expected += all;
            received += got;
            lossy += usize::from(got < all);
            duplicates += subscriber
                .flows
                .iter()
                .map(|(_, one)| one.duplicates)
                .sum::<u64>();
        }
        Delivery {
            expected,
            received,
            duplicates,
            loss_percent: 100.0 * expected.saturating_sub(received) as f64 / expected.max(1) as f64,
            lossy_subscribers: lossy,
            delay_p50_ms: self.delays.percentile(0.50),
            delay_p99_ms: self.delays.percentile(0.99),
            delay_max_ms: self.delays.longest as f64 / 1e6,
        }
    }
}

/// One subscriber and the flows that have reached it.
#[derive(Debug)]
struct Subscriber {
    wanted: usize,
    /// Few, so searched through.
    flows: Vec<(u32, Receipts)>,
}

impl Subscriber {
    fn flow(&mut self, flow: u32) -> &mut Receipts {
        let place = self.flows.iter().position(|(known, _)| *known == flow);
        let place = place.unwrap_or_else(|| {
            self.flows.push((flow, Receipts::default()));
            self.flows.len() - 1
        });
        &mut self.flows[place].1
    }
}

/// One flow at one subscriber: a bit per packet of the window.
#[derive(Debug, Default)]
struct Receipts {
    bits: Vec<u64>,
    received: u64,
    duplicates: u64,
}

impl Receipts {
    /// True the first time.
    fn mark(&mut self, offset: u32) -> bool {
        let (word, bit) = (offset as usize / 64, 1 << (offset % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let fresh = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        *(if fresh {
            &mut self.received
        } else {
            &mut self.duplicates
        }) += 1;
        fresh
    }
}

/// Delays in steps of 10 microseconds up to a second; what is longer counts as a second.
#[derive(Debug)]
struct Histogram {
    steps: Vec<u32>,
    longest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            steps: vec![0; STEPS],
            longest: 0,
        }
    }
}

impl Histogram {
    fn record(&mut self, nanos: u64) {
        self.longest = self.longest.max(nanos);
        let step = (nanos / STEP_NANOS).min(STEPS as u64 - 1);
        self.steps[step as usize] += 1;
    }

    /// In milliseconds; 0 when nothing was recorded.
    fn percentile(&self, share: f64) -> f64 {
        let total: u64 = self.steps.iter().map(|count| u64::from(*count)).sum();
        let rank = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        let step = self.steps.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank.max(1)
        });
        step.map_or(0.0, |step| (step as f64 + 0.5) * STEP_NANOS as f64 / 1e6)
    }
}

const STEP_NANOS: u64 = 10_000;
const STEPS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(flow: u32, index: u32) -> Stamp {
        Stamp {
            flow,
            index,
            sent: 0,
        }
    }

    #[test]
    fn loss_counts_each_packet_once_per_subscriber() {
        let mut tally = Tally::default();
        let (one, two) = (tally.add_subscriber(1), tally.add_subscriber(1));
        tally.open_window(&[10]);
        for index in 9..14 {
            tally.record(one, stamp(0, index), 1_000_000, 1200);
        }
        tally.record(two, stamp(0, 10), 2_000_000, 1200);
        tally.record(two, stamp(0, 10), 2_000_000, 1200);
        tally.close_window(&[14]);
        let delivery = tally.delivery();
        assert_eq!(
            (delivery.expected, delivery.received, delivery.duplicates),
            (8, 5, 1)
        );
        assert!((delivery.loss_percent - 37.5).abs() < 1e-9);
        assert_eq!((delivery.lossy_subscribers, tally.fed()), (1, 2));
    }

    #[test]
    fn a_second_window_knows_nothing_of_the_first() {
        let mut tally = Tally::default();
        let one = tally.add_subscriber(1);
        tally.open_window(&[0]);
        tally.record(one, stamp(0, 0), 5_000_000, 1200);
        tally.close_window(&[2]);
        assert_eq!(tally.delivery().received, 1);
        tally.open_window(&[2]);
        tally.record(one, stamp(0, 2), 1_000_000, 1200);
        tally.close_window(&[3]);
        let delivery = tally.delivery();
        assert_eq!((delivery.expected, delivery.received), (1, 1));
        assert!(delivery.delay_max_ms < 2.0);
        assert!(Tally::default().delivery().loss_percent.abs() < 1e-9);
    }

    #[test]
    fn a_flow_that_falls_silent_is_missed() {
        let mut tally = Tally::default();
        let one = tally.add_subscriber(2);
        tally.record(one, stamp(0, 0), 0, 100);
        assert_eq!(tally.fed(), 0, "one of two");
        tally.record(one, stamp(2, 0), 0, 100);
        assert_eq!(tally.fed(), 1);
        tally.open_window(&[1, 1, 1]);
        tally.record(one, stamp(0, 1), 0, 100);
        tally.close_window(&[2, 9, 5]);
        let delivery = tally.delivery();
        // One packet of the first flow, four of the third; the second is not its business.
        assert_eq!((delivery.expected, delivery.received), (5, 1));
    }

    #[test]
    fn percentiles_follow_the_ranks() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|millis| histogram.record(millis * 1_000_000));
        assert!((histogram.percentile(0.50) - 50.0).abs() < 0.02);
        assert!((histogram.percentile(0.99) - 99.0).abs() < 0.02);
        assert_eq!(Histogram::default().percentile(0.5), 0.0);
    }
}
