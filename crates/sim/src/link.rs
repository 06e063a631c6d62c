//! One link: delay, jitter, random and bursty loss, duplication, a rate limit with a queue counted
//! in bytes, and a switch.
//!
//! A datagram meets, in this order: the switch, the loss, the queue, the delay. [`Link`] says what
//! happens from now on and may change at any time; [`Direction`] is what one direction of it
//! remembers. The same code carries simulated datagrams and, in the impairment lab, real ones.

use std::time::{Duration, Instant};

/// What a link does to datagrams, in either direction.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// One-way delay.
    pub delay: Duration,
    /// Added to the delay, uniformly from zero; reorders when larger than the packet spacing.
    pub jitter: Duration,
    /// Jitter keeps the order, as radio links do; a late datagram then holds up the next ones.
    pub ordered: bool,
    /// Share of datagrams lost at random, 0 to 1.
    pub loss: f64,
    /// Gilbert-Elliott: chance per datagram to enter the bad state, where all is lost.
    pub burst_enter: f64,
    /// Gilbert-Elliott: chance per datagram to leave the bad state.
    pub burst_leave: f64,
    /// Share of datagrams delivered twice, 0 to 1.
    pub duplicate: f64,
    /// Rate in bit/s; 0 is unlimited.
    pub rate: u64,
    /// Bytes that may wait for the rate limit; more are dropped.
    pub queue: usize,
    /// Largest datagram in bytes; 0 is unlimited.
    pub mtu: usize,
    /// Nothing gets through.
    pub down: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self::CLEAN.delayed(Duration::from_millis(5))
    }
}

impl Link {
    /// A link that does nothing, at once.
    pub const CLEAN: Self = Self {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        ordered: false,
        loss: 0.0,
        burst_enter: 0.0,
        burst_leave: 0.5,
        duplicate: 0.0,
        rate: 0,
        queue: 256 * 1024,
        mtu: 0,
        down: false,
    };

    /// A link that loses this share of datagrams at random.
    #[must_use]
    pub fn lossy(loss: f64) -> Self {
        Self {
            loss,
            ..Self::default()
        }
    }

    /// This link with another one-way delay.
    #[must_use]
    pub const fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// A crowded wireless network: 5 Mbit/s, 20 ms of jitter that keeps the order, and a tenth of
    /// the datagrams lost, two in a row on average.
    #[must_use]
    pub fn wifi_congested() -> Self {
        Self {
            jitter: Duration::from_millis(20),
            ordered: true,
            burst_enter: 0.1 / 0.9 * 0.5,
            burst_leave: 0.5,
            rate: 5_000_000,
            queue: 64 * 1024,
            ..Self::default()
        }
    }

    /// When a datagram of `size` bytes, sent now, arrives; `None` when it is lost.
    pub fn carry(
        &self,
        direction: &mut Direction,
        random: &mut fastrand::Rng,
        now: Instant,
        size: usize,
    ) -> Option<Instant> {
        if self.down || (self.mtu > 0 && size > self.mtu) || self.loses(direction, random) {
            return None;
        }
        let leaves = self.leaves(direction, now, size)?;
        let mut arrives = leaves + self.delay + self.jitter.mul_f64(random.f64());
        if self.ordered {
            arrives = arrives.max(direction.last_arrival.unwrap_or(arrives));
            direction.last_arrival = Some(arrives);
        }
        Some(arrives)
    }

    /// Whether a datagram that was carried is to be delivered a second time.
    #[must_use]
    pub fn repeats(&self, random: &mut fastrand::Rng) -> bool {
        self.duplicate > 0.0 && random.f64() < self.duplicate
    }

    fn loses(&self, direction: &mut Direction, random: &mut fastrand::Rng) -> bool {
        let flip = if direction.bad {
            self.burst_leave
        } else {
            self.burst_enter
        };
        if random.f64() < flip {
            direction.bad = !direction.bad;
        }
        direction.bad && self.burst_enter > 0.0 || random.f64() < self.loss
    }

    /// When the rate limit lets it out; `None` when the queue is full.
    fn leaves(&self, direction: &mut Direction, now: Instant, size: usize) -> Option<Instant> {
        if self.rate == 0 {
            return Some(now);
        }
        let start = direction.busy_until.map_or(now, |busy| busy.max(now));
        let waiting = start.duration_since(now).as_secs_f64() * self.rate as f64 / 8.0;
        if waiting as usize + size > self.queue {
            return None;
        }
        let leaves = start + Duration::from_secs_f64(size as f64 * 8.0 / self.rate as f64);
        direction.busy_until = Some(leaves);
        Some(leaves)
    }
}

/// What one direction of a link remembers.
#[derive(Debug, Default)]
pub struct Direction {
    bad: bool,
    busy_until: Option<Instant>,
    last_arrival: Option<Instant>,
}

impl Direction {
    /// For how long the next datagram waits.
    pub(crate) fn waiting(&self, now: Instant) -> Duration {
        self.busy_until
            .map_or(Duration::ZERO, |busy| busy.saturating_duration_since(now))
    }

    /// The link changed its rate: what waits does so at the new one, from `now` on.
    pub fn rescale(&mut self, now: Instant, from: u64, to: u64) {
        let Some(busy) = self.busy_until.filter(|busy| *busy > now) else {
            return;
        };
        if from == 0 || to == 0 {
            self.busy_until = None;
            return;
        }
        let ratio = from as f64 / to as f64;
        self.busy_until = Some(now + (busy - now).mul_f64(ratio));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(link: &Link, count: u32, spacing: Duration) -> Vec<Option<Duration>> {
        let (mut direction, mut random) = (Direction::default(), fastrand::Rng::with_seed(7));
        let origin = Instant::now();
        let carry = |n: u32| {
            let now = origin + spacing * n;
            let arrives = link.carry(&mut direction, &mut random, now, 1_000);
            arrives.map(|at| at - now)
        };
        (0..count).map(carry).collect()
    }

    #[test]
    fn wifi_loses_a_tenth_in_bursts_and_keeps_the_order() {
        let spacing = Duration::from_millis(4);
        let sent = carried(&Link::wifi_congested(), 20_000, spacing);
        let lost = sent.iter().filter(|delay| delay.is_none()).count();
        assert!((1_800..2_200).contains(&lost), "{lost} of 20000");
        let bursts = sent
            .windows(2)
            .filter(|p| p[0].is_some() && p[1].is_none())
            .count();
        assert!((lost as f64 / bursts as f64) > 1.7, "{bursts} bursts");
        let at = |(n, delay): (usize, &Option<Duration>)| delay.map(|d| d + spacing * n as u32);
        let arrivals: Vec<_> = sent.iter().enumerate().filter_map(at).collect();
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn rate_fills_the_queue_then_drops() {
        let link = Link {
            rate: 800_000,
            queue: 10_000,
            ..Link::default()
        };
        let sent = carried(&link, 200, Duration::from_millis(5));
        let passed: Vec<_> = sent.iter().flatten().collect();
        assert!((105..=115).contains(&passed.len()), "{}", passed.len());
        assert!(passed.iter().all(|d| **d <= Duration::from_millis(106)));
        assert!(passed.iter().any(|d| **d >= Duration::from_millis(90)));
    }

    #[test]
    fn a_link_that_is_down_or_too_narrow_passes_nothing() {
        let down = Link {
            down: true,
            ..Link::default()
        };
        let narrow = Link {
            mtu: 999,
            ..Link::default()
        };
        for link in [down, narrow] {
            assert!(
                carried(&link, 10, Duration::ZERO)
                    .iter()
                    .all(Option::is_none)
            );
        }
    }
}
