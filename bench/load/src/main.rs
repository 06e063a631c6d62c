//! Measurement of media servers from outside: a floor, a load, a yardstick.
//!
//! ```text
//! headwater-load floor      what sealing and sending a packet costs on this machine
//! headwater-load fanout     one publisher to N subscribers through a server with WHIP and WHEP
//! headwater-load rooms      rooms in which everybody publishes and takes everybody
//! headwater-load channel    one broadcaster who shows a film, and viewers who come when they are told to
//! headwater-load idle       sessions that do nothing
//! headwater-load reference  a plain str0m forwarder to compare with
//! ```
//!
//! Results are JSON lines on standard output, made for `headwater bench`; the same generator
//! measures any server that speaks WHIP and WHEP. It is not part of the wheel.

mod batch;
mod channel;
mod clients;
mod clock;
mod film;
mod floor;
mod frame;
mod idle;
mod one_profile;
mod peer;
mod profile;
mod reference;
mod run;
mod server;
mod signalling;
mod socket;
mod source;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use lexopt::{Arg, Parser, ValueExt};
use serde::Serialize;

use crate::film::Film;
use crate::one_profile::OneProfile;
use crate::peer::Failure;
use crate::run::Room;
use crate::source::Load;

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
        Some(Arg::Value(command)) if command == "rooms" => rooms(parser),
        Some(Arg::Value(command)) if command == "channel" => channel(parser),
        Some(Arg::Value(command)) if command == "idle" => idle(parser),
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
    let mut options = options(FANOUT_RATE, false);
    let mut room = Room {
        whip: String::new(),
        whep: String::new(),
        publishers: 1,
        subscribers: 10,
        takes: 1,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("whip") => room.whip = parser.value()?.string()?,
            Arg::Long("whep") => room.whep = parser.value()?.string()?,
            Arg::Long("subscribers") => room.subscribers = parser.value()?.parse()?,
            Arg::Long(name) => {
                let name = name.to_owned();
                common(&name, &mut parser, &mut options)?;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if room.whip.is_empty() || room.whep.is_empty() {
        return Err("fanout needs --whip URL and --whep URL".into());
    }
    options.rooms.push(room);
    print(&run::run(&options)?)
}

fn rooms(mut parser: Parser) -> Result<(), Failure> {
    let mut options = options(ROOMS_RATE, true);
    let (mut url, mut rooms, mut members) = (String::new(), 1, 4);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("url") => url = parser.value()?.string()?,
            Arg::Long("rooms") => rooms = parser.value()?.parse()?,
            Arg::Long("members") => members = parser.value()?.parse()?,
            Arg::Long(name) => {
                let name = name.to_owned();
                common(&name, &mut parser, &mut options)?;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if url.is_empty() || members < 2 {
        return Err("rooms needs --url URL and at least two members".into());
    }
    options.rooms = (0..rooms)
        .map(|room| Room {
            whip: format!("{url}/whip/room-{room}"),
            whep: format!("{url}/whep/room-{room}"),
            publishers: members,
            subscribers: members,
            takes: members - 1,
        })
        .collect();
    print(&run::run(&options)?)
}

fn channel(mut parser: Parser) -> Result<(), Failure> {
    let mut options = options(FANOUT_RATE, false);
    let mut room = Room {
        whip: String::new(),
        whep: String::new(),
        publishers: 1,
        subscribers: 0,
        takes: 1,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("whip") => room.whip = parser.value()?.string()?,
            Arg::Long("whep") => room.whep = parser.value()?.string()?,
            Arg::Long("viewers") => room.subscribers = parser.value()?.parse()?,
            Arg::Long("film") => {
                let film = Film::read(&PathBuf::from(parser.value()?))?;
                options.load.audio = film.has_sound();
                options.load.film = Some(Arc::new(film));
            }
            Arg::Long(name) => {
                let name = name.to_owned();
                common(&name, &mut parser, &mut options)?;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if room.whip.is_empty() || room.whep.is_empty() || options.load.film.is_none() {
        return Err("channel needs --whip URL, --whep URL and --film FILE".into());
    }
    options.rooms.push(room);
    channel::run(&options)
}

fn options(rate: u64, audio: bool) -> run::Options {
    run::Options {
        rooms: Vec::new(),
        load: Load {
            rate,
            spread: false,
            audio,
            film: None,
        },
        token: token(),
        seconds: 8.0,
        gro: false,
        loss: 0.0,
        srtp: None,
        server: None,
    }
}

/// An option that every run has.
fn common(name: &str, parser: &mut Parser, options: &mut run::Options) -> Result<(), Failure> {
    match name {
        "seconds" => options.seconds = parser.value()?.parse()?,
        "rate" => options.load.rate = parser.value()?.parse()?,
        "spread" => options.load.spread = true,
        "gro" => options.gro = true,
        "loss" => options.loss = parser.value()?.parse()?,
        "srtp" => {
            let name = parser.value()?.string()?;
            let known = OneProfile::named(&name);
            options.srtp = Some(known.ok_or("--srtp takes cm-sha1, gcm128 or gcm256")?);
        }
        "server-pid" => options.server = Some(parser.value()?.parse()?),
        other => return Err(format!("unknown option --{other}").into()),
    }
    Ok(())
}

fn idle(mut parser: Parser) -> Result<(), Failure> {
    let mut options = idle::Options {
        url: String::new(),
        token: token(),
        sessions: 5_000,
        each: 10,
        seconds: 4.0,
        server: 0,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("url") => options.url = parser.value()?.string()?,
            Arg::Long("sessions") => options.sessions = parser.value()?.parse()?,
            Arg::Long("each") => options.each = parser.value()?.parse()?,
            Arg::Long("seconds") => options.seconds = parser.value()?.parse()?,
            Arg::Long("server-pid") => options.server = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if options.url.is_empty() || options.server == 0 {
        return Err("idle needs --url URL and --server-pid PID".into());
    }
    print(&idle::run(&options)?)
}

fn token() -> Option<String> {
    std::env::var("HEADWATER_LOAD_TOKEN").ok()
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

/// Video packets a second: 2.5 Mbit/s, and a small picture of 0.6 Mbit/s.
const FANOUT_RATE: u64 = 260;
const ROOMS_RATE: u64 = 60;

const USAGE: &str = "usage: headwater-load floor [--seconds S]
       headwater-load fanout --whip URL --whep URL [--subscribers N] [OPTIONS]
       headwater-load rooms --url URL [--rooms N] [--members N] [OPTIONS]
       headwater-load channel --whip URL --whep URL --film FILE [--viewers N] [OPTIONS]
       headwater-load idle --url URL --server-pid PID [--sessions N] [--each N] [--seconds S]
       headwater-load reference [--port P]
OPTIONS: [--seconds S] [--rate PACKETS] [--spread] [--gro] [--loss PERCENT] [--srtp cm-sha1|gcm128|gcm256] [--server-pid PID]
A bearer token is taken from HEADWATER_LOAD_TOKEN.";
