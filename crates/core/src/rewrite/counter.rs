//! Small wrapping numbers that only need to go on where the run before ended.

/// A number of up to 16 bits that keeps its distances inside a run.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    offset: u16,
    last: Option<u16>,
}

impl Counter {
    /// `input` becomes one more than the last output.
    pub(crate) fn start_run(&mut self, input: u16, bits: u32) {
        if let Some(last) = self.last {
            self.offset = last.wrapping_add(1).wrapping_sub(input) & mask(bits);
        }
    }

    pub(crate) fn map(&mut self, input: u16, bits: u32) -> u16 {
        let output = input.wrapping_add(self.offset) & mask(bits);
        // Half of the number circle tells newer from older.
        let newer = |last: u16| output.wrapping_sub(last) & mask(bits) < 1 << (bits - 1);
        if self.last.is_none_or(newer) {
            self.last = Some(output);
        }
        output
    }
}

const fn mask(bits: u32) -> u16 {
    ((1u32 << bits) - 1) as u16
}
