//! SDP intake: the only door through which a remote's SDP comes in.
//!
//! Checks size and form before str0m sees the text, repairs what browsers are known to get
//! wrong, and reads what the object model tells about tracks:
//! - bounded in bytes and m-lines; payload types at most 127; unique mids that fit str0m;
//! - lines about payload types that the m-line does not list are dropped (Firefox leaves
//!   `rtcp-fb` lines behind after `setCodecPreferences`);
//! - a missing direction means `sendrecv` (RFC 8866 section 6.7) and is written out;
//! - simulcast is told by RIDs (RFC 8853), or by a group of SSRCs, as Safari 12 and what passes
//!   for it do (`a=ssrc-group:SIM`); its encodings are then named by their places, from 0;
//! - candidates are dropped: the server is ICE-lite and learns peers from verified checks.

use crate::error::Error;
use crate::event::{TrackInfo, TrackKind};
use crate::negotiation::MAX_LINES;

/// A checked and repaired description.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) text: String,
    pub(crate) sections: Vec<Section>,
}

/// What we need to know of one m-line.
#[derive(Debug, Default)]
pub(crate) struct Section {
    /// None for a data channel section.
    pub(crate) kind: Option<TrackKind>,
    pub(crate) mid: String,
    pub(crate) rejected: bool,
    pub(crate) sends: bool,
    pub(crate) receives: bool,
    stream_id: String,
    track_id: String,
    rids: Vec<String>,
    /// SSRCs of its encodings, where they have no RIDs: `a=ssrc-group:SIM`, smallest first by custom.
    sources: Vec<u32>,
    pub(crate) payload_types: Vec<String>,
    /// Feedback it can be asked for a key frame by: PLI (RFC 4585), FIR (RFC 5104).
    pli: bool,
    fir: bool,
    /// It takes estimates of its line (draft-alvestrand-rmcat-remb-03).
    remb: bool,
    has_direction: bool,
}

impl Section {
    /// Whether its key frames are to be asked for by FIR: it takes that and not PLI.
    pub(crate) const fn wants_fir(&self) -> bool {
        self.fir && !self.pli
    }

    /// Whether it may send video and would be told by REMB how much of that may come.
    pub(crate) fn takes_remb(&self) -> bool {
        self.kind == Some(TrackKind::Video) && self.sends && !self.rejected && self.remb
    }

    /// The track this section describes.
    pub(crate) fn track(&self) -> Option<TrackInfo> {
        let track_id = match self.track_id.as_str() {
            "" | "-" => self.mid.clone(),
            id => id.to_owned(),
        };
        Some(TrackInfo {
            mid: self.mid.clone(),
            kind: self.kind?,
            track_id,
            stream_id: if self.stream_id == "-" {
                String::new()
            } else {
                self.stream_id.clone()
            },
            active: self.sends && !self.rejected,
            rids: self.encodings(),
        })
    }

    /// The names of its encodings: their RIDs, else their places in the group of SSRCs.
    fn encodings(&self) -> Vec<String> {
        match self.rids.is_empty() {
            true => self.by_ssrc().map(|(_, place)| place).collect(),
            false => self.rids.clone(),
        }
    }

    /// SSRC and name of each encoding, where SSRCs tell encodings apart.
    pub(crate) fn by_ssrc(&self) -> impl Iterator<Item = (u32, String)> {
        let counts = self.rids.is_empty() && self.sources.len() > 1;
        let sources = self.sources.iter().filter(move |_| counts);
        (0..)
            .zip(sources)
            .map(|(place, ssrc): (u8, _)| (*ssrc, place.to_string()))
    }
}

/// Checks and repairs `sdp`.
pub(crate) fn read(sdp: &str, bounds: Bounds) -> Result<Intake, Error> {
    let Bounds {
        bytes,
        sections: max_sections,
    } = bounds;
    if sdp.len() > bytes {
        return Err(invalid(format!(
            "{} bytes, the limit is {bytes}",
            sdp.len()
        )));
    }
    let mut reader = Reader {
        max_sections,
        ..Reader::default()
    };
    for line in sdp
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|l| !l.is_empty())
    {
        reader.line(line)?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    max_sections: usize,
    text: String,
    sections: Vec<Section>,
    session_direction: Option<(bool, bool)>,
    has_fingerprint: bool,
    has_ufrag: bool,
    has_password: bool,
    lines: usize,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Error> {
        self.lines += 1;
        let bytes = line.as_bytes();
        if bytes.len() < 2 || bytes[1] != b'=' || !bytes[0].is_ascii_lowercase() {
            return Err(invalid(format!("line {} is not `type=value`", self.lines)));
        }
        if self.lines == 1 && line != "v=0" {
            return Err(invalid("does not begin with v=0"));
        }
        let keep = match line.split_at(2) {
            ("m=", value) => {
                self.close_section()?;
                self.open_section(value)?;
                true
            }
            ("a=", value) => self.attribute(value)?,
            _ => true,
        };
        if keep {
            self.push(line);
        }
        Ok(())
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push_str("\r\n");
    }

    fn open_section(&mut self, value: &str) -> Result<(), Error> {
        if self.sections.len() == self.max_sections {
            return Err(invalid(format!("more than {} m-lines", self.max_sections)));
        }
        let mut words = value.split_ascii_whitespace();
        let kind = match words.next() {
            Some("audio") => Some(TrackKind::Audio),
            Some("video") => Some(TrackKind::Video),
            Some("application") => None,
            _ => return Err(invalid("an m-line is neither audio, video nor application")),
        };
        let port: u16 = words
            .next()
            .and_then(|port| port.parse().ok())
            .ok_or_else(|| invalid("an m-line has no port"))?;
        words
            .next()
            .ok_or_else(|| invalid("an m-line has no protocol"))?;
        let payload_types: Vec<String> = words.map(str::to_owned).collect();
        if kind.is_some() {
            for payload_type in &payload_types {
                if !payload_type.parse::<u8>().is_ok_and(|number| number < 128) {
                    return Err(invalid("a payload type is not in 0..127"));
                }
            }
        }
        self.sections.push(Section {
            kind,
            payload_types,
            rejected: port == 0,
            ..Section::default()
        });
        Ok(())
    }

    /// Whether to keep an attribute line.
    fn attribute(&mut self, value: &str) -> Result<bool, Error> {
        let (name, rest) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "candidate" | "end-of-candidates" | "remote-candidates" => return Ok(false),
            "fingerprint" => {
                check_fingerprint(rest)?;
                self.has_fingerprint = true;
            }
            "ice-ufrag" => {
                check_len("ice-ufrag", rest, 4)?;
                self.has_ufrag = true;
            }
            "ice-pwd" => {
                check_len("ice-pwd", rest, 22)?;
                self.has_password = true;
            }
            _ => {}
        }
        let direction = match name {
            "sendrecv" => Some((true, true)),
            "sendonly" => Some((true, false)),
            "recvonly" => Some((false, true)),
            "inactive" => Some((false, false)),
            _ => None,
        };
        let Some(section) = self.sections.last_mut() else {
            self.session_direction = direction.or(self.session_direction);
            return Ok(direction.is_none());
        };
        if let Some((sends, receives)) = direction {
            (section.sends, section.receives) = (sends, receives);
            return Ok(!std::mem::replace(&mut section.has_direction, true));
        }
        match name {
            "rtpmap" | "fmtp" | "rtcp-fb" if section.kind.is_some() => {
                let (payload_type, value) = rest.split_once(' ').unwrap_or((rest, ""));
                let listed =
                    payload_type == "*" || section.payload_types.iter().any(|p| p == payload_type);
                if listed && name == "rtcp-fb" {
                    section.pli |= value.trim() == "nack pli";
                    section.fir |= value.trim() == "ccm fir";
                    section.remb |= value.trim() == "goog-remb";
                }
                return Ok(listed);
            }
            "mid" => section.mid = check_mid(rest)?,
            // Port 0 then means "in the bundle", not "rejected": RFC 9143 section 6.
            "bundle-only" => section.rejected = false,
            "msid" => {
                let mut words = rest.split_ascii_whitespace();
                section.stream_id = words.next().unwrap_or_default().to_owned();
                section.track_id = words.next().unwrap_or_default().to_owned();
            }
            "ssrc-group" if section.kind == Some(TrackKind::Video) => {
                let mut words = rest.split_ascii_whitespace();
                if words.next() == Some("SIM") && section.sources.is_empty() {
                    let sources = words.filter_map(|ssrc| ssrc.parse().ok());
                    section.sources = sources.take(MAX_ENCODINGS).collect();
                }
            }
            "rid" => {
                let mut words = rest.split_ascii_whitespace();
                if let (Some(rid), Some("send")) = (words.next(), words.next()) {
                    check_rid(rid)?;
                    section.rids.push(rid.to_owned());
                }
            }
            _ => {}
        }
        Ok(true)
    }

    fn close_section(&mut self) -> Result<(), Error> {
        let session_direction = self.session_direction;
        let Some((section, earlier)) = self.sections.split_last_mut() else {
            return Ok(());
        };
        if section.mid.is_empty() {
            return Err(invalid("an m-line has no mid"));
        }
        if earlier.iter().any(|other| other.mid == section.mid) {
            return Err(invalid(format!("mid {:?} appears twice", section.mid)));
        }
        if section.kind.is_some() && !section.has_direction {
            (section.sends, section.receives) = session_direction.unwrap_or((true, true));
            let line = match (section.sends, section.receives) {
                (true, true) => "a=sendrecv",
                (true, false) => "a=sendonly",
                (false, true) => "a=recvonly",
                (false, false) => "a=inactive",
            };
            self.push(line);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Intake, Error> {
        self.close_section()?;
        let missing = [
            (self.sections.is_empty(), "no m-line"),
            (!self.has_fingerprint, "no a=fingerprint"),
            (!self.has_ufrag, "no a=ice-ufrag"),
            (!self.has_password, "no a=ice-pwd"),
        ];
        match missing.into_iter().find(|(is_missing, _)| *is_missing) {
            Some((_, what)) => Err(invalid(what)),
            None => Ok(Intake {
                text: self.text,
                sections: self.sections,
            }),
        }
    }
}

/// RFC 8122 section 5: a hash function and hex pairs.
fn check_fingerprint(value: &str) -> Result<(), Error> {
    let pairs = value.split_once(' ').map_or("", |(_, pairs)| pairs.trim());
    let well_formed = pairs
        .split(':')
        .all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if well_formed {
        Ok(())
    } else {
        Err(invalid("a fingerprint is empty or malformed"))
    }
}

/// RFC 8839 section 5.4: 4 to 256 characters of ufrag, 22 to 256 of password.
fn check_len(what: &str, value: &str, min: usize) -> Result<(), Error> {
    if (min..=256).contains(&value.len()) {
        Ok(())
    } else {
        Err(invalid(format!("{what} has {} characters", value.len())))
    }
}

/// str0m keeps 16 characters and turns others than letters and digits into `_`.
fn check_mid(mid: &str) -> Result<String, Error> {
    let fits = (1..=16).contains(&mid.len())
        && mid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits {
        Ok(mid.to_owned())
    } else {
        Err(invalid("a mid is not 1 to 16 letters, digits or _"))
    }
}

/// str0m keeps 8 characters.
fn check_rid(rid: &str) -> Result<(), Error> {
    let fits = (1..=8).contains(&rid.len()) && rid.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits {
        Ok(())
    } else {
        Err(invalid("a rid is not 1 to 8 letters or digits"))
    }
}

fn invalid(why: impl Into<String>) -> Error {
    Error::InvalidSdp(why.into())
}

/// How large a description may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) sections: usize,
}

/// Encodings of a track that are told apart by SSRC.
const MAX_ENCODINGS: usize = 8;
/// Of an offer: the client decides how long it is.
pub(crate) const OFFER: Bounds = Bounds {
    bytes: 64 * 1024,
    sections: 64,
};
/// Of an answer: as many m-lines as we offered, and a browser writes up to 4 KiB about each.
pub(crate) const ANSWER: Bounds = Bounds {
    bytes: 1024 * 1024,
    sections: MAX_LINES + 1,
};
