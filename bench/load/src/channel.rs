//! One broadcaster and the viewers of its channel, who come and are measured when they are told to.
//!
//! Others take load from the same server at the same time (viewers by HLS), so the stages are not ours to
//! time. Commands are lines on standard input, each answered by a line on standard output:
//!
//! ```text
//! join      every viewer joins            {"event": "stage", "stage": "joined", ...} once all are fed
//! measure   one window                    {"event": "result", ...}
//! ```
//!
//! The broadcaster sends all the time, from before the first command, which is the stage `live`, until
//! standard input ends.

use std::io;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::Failure;
use crate::run::{Options, Reading, Run, stage};

/// Run it.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let commands = commands();
    let mut run = Run::new(options)?;
    let before = Reading::of(options.server)?;
    run.publish(options)?;
    let publishing = Reading::of(options.server)?;
    stage("live", 0);
    loop {
        match commands.try_recv() {
            Ok(command) if command == "join" => {
                run.subscribe(options)?;
                run.turn(SETTLE)?;
                stage("joined", options.rooms[0].subscribers);
            }
            Ok(command) if command == "measure" => {
                let report = run.measure(options, &before, &publishing)?;
                println!("{}", serde_json::to_string(&report)?);
            }
            Ok(command) => return Err(format!("no such command: {command}").into()),
            Err(TryRecvError::Empty) => run.step(Instant::now() + TICK)?,
            Err(TryRecvError::Disconnected) => {
                run.clients.vanish();
                return Ok(());
            }
        }
    }
}

/// Lines as they come; the end of standard input is the end of the channel.
fn commands() -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(line.trim().to_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

const TICK: Duration = Duration::from_millis(20);
/// Rates and buffers settle.
const SETTLE: Duration = Duration::from_secs(2);
