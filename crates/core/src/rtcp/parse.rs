//! A compound packet, message by message.

use super::feedback::{KeyFrameRequests, Lost};
use super::transport_cc::TransportCc;
use super::{
    APPLICATION, BLOCK, FIR, GOODBYE, NACK, PAYLOAD_FEEDBACK, PLI, RECEIVER_REPORT, REMB,
    ReportBlock, SENDER_INFO, SENDER_REPORT, SenderInfo, TRANSPORT_CC, TRANSPORT_FEEDBACK,
};

/// One message of a compound packet.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// RFC 3550 section 6.4.1.
    SenderReport {
        /// Who reports.
        sender: u32,
        /// Its own stream.
        info: SenderInfo,
        /// What it receives.
        blocks: Blocks<'a>,
    },
    /// RFC 3550 section 6.4.2.
    ReceiverReport {
        /// Who reports.
        sender: u32,
        /// What it receives.
        blocks: Blocks<'a>,
    },
    /// RFC 4585 section 6.2.1: send these again.
    Nack {
        /// Who asks.
        sender: u32,
        /// Of which source.
        media: u32,
        /// The sequence numbers.
        lost: Lost<'a>,
    },
    /// RFC 4585 section 6.3.1: the picture is broken.
    Pli {
        /// Who asks.
        sender: u32,
        /// Of which source.
        media: u32,
    },
    /// RFC 5104 section 4.3.1: send a key frame.
    Fir {
        /// Who asks.
        sender: u32,
        /// Of which sources.
        requests: KeyFrameRequests<'a>,
    },
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01: what arrived when.
    TransportCc(TransportCc<'a>),
    /// draft-alvestrand-rmcat-remb-03: what the receiver thinks its line carries.
    Remb {
        /// Who says so.
        sender: u32,
        /// Bit/s.
        bitrate: u64,
        /// For which sources together.
        sources: Words<'a>,
    },
    /// RFC 3550 section 6.6: these sources are no more.
    Bye {
        /// The sources.
        sources: Words<'a>,
    },
    /// Anything else.
    Other {
        /// Its type.
        packet_type: u8,
        /// The five bits of the header that each type uses in its own way.
        count: u8,
    },
}

/// Why a packet is not RTCP, or no more of it can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not version 2.
    #[error("not RTCP of version 2")]
    Version,
    /// The packet ends before its header says.
    #[error("the packet ends too early")]
    Short,
    /// The padding is longer than the packet, or not that of the last message.
    #[error("the padding is wrong")]
    Padding,
    /// A message is shorter than its counters say.
    #[error("a message is shorter than it claims")]
    Claims,
    /// Transport feedback speaks for more packets than [`MAX_ARRIVALS`].
    #[error("feedback for too many packets")]
    Many,
}

/// The messages of one compound packet. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
    arrivals: usize,
}

impl<'a> Compound<'a> {
    /// Of a packet whose seal was removed.
    pub const fn new(packet: &'a [u8]) -> Self {
        Self {
            rest: packet,
            arrivals: 0,
        }
    }

    fn message(&mut self) -> Result<Message<'a>, Malformed> {
        let (packet_type, count, body) = self.split()?;
        let message = match (packet_type, count) {
            (SENDER_REPORT, _) => sender_report(count, body)?,
            (RECEIVER_REPORT, _) => Message::ReceiverReport {
                sender: word(body, 0)?,
                blocks: Blocks::new(count, &body[4..])?,
            },
            (GOODBYE, _) => Message::Bye {
                sources: Words(
                    body.get(..usize::from(count) * 4)
                        .ok_or(Malformed::Claims)?,
                ),
            },
            (TRANSPORT_FEEDBACK, NACK) => Message::Nack {
                sender: word(body, 0)?,
                media: word(body, 4)?,
                lost: Lost::new(&body[8..]),
            },
            (TRANSPORT_FEEDBACK, TRANSPORT_CC) => {
                let feedback = TransportCc::parse(body)?;
                self.arrivals += usize::from(feedback.count);
                if self.arrivals > MAX_ARRIVALS {
                    return Err(Malformed::Many);
                }
                Message::TransportCc(feedback)
            }
            (PAYLOAD_FEEDBACK, PLI) => Message::Pli {
                sender: word(body, 0)?,
                media: word(body, 4)?,
            },
            (PAYLOAD_FEEDBACK, FIR) => {
                word(body, 4)?; // unused there
                Message::Fir {
                    sender: word(body, 0)?,
                    requests: KeyFrameRequests::new(&body[8..]),
                }
            }
            (PAYLOAD_FEEDBACK, APPLICATION) if body.get(8..12) == Some(&REMB) => remb(body)?,
            _ => Message::Other { packet_type, count },
        };
        Ok(message)
    }

    /// The next message's type, count and body without padding (RFC 3550 section 6.1).
    fn split(&mut self) -> Result<(u8, u8, &'a [u8]), Malformed> {
        let [first, packet_type, high, low, ..] = *self.rest else {
            return Err(Malformed::Short);
        };
        if first >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let len = 4 + usize::from(u16::from_be_bytes([high, low])) * 4;
        let (message, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Short)?;
        self.rest = rest;
        let mut body = &message[4..];
        if first & 0x20 != 0 {
            let padding = usize::from(*body.last().ok_or(Malformed::Padding)?);
            if !rest.is_empty() || padding == 0 || padding > body.len() {
                return Err(Malformed::Padding);
            }
            body = &body[..body.len() - padding];
        }
        Ok((packet_type, first & 0x1f, body))
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.message();
        if message.is_err() {
            self.rest = &[];
        }
        Some(message)
    }
}

/// Report blocks.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a>(&'a [u8]);

impl<'a> Blocks<'a> {
    fn new(count: u8, body: &'a [u8]) -> Result<Self, Malformed> {
        let blocks = body.get(..usize::from(count) * BLOCK);
        blocks.map(Self).ok_or(Malformed::Claims)
    }
}

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<BLOCK>()?;
        self.0 = rest;
        let mut words = Words(block);
        let mut word = || words.next().unwrap_or_default();
        let (ssrc, losses) = (word(), word());
        Some(ReportBlock {
            ssrc,
            fraction_lost: (losses >> 24) as u8,
            lost: (losses << 8) as i32 >> 8, // 24 bits with a sign
            highest_sequence: word(),
            jitter: word(),
            last_report: word(),
            delay: word(),
        })
    }
}

/// Words of 32 bits; what is left over is ignored.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a>(&'a [u8]);

impl Iterator for Words<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }
}

fn sender_report(count: u8, body: &[u8]) -> Result<Message<'_>, Malformed> {
    let info = SenderInfo {
        ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
        rtp_timestamp: word(body, 12)?,
        packets: word(body, 16)?,
        octets: word(body, 20)?,
    };
    Ok(Message::SenderReport {
        sender: word(body, 0)?,
        info,
        blocks: Blocks::new(count, &body[4 + SENDER_INFO..])?,
    })
}

/// Six bits of exponent, eighteen of mantissa, then as many sources as it says.
fn remb(body: &[u8]) -> Result<Message<'_>, Malformed> {
    let bits = word(body, 12)?;
    let sources = (bits >> 24) as usize * 4;
    let (exponent, mantissa) = ((bits >> 18) & 0x3f, u64::from(bits & 0x3_ffff));
    // What does not fit 64 bits is more than any line carries.
    let fits = mantissa.leading_zeros() >= exponent;
    let sources = body.get(16..16 + sources).ok_or(Malformed::Claims)?;
    Ok(Message::Remb {
        sender: word(body, 0)?,
        bitrate: if fits { mantissa << exponent } else { u64::MAX },
        sources: Words(sources),
    })
}

/// The word at this byte.
pub(super) fn word(body: &[u8], at: usize) -> Result<u32, Malformed> {
    let bytes = body.get(at..).and_then(<[u8]>::first_chunk::<4>);
    bytes
        .map(|bytes| u32::from_be_bytes(*bytes))
        .ok_or(Malformed::Claims)
}

/// Packets that the transport feedback of one compound packet may speak for: a second and a half at
/// ten thousand packets a second, and half of what sequence numbers can tell apart at most. Two
/// bytes can claim eight thousand, so without a limit one datagram could cost milliseconds.
pub const MAX_ARRIVALS: usize = 16_384;
