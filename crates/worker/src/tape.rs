//! The record of decisions on its way to a file.
//!
//! Media threads hand over what their cores have written, in pieces, and never wait: when the writer
//! does not keep up, or the file is as long as it may be, the thread's record ends there and says so.
//! A process that dies leaves a file whose last piece may be cut; replays take it as it is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use headwater_core::Sfu;
use headwater_core::record::replay::{Replay, ReplayError, replay};
use headwater_core::record::{chunk, preamble};

/// Where to record decisions, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordConfig {
    /// A file; what is in it is lost.
    pub path: PathBuf,
    /// Bytes after which the record ends.
    pub limit: u64,
}

/// The file, and the thread that writes it.
#[derive(Debug)]
pub(crate) struct Tape {
    sender: SyncSender<Piece>,
    full: Arc<AtomicBool>,
    writer: JoinHandle<()>,
}

/// A media thread's end of the tape.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    sender: SyncSender<Piece>,
    full: Arc<AtomicBool>,
    /// The end of the record could not be told yet.
    cut: bool,
}

/// Frames of a thread; none where its record ends too early.
#[derive(Debug)]
struct Piece {
    thread: u16,
    frames: Vec<u8>,
}

impl Tape {
    pub(crate) fn open(config: &RecordConfig) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&config.path)?;
        file.write_all(&preamble())?;
        let (sender, pieces) = sync_channel(PIECES);
        let full = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            file,
            left: config.limit,
            full: Arc::clone(&full),
        };
        let writer = thread::Builder::new()
            .name("hw-record".to_owned())
            .spawn(move || writer.run(&pieces))?;
        Ok(Self {
            sender,
            full,
            writer,
        })
    }

    pub(crate) fn lead(&self) -> Lead {
        Lead {
            sender: self.sender.clone(),
            full: Arc::clone(&self.full),
            cut: false,
        }
    }

    /// Waits until all that the media threads have handed over is written. They have ended.
    pub(crate) fn finish(self) {
        drop(self.sender);
        if self.writer.join().is_err() {
            tracing::error!("the writer of the record died");
        }
    }
}

impl Lead {
    /// Hands over what is longer than `least` bytes. Returns how many pieces were lost.
    pub(crate) fn advance(&mut self, sfu: &mut Sfu, thread: u16, least: usize) -> u64 {
        if self.cut {
            let frames = Vec::new();
            self.cut = self.sender.try_send(Piece { thread, frames }).is_err();
        }
        let Some(frames) = sfu.take_record(least) else {
            return 0;
        };
        if self.full.load(Ordering::Relaxed) {
            sfu.stop_record();
            self.cut = true;
            return 0;
        }
        if self.sender.try_send(Piece { thread, frames }).is_ok() {
            return 0;
        }
        sfu.stop_record();
        self.cut = true;
        1
    }

    /// The thread ends: what is left is worth waiting for.
    pub(crate) fn finish(&self, sfu: &mut Sfu, thread: u16) {
        if let Some(frames) = sfu.take_record(0) {
            let _ = self.sender.send(Piece { thread, frames });
        }
        if self.cut {
            let frames = Vec::new();
            let _ = self.sender.send(Piece { thread, frames });
        }
    }
}

/// Takes the decisions of a record again.
///
/// # Errors
/// It cannot be read as a record.
pub fn play(record: &[u8]) -> Result<Replay, ReplayError> {
    replay(record, Instant::now()) // only to count from
}

struct Writer {
    file: File,
    left: u64,
    full: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self, pieces: &Receiver<Piece>) {
        let mut ended: Vec<u16> = Vec::new();
        for Piece { thread, frames } in pieces {
            if ended.contains(&thread) {
                continue;
            }
            let len = (frames.len() + chunk(thread, &[]).len()) as u64;
            let fits = len <= self.left && !self.full.load(Ordering::Relaxed);
            let frames: &[u8] = if fits { &frames } else { &[] };
            if frames.is_empty() {
                ended.push(thread);
                self.end("the record of decisions has reached its limit and ends here");
            }
            self.left = self.left.saturating_sub(len);
            let written = (self.file.write_all(&chunk(thread, frames)))
                .and_then(|()| self.file.write_all(frames));
            if let Err(error) = written {
                tracing::error!(%error, "cannot write the record of decisions");
                return self.end("the record of decisions ends here");
            }
        }
    }

    fn end(&self, why: &str) {
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!("{why}");
        }
    }
}

/// Pieces that wait for the writer.
const PIECES: usize = 256;
