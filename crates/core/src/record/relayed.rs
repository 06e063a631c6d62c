//! What other media threads say, in a recording. Data channels decide nothing and are left out.

use std::time::Instant;

use super::sample;
use super::wire::{Reader, Wire, wire_struct};
use crate::ids::PublisherId;
use crate::relay::{Facts, Kind, MediaFacts, RelayMessage, RelayedPacket};

wire_struct!(MediaFacts {
    transport,
    kind,
    codec,
    format,
    paused,
    content,
    rids,
});

impl RelayMessage {
    /// Whether decisions follow from it.
    pub(crate) const fn is_decisive(&self) -> bool {
        !matches!(self, Self::Message(_) | Self::Channel { .. })
    }

    pub(super) fn write(&self, now: Instant, out: &mut Vec<u8>) {
        match self {
            Self::Open { track, router } => {
                out.push(0);
                track.put(out);
                router.put(out);
            }
            Self::Opened { track, facts } => {
                out.push(1);
                track.put(out);
                facts.write(out);
            }
            Self::Refused { track } => {
                out.push(2);
                track.put(out);
            }
            Self::Close { track } => {
                out.push(3);
                track.put(out);
            }
            Self::Closed { track } => {
                out.push(4);
                track.put(out);
            }
            Self::Packet(packet) => {
                out.push(5);
                packet.publisher.put(out);
                packet.rid.put(out);
                packet.format.put(out);
                sample::put(&packet.rtp, now, out);
            }
            Self::KeyFrame { publisher, rid } => {
                out.push(6);
                publisher.put(out);
                rid.put(out);
            }
            Self::Paused { publisher, paused } => {
                out.push(7);
                publisher.put(out);
                paused.put(out);
            }
            Self::Reset => out.push(8),
            Self::Voices(voices) => {
                out.push(11);
                voices.put(out);
            }
            Self::Ranking { branch, ranking } => {
                out.push(12);
                branch.put(out);
                ranking.put(out);
            }
            Self::Wanted { publisher, layer } => {
                out.push(9);
                publisher.put(out);
                layer.put(out);
            }
            Self::Content { publisher, content } => {
                out.push(10);
                publisher.put(out);
                content.put(out);
            }
            Self::Message(_) | Self::Channel { .. } => {}
        }
    }

    pub(super) fn read(from: &mut Reader<'_>, now: Instant) -> Option<Self> {
        Some(match from.byte()? {
            0 => Self::Open {
                track: Wire::take(from)?,
                router: Wire::take(from)?,
            },
            1 => Self::Opened {
                track: Wire::take(from)?,
                facts: Box::new(Facts::read(from)?),
            },
            2 => Self::Refused {
                track: Wire::take(from)?,
            },
            3 => Self::Close {
                track: Wire::take(from)?,
            },
            4 => Self::Closed {
                track: Wire::take(from)?,
            },
            5 => {
                let publisher = PublisherId::take(from)?;
                let rid = Wire::take(from)?;
                let format = Wire::take(from)?;
                let rtp = sample::take(from, now)?;
                Self::Packet(Box::new(RelayedPacket {
                    publisher,
                    rtp,
                    rid,
                    format,
                }))
            }
            6 => Self::KeyFrame {
                publisher: Wire::take(from)?,
                rid: Wire::take(from)?,
            },
            7 => Self::Paused {
                publisher: Wire::take(from)?,
                paused: Wire::take(from)?,
            },
            8 => Self::Reset,
            9 => Self::Wanted {
                publisher: Wire::take(from)?,
                layer: Wire::take(from)?,
            },
            11 => Self::Voices(Box::new(Wire::take(from)?)),
            12 => Self::Ranking {
                branch: Wire::take(from)?,
                ranking: Box::new(Wire::take(from)?),
            },
            10 => Self::Content {
                publisher: Wire::take(from)?,
                content: Wire::take(from)?,
            },
            _ => return None,
        })
    }
}

impl Facts {
    fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Kind::Media(facts) => {
                out.push(0);
                facts.put(out);
            }
            Kind::Data { label, .. } => {
                out.push(1);
                label.put(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self(match from.byte()? {
            0 => Kind::Media(Wire::take(from)?),
            1 => Kind::Data {
                label: Wire::take(from)?,
                config: None,
            },
            _ => return None,
        }))
    }
}
