//! A film: real pictures and sound, made elsewhere, that a publisher sends again and again.
//!
//! Filler that nobody can decode is enough for a server that only forwards. What a server packages must
//! be real, and then there is no place in it for a stamp: a ledger of what left says instead which packet
//! an arriving one is, by its length and its last bytes. A film is shown in order; who is asked for a key
//! frame goes on with the next one in the film, as an encoder makes one when it is asked.
//!
//! The file: `hwfm`, a byte for the codec, then for each RTP payload a byte of flags, its length in two
//! bytes (big endian) and itself; of VP8 without its payload descriptor.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::Path;
use std::sync::Arc;

use crate::frame::{self, Position, Stamp};
use crate::peer::{Codec, Failure};

/// What is on it.
#[derive(Debug)]
pub(crate) struct Film {
    pub(crate) codec: Codec,
    frames: Vec<Frame>,
    sound: Vec<Vec<u8>>,
}

/// One picture.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) key: bool,
    pub(crate) packets: Vec<Vec<u8>>,
}

impl Film {
    /// Read a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&fs::read(path)?)
            .map_err(|problem| format!("{}: {problem}", path.display()).into())
    }

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("not a film")?;
        let (codec, mut rest) = rest.split_first().ok_or("not a whole film")?;
        let codec = match codec {
            0 => Codec::Vp8,
            1 => Codec::H264,
            _ => return Err("a film of an unknown codec"),
        };
        let (mut frames, mut sound) = (Vec::new(), Vec::new());
        let mut frame = Frame::default();
        while let Some((head, behind)) = rest.split_first_chunk::<3>() {
            let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
            let (payload, behind) = behind.split_at_checked(length).ok_or("not a whole film")?;
            rest = behind;
            if head[0] & SOUND != 0 {
                sound.push(payload.to_vec());
                continue;
            }
            frame.key |= head[0] & KEY != 0;
            frame.packets.push(payload.to_vec());
            if head[0] & LAST != 0 {
                frames.push(std::mem::take(&mut frame));
            }
        }
        if !frames.first().is_some_and(|first| first.key) {
            return Err("a film begins with a key frame");
        }
        Ok(Self {
            codec,
            frames,
            sound,
        })
    }

    /// Whether there is sound on it.
    pub(crate) fn has_sound(&self) -> bool {
        !self.sound.is_empty()
    }
}

/// A film and how far it has been shown.
#[derive(Debug)]
pub(crate) struct Showing {
    film: Arc<Film>,
    frame: usize,
    sound: usize,
}

impl Showing {
    /// From its beginning.
    pub(crate) const fn new(film: Arc<Film>) -> Self {
        Self {
            film,
            frame: 0,
            sound: 0,
        }
    }

    /// The next picture; when a key frame is wanted, the next one of those.
    pub(crate) fn picture(&mut self, key_wanted: bool) -> &Frame {
        let frames = &self.film.frames;
        let mut at = self.frame % frames.len();
        while key_wanted && !frames[at].key {
            at = (at + 1) % frames.len(); // ends at the first frame at the latest
        }
        self.frame = at + 1;
        &frames[at]
    }

    /// The next packet of sound.
    pub(crate) fn sound(&mut self) -> Vec<u8> {
        let at = self.sound % self.film.sound.len();
        self.sound = at + 1;
        self.film.sound[at].clone()
    }

    /// How a packet of a picture is sent.
    pub(crate) fn payload(codec: Codec, position: Position, bytes: &[u8]) -> Vec<u8> {
        match codec {
            Codec::H264 => bytes.to_vec(),
            Codec::Vp8 => [&frame::descriptor(position)[..], bytes].concat(),
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.film.codec
    }
}

/// Which packets of films have left, by what they end with.
#[derive(Debug, Default)]
pub(crate) struct Ledger(HashMap<u64, Stamp>);

impl Ledger {
    /// A packet leaves. One that was sent before, in an earlier round of the film, is forgotten.
    pub(crate) fn note(&mut self, payload: &[u8], stamp: Stamp) {
        self.0.insert(key(payload), stamp);
    }

    /// Which one this is; `None` when it is no packet of a film.
    pub(crate) fn find(&self, payload: &[u8]) -> Option<Stamp> {
        self.0.get(&key(payload)).copied()
    }
}

/// Of its end, as a server changes the beginning: picture numbers.
fn key(payload: &[u8]) -> u64 {
    let tail = &payload[payload.len().saturating_sub(TAIL)..];
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(payload.len());
    hasher.write(tail);
    hasher.finish()
}

const MAGIC: &[u8] = b"hwfm";
const SOUND: u8 = 1;
const LAST: u8 = 2;
const KEY: u8 = 4;
/// Bytes: shorter than any packet of a real picture, its descriptor taken off.
const TAIL: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u16).to_be_bytes();
        [&[flags][..], &length, payload].concat()
    }

    fn film(packets: &[(u8, &[u8])]) -> Result<Film, &'static str> {
        let packets = packets
            .iter()
            .flat_map(|(flags, payload)| packet(*flags, payload));
        let bytes: Vec<u8> = [MAGIC, &[1]].concat().into_iter().chain(packets).collect();
        Film::parse(&bytes)
    }

    #[test]
    fn a_film_goes_round_and_jumps_to_key_frames() {
        let film = film(&[
            (KEY, b"k1"),
            (KEY | LAST, b"k1 again"),
            (SOUND, b"s1"),
            (LAST, b"d1"),
            (LAST, b"d2"),
            (KEY | LAST, b"k2"),
        ])
        .unwrap();
        let mut showing = Showing::new(Arc::new(film));
        let mut shown = |key| showing.picture(key).packets.concat();
        assert_eq!(shown(false), b"k1k1 again");
        assert_eq!(shown(false), b"d1");
        assert_eq!(shown(true), b"k2", "d2 is left out");
        assert_eq!(shown(false), b"k1k1 again");
        assert_eq!(shown(true), b"k2");
        assert_eq!(
            (showing.sound(), showing.sound()),
            (b"s1".to_vec(), b"s1".to_vec())
        );
    }

    #[test]
    fn what_is_no_film_is_refused() {
        assert_eq!(
            film(&[(LAST, b"d")]).unwrap_err(),
            "a film begins with a key frame"
        );
        assert_eq!(Film::parse(b"RIFF").unwrap_err(), "not a film");
        let cut = [MAGIC, &[1], &packet(KEY | LAST, b"picture")[..6]].concat();
        assert_eq!(Film::parse(&cut).unwrap_err(), "not a whole film");
    }

    #[test]
    fn a_packet_is_known_by_its_end() {
        let stamp = Stamp {
            flow: 0,
            index: 7,
            sent: 1,
        };
        let mut ledger = Ledger::default();
        ledger.note(b"head: the end of a picture", stamp);
        assert_eq!(ledger.find(b"HEAD: the end of a picture"), Some(stamp));
        assert_eq!(ledger.find(b"HEAD; the end of a pictures"), None);
        assert_eq!(ledger.find(b""), None);
    }
}
