//! Measurement of media servers from outside: a floor, a load, a yardstick.
//!
//! ```text
//! headwater-load floor      what sealing and sending a packet costs on this machine
//! headwater-load fanout     one publisher to N subscribers through a server with WHIP and WHEP
//! headwater-load reference  a plain str0m forwarder to compare with
//! ```
//!
//! Results are JSON lines on standard output, made for `headwater bench`; the same generator
//! measures any server that speaks WHIP and WHEP. It is not part of the wheel.

mod batch;
mod clients;
mod clock;
mod fanout;
mod floor;
mod frame;
mod peer;
mod profile;
mod reference;
mod server;
mod signalling;
mod socket;
mod tally;

use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};
use serde::Serialize;

use crate::peer::Failure;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headwater-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut parser = Parser::from_env();
    match parser.next()? {
        Some(Arg::Value(command)) if command == "floor" => floor(parser),
        Some(Arg::Value(command)) if command == "fanout" => fanout(parser),
        Some(Arg::Value(command)) if command == "reference" => reference(parser),
        Some(Arg::Long("help") | Arg::Short('h')) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

fn floor(mut parser: Parser) -> Result<(), Failure> {
    let mut seconds = 6.0;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    print(&floor::measure(seconds)?)
}

fn fanout(mut parser: Parser) -> Result<(), Failure> {
    let mut options = fanout::Options {
        whip: String::new(),
        whep: String::new(),
        token: std::env::var("HEADWATER_LOAD_TOKEN").ok(),
        subscribers: 10,
        seconds: 8.0,
        spread: false,
        gro: false,
        loss: 0.0,
        server: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("whip") => options.whip = parser.value()?.string()?,
            Arg::Long("whep") => options.whep = parser.value()?.string()?,
            Arg::Long("subscribers") => options.subscribers = parser.value()?.parse()?,
            Arg::Long("seconds") => options.seconds = parser.value()?.parse()?,
            Arg::Long("spread") => options.spread = true,
            Arg::Long("gro") => options.gro = true,
            Arg::Long("loss") => options.loss = parser.value()?.parse()?,
            Arg::Long("server-pid") => options.server = Some(parser.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.whip.is_empty() || options.whep.is_empty() {
        return Err("fanout needs --whip URL and --whep URL".into());
    }
    print(&fanout::run(&options)?)
}

fn reference(mut parser: Parser) -> Result<(), Failure> {
    let mut port = 0;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("port") => port = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    reference::serve(port)
}

fn print(value: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

const USAGE: &str = "usage: headwater-load floor [--seconds S]
       headwater-load fanout --whip URL --whep URL [--subscribers N] [--seconds S] [--spread] [--gro] [--loss PERCENT] [--server-pid PID]
       headwater-load reference [--port P]
A bearer token is taken from HEADWATER_LOAD_TOKEN.";
