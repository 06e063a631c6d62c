//! What a trial found: figures beside the bars they must pass.

use std::fmt;

/// One figure and its bar.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// What is measured, with its unit in the name.
    pub name: &'static str,
    /// What was found.
    pub value: f64,
    /// What it must not pass.
    pub limit: f64,
    /// Whether the limit is the least that is good; the most otherwise.
    pub least: bool,
}

impl Bar {
    /// A figure of which more than `limit` is bad.
    #[must_use]
    pub const fn at_most(name: &'static str, value: f64, limit: f64) -> Self {
        Self {
            name,
            value,
            limit,
            least: false,
        }
    }

    /// A figure of which less than `limit` is bad.
    #[must_use]
    pub const fn at_least(name: &'static str, value: f64, limit: f64) -> Self {
        Self {
            name,
            value,
            limit,
            least: true,
        }
    }

    /// Whether the figure is good; what is no number is not.
    #[must_use]
    pub fn holds(&self) -> bool {
        if self.least {
            self.value >= self.limit
        } else {
            self.value <= self.limit
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.least { ">=" } else { "<=" };
        write!(f, "{} {:.2} ({sign} {})", self.name, self.value, self.limit)
    }
}

/// All figures of one run of a trial.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The trial.
    pub trial: &'static str,
    /// Its seed.
    pub seed: u64,
    /// Its figures.
    pub bars: Vec<Bar>,
}

impl Finding {
    /// The figures that are not good.
    pub fn failures(&self) -> impl Iterator<Item = &Bar> {
        self.bars.iter().filter(|bar| !bar.holds())
    }

    /// Panics with every figure that is not good.
    ///
    /// # Panics
    /// See above.
    pub fn assert(&self) {
        let failures: Vec<_> = self.failures().map(ToString::to_string).collect();
        assert!(
            failures.is_empty(),
            "{}, seed {}: {}",
            self.trial,
            self.seed,
            failures.join("; ")
        );
    }
}
