//! The impairment lab: how a call fares on links that lose, delay, narrow and break.
//!
//! ```text
//! headwater-lab ladder    whole calls over simulated links, in virtual time
//! headwater-lab emulate   a link between two network namespaces, for real programs
//! headwater-lab echo      answers datagrams, and
//! headwater-lab probe     measures round trips to it: is the link what it says it is?
//! ```
//!
//! Results are JSON lines on standard output, made for `headwater bench ladder` and for the tests.
//! It is not part of the wheel.

mod echo;
mod emulate;
mod ladder;
mod sys;
mod translator;

use std::error::Error;
use std::process::ExitCode;

use lexopt::{Arg, Parser};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headwater-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn Error>;

fn run() -> Result<(), Failure> {
    let mut parser = Parser::from_env();
    match parser.next()? {
        Some(Arg::Value(command)) if command == "ladder" => ladder::run(parser),
        Some(Arg::Value(command)) if command == "emulate" => emulate::run(parser),
        Some(Arg::Value(command)) if command == "echo" => echo::serve(parser),
        Some(Arg::Value(command)) if command == "probe" => echo::probe(parser),
        Some(Arg::Long("help") | Arg::Short('h')) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

const USAGE: &str =
    "usage: headwater-lab ladder [--seeds N] [--first-seed S] [--seconds S] [--only TEXT]
       headwater-lab emulate --near DEVICE --far DEVICE [--seed S]
       headwater-lab echo ADDRESS:PORT
       headwater-lab probe ADDRESS:PORT [--count N] [--expected-ms MS]";
