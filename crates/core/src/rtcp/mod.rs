//! RTCP of our own: compound packets in ([`parse`]) and out ([`write`]).
//!
//! ```text
//! Opener ──► parse(bytes) ──► Message, Message, …, or Malformed and no more
//! Writer ──► bytes ──► Sealer
//! ```
//!
//! Parsing borrows and allocates nothing. What a message repeats (report blocks, lost numbers,
//! arrivals) is an iterator over bytes that were checked when the message came out, so iterating
//! cannot fail. The work is bounded by the length of the packet and, where a few bytes can speak
//! for many packets, by [`MAX_ARRIVALS`]. Types nobody here needs come out as [`Message::Other`].

pub mod feedback;
pub mod parse;
pub mod transport_cc;
pub mod write;

pub use parse::{Compound, MAX_ARRIVALS, Malformed, Message};
pub use write::{Full, Writer};

/// Reception of one source as its receiver sees it (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source this is about.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; 24 bits, duplicates make it negative.
    pub lost: i32,
    /// Highest sequence number received, with its cycles.
    pub highest_sequence: u32,
    /// Jitter in RTP ticks.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time; 0 for none.
    pub last_report: u32,
    /// Time since then, in 1/65536 s.
    pub delay: u32,
}

/// What a sender says about its own stream (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time of this report, 32.32 fixed point.
    pub ntp: u64,
    /// The same moment in RTP ticks.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// Packet types (RFC 3550 section 12.1, RFC 4585 section 6.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
/// Formats of transport feedback.
const NACK: u8 = 1;
const TRANSPORT_CC: u8 = 15;
/// Formats of payload feedback.
const PLI: u8 = 1;
const FIR: u8 = 4;
const APPLICATION: u8 = 15;
/// What tells REMB from other application feedback.
const REMB: [u8; 4] = *b"REMB";
/// Bytes of a report block and of the sender's part of a sender report.
const BLOCK: usize = 24;
const SENDER_INFO: usize = 20;
