//! `headwater-lab ladder`: every row and trial with several seeds, one line of JSON each.
//!
//! A line holds, for each figure, the mean over the seeds, the worst, the bar, and how many seeds
//! passed it.

use std::time::Duration;

use headwater_sim::lab::{Bar, Finding, ladder, trials};
use lexopt::{Arg, Parser, ValueExt};
use serde::Serialize;

use crate::Failure;

struct Options {
    seeds: u64,
    first: u64,
    length: Duration,
    only: String,
}

pub(crate) fn run(mut parser: Parser) -> Result<(), Failure> {
    let mut options = Options {
        seeds: 5,
        first: 1,
        length: Duration::from_secs(60),
        only: String::new(),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("seeds") => options.seeds = parser.value()?.parse()?,
            Arg::Long("first-seed") => options.first = parser.value()?.parse()?,
            Arg::Long("seconds") => {
                options.length = Duration::from_secs(parser.value()?.parse()?);
            }
            Arg::Long("only") => options.only = parser.value()?.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if options.seeds == 0 || options.length.is_zero() {
        return Err("--seeds and --seconds must be at least 1".into());
    }
    for row in ladder::ROWS {
        report("ladder", row.name, &options, |seed| {
            row.run(seed, options.length)
        })?;
    }
    for trial in trials::ALL {
        report("trial", trial.name, &options, |seed| trial.run(seed))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Line {
    event: &'static str,
    kind: &'static str,
    name: &'static str,
    seeds: u64,
    figures: Vec<Figure>,
}

#[derive(Serialize)]
struct Figure {
    name: &'static str,
    /// Mean over the seeds; none when a seed had no figure.
    mean: Option<f64>,
    worst: Option<f64>,
    /// None where nothing is asked for.
    limit: Option<f64>,
    least: bool,
    held: u64,
}

fn report(
    kind: &'static str,
    name: &'static str,
    options: &Options,
    run: impl Fn(u64) -> Finding,
) -> Result<(), Failure> {
    if !name.contains(&options.only) {
        return Ok(());
    }
    let findings: Vec<_> = (options.first..)
        .take(options.seeds as usize)
        .map(run)
        .collect();
    let of = |index: usize| findings.iter().map(move |finding| finding.bars[index]);
    let figures = (0..findings[0].bars.len()).map(|index| figure(of(index)));
    let line = Line {
        event: "row",
        kind,
        name,
        seeds: options.seeds,
        figures: figures.collect(),
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

fn figure(bars: impl Iterator<Item = Bar> + Clone) -> Figure {
    let values = bars.clone().map(|bar| bar.value);
    let count = values.clone().count() as f64;
    let Bar {
        name, limit, least, ..
    } = bars.clone().next().unwrap_or(Bar::at_most("", 0.0, 0.0));
    let worst = if least {
        values.clone().fold(f64::INFINITY, f64::min)
    } else {
        values.clone().fold(f64::NEG_INFINITY, f64::max)
    };
    let finite = |value: f64| value.is_finite().then_some(value);
    Figure {
        name,
        mean: finite(values.sum::<f64>() / count),
        worst: finite(worst),
        limit: finite(limit),
        least,
        held: bars.filter(Bar::holds).count() as u64,
    }
}
