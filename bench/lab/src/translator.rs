//! An address translator for the client's UDP, asleep until the first rebinding.
//!
//! Until then packets pass as they are. Each [`Translator::rebind`] forgets every mapping: the next
//! datagram from a port leaves from a new one, and what is sent to the old one is lost. IPv4 only,
//! as such translators are; a changed datagram goes without its UDP checksum (RFC 768 allows it).

use std::collections::HashMap;

/// See the module documentation.
#[derive(Debug, Default)]
pub(crate) struct Translator {
    round: u16,
    /// Private port to public port.
    ports: HashMap<u16, u16>,
    used: u16,
}

impl Translator {
    /// Forget all mappings.
    pub(crate) fn rebind(&mut self) {
        self.round += 1;
        self.ports.clear();
    }

    /// Client ports with a mapping since the last rebinding.
    pub(crate) fn mapped(&self) -> usize {
        self.ports.len()
    }

    /// A packet from the client; always true.
    pub(crate) fn outward(&mut self, packet: &mut [u8]) -> bool {
        if self.round > 0
            && let Some(udp) = udp(packet)
        {
            let private = u16::from_be_bytes([udp[0], udp[1]]);
            let used = &mut self.used;
            let public = *self.ports.entry(private).or_insert_with(|| {
                *used += 1;
                FIRST + (*used - 1) % (u16::MAX - FIRST)
            });
            udp[..2].copy_from_slice(&public.to_be_bytes());
            udp[6..8].fill(0);
        }
        true
    }

    /// A packet to the client; false when it is for a port that is no longer its.
    pub(crate) fn inward(&mut self, packet: &mut [u8]) -> bool {
        if self.round == 0 {
            return true;
        }
        let Some(udp) = udp(packet) else {
            return true;
        };
        let public = u16::from_be_bytes([udp[2], udp[3]]);
        let mut ports = self.ports.iter();
        let Some((private, _)) = ports.find(|(_, mapped)| **mapped == public) else {
            return false;
        };
        udp[2..4].copy_from_slice(&private.to_be_bytes());
        udp[6..8].fill(0);
        true
    }
}

/// The UDP part of an IPv4 packet that is no later fragment.
fn udp(packet: &mut [u8]) -> Option<&mut [u8]> {
    let first = *packet.first()?;
    let late_fragment = packet.get(6).is_none_or(|b| b & 0x1f != 0) || *packet.get(7)? != 0;
    if first >> 4 != 4 || *packet.get(9)? != 17 || late_fragment {
        return None;
    }
    let header = usize::from(first & 15) * 4;
    packet.get_mut(header..).filter(|udp| udp.len() >= 8)
}

/// Public ports start here.
const FIRST: u16 = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(from: u16, to: u16) -> Vec<u8> {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[9] = 17;
        packet[20..22].copy_from_slice(&from.to_be_bytes());
        packet[22..24].copy_from_slice(&to.to_be_bytes());
        packet
    }

    #[test]
    fn a_rebinding_gives_a_new_port_and_closes_the_old_one() {
        let mut translator = Translator::default();
        let mut before = datagram(4000, 7000);
        assert!(translator.outward(&mut before));
        assert_eq!(before, datagram(4000, 7000));
        translator.rebind();
        let mut out = datagram(4000, 7000);
        assert!(translator.outward(&mut out));
        assert_eq!(out, datagram(FIRST, 7000));
        assert_eq!(translator.mapped(), 1);
        let mut back = datagram(7000, FIRST);
        assert!(translator.inward(&mut back));
        assert_eq!(back, datagram(7000, 4000));
        assert!(!translator.inward(&mut datagram(7000, 4000)), "the old one");
        translator.rebind();
        assert!(!translator.inward(&mut datagram(7000, FIRST)));
        let mut again = datagram(4000, 7000);
        assert!(translator.outward(&mut again));
        assert_eq!(again, datagram(FIRST + 1, 7000));
    }
}
