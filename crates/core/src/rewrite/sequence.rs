//! Sequence numbers, extended to 64 bits so that nothing here ever wraps.

/// Maps one run of input numbers onto a continuous output.
pub(crate) struct Sequence {
    /// First input number of this run.
    input: u64,
    /// The output number of `input`.
    output: u64,
    /// The next free output number.
    next: u64,
}

impl Sequence {
    pub(crate) const fn new(first: u64) -> Self {
        Self {
            input: 0,
            output: first,
            next: first,
        }
    }

    pub(crate) const fn start_run(&mut self, input: u64) {
        self.input = input;
        self.output = self.next;
    }

    /// None when the packet is older than the run.
    pub(crate) fn map(&mut self, input: u64) -> Option<u64> {
        let output = self.output + input.checked_sub(self.input)?;
        self.next = self.next.max(output + 1);
        Some(output)
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    /// A gap stays a gap, a late packet takes its own number.
    #[test]
    fn keeps_gaps() {
        let mut sequence = Sequence::new(100);
        sequence.start_run(7);
        assert_eq!(
            [7, 8, 11, 9].map(|n| sequence.map(n)),
            [100, 101, 104, 102].map(Some)
        );
    }

    /// A new run continues without a jump and refuses what is older.
    #[test]
    fn continues_over_runs() {
        let mut sequence = Sequence::new(100);
        sequence.start_run(7);
        sequence.map(8);
        sequence.start_run(70_000);
        assert_eq!(sequence.map(70_000), Some(102));
        assert_eq!(sequence.map(69_999), None);
    }
}
