//! A look into a DTLS ClientHello, before any DTLS stack has it.
//!
//! Browsers send hellos of more than one datagram (post-quantum key shares), so the fragments
//! are put together first. Only two questions are asked: does the client speak DTLS 1.3, and
//! which SRTP protection profiles does it offer, in which order?

/// Puts a fragmented ClientHello together.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    body: Vec<u8>,
    /// Which bytes of `body` have come.
    seen: Vec<bool>,
}

/// What a ClientHello offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offered {
    /// DTLS 1.3 is among the supported versions (RFC 8446 section 4.2.1).
    pub(crate) dtls13: bool,
    /// SRTP profiles in the client's order (RFC 5764 section 4.1.1).
    pub(crate) profiles: Vec<u16>,
}

impl Offered {
    /// Whether a server that takes the client's first known profile would end on AES-CM with
    /// HMAC-SHA1 although an AEAD profile is on offer.
    pub(crate) fn wastes_aead(&self) -> bool {
        let known = |id: &&u16| [AES_CM_SHA1_80, AEAD_AES_128_GCM, AEAD_AES_256_GCM].contains(id);
        let mut known_profiles = self.profiles.iter().filter(known);
        known_profiles.next() == Some(&AES_CM_SHA1_80) && known_profiles.next().is_some()
    }
}

impl Assembler {
    /// Takes a datagram; answers when the hello is complete and well-formed.
    pub(crate) fn handle_datagram(&mut self, datagram: &[u8]) -> Option<Offered> {
        let mut rest = datagram;
        // RFC 6347 section 4.1: type, version, epoch, sequence number, length.
        while rest.len() >= RECORD_HEADER {
            let len = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            let record = rest.get(RECORD_HEADER..RECORD_HEADER + len)?;
            if rest[0] == HANDSHAKE {
                self.handle_record(record);
            }
            rest = &rest[RECORD_HEADER + len..];
        }
        let complete = !self.seen.is_empty() && self.seen.iter().all(|seen| *seen);
        if complete { parse(&self.body) } else { None }
    }

    /// RFC 6347 section 4.2.2: type, length, message number, fragment offset and length.
    fn handle_record(&mut self, record: &[u8]) {
        let Some((header, fragment)) = record.split_at_checked(HANDSHAKE_HEADER) else {
            return;
        };
        let total = u24(&header[1..4]);
        let offset = u24(&header[6..9]);
        let len = u24(&header[9..12]);
        let fits = header[0] == CLIENT_HELLO && total <= MAX_HELLO && offset + len <= total;
        let Some(fragment) = fragment.get(..len).filter(|_| fits) else {
            return;
        };
        if self.body.len() != total {
            self.body = vec![0; total];
            self.seen = vec![false; total];
        }
        self.body[offset..offset + len].copy_from_slice(fragment);
        self.seen[offset..offset + len].fill(true);
    }
}

/// RFC 8446 section 4.1.2 and RFC 9147 section 5.3.
fn parse(body: &[u8]) -> Option<Offered> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?; // legacy_version, random
    reader.vector8()?; // session id
    reader.vector8()?; // cookie
    reader.vector16()?; // cipher suites
    reader.vector8()?; // compression methods
    let mut extensions = Reader(reader.vector16()?);
    let mut offered = Offered::default();
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut value = Reader(extensions.vector16()?);
        match kind {
            USE_SRTP => offered.profiles = pairs(value.vector16()?),
            SUPPORTED_VERSIONS => offered.dtls13 = pairs(value.vector8()?).contains(&DTLS_1_3),
            _ => {}
        }
    }
    Some(offered)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn vector8(&mut self) -> Option<&'a [u8]> {
        let len = self.take(1)?[0];
        self.take(len.into())
    }

    fn vector16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(len.into())
    }
}

fn pairs(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

fn u24(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | usize::from(*byte))
}

const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// Browsers send 1.5 KB.
const MAX_HELLO: usize = 16 * 1024;
const USE_SRTP: u16 = 14;
const SUPPORTED_VERSIONS: u16 = 43;
const DTLS_1_3: u16 = 0xfefc;
const AES_CM_SHA1_80: u16 = 1;
const AEAD_AES_128_GCM: u16 = 7;
const AEAD_AES_256_GCM: u16 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello with these profiles, as one handshake body.
    fn hello(profiles: &[u16], versions: &[u16]) -> Vec<u8> {
        let list = |values: &[u16]| {
            values
                .iter()
                .flat_map(|v| v.to_be_bytes())
                .collect::<Vec<u8>>()
        };
        let mut srtp = ((profiles.len() * 2) as u16).to_be_bytes().to_vec();
        srtp.extend(list(profiles));
        srtp.push(0);
        let mut supported = vec![(versions.len() * 2) as u8];
        supported.extend(list(versions));
        let mut extensions = Vec::new();
        for (kind, value) in [
            (USE_SRTP, srtp),
            (0x11, vec![1; 900]),
            (SUPPORTED_VERSIONS, supported),
        ] {
            extensions.extend(kind.to_be_bytes());
            extensions.extend((value.len() as u16).to_be_bytes());
            extensions.extend(value);
        }
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    /// The body in datagrams of at most `size` bytes of handshake data.
    fn datagrams(body: &[u8], size: usize) -> Vec<Vec<u8>> {
        let u24 = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
        let fragment = |(index, part): (usize, &[u8])| {
            let mut record = vec![CLIENT_HELLO];
            record.extend(u24(body.len()));
            record.extend([0, 0]);
            record.extend(u24(index * size));
            record.extend(u24(part.len()));
            record.extend(part);
            let mut datagram = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, index as u8];
            datagram.extend((record.len() as u16).to_be_bytes());
            datagram.extend(record);
            datagram
        };
        body.chunks(size).enumerate().map(fragment).collect()
    }

    /// In one piece, in many, and in the wrong order: the same answer, and only at the end.
    #[test]
    fn fragments() {
        let body = hello(&[1, 8, 7], &[0xfefc, 0xfefd]);
        let expected = Offered {
            dtls13: true,
            profiles: vec![1, 8, 7],
        };
        for size in [2000, 700, 37] {
            for backwards in [false, true] {
                let mut parts = datagrams(&body, size);
                if backwards {
                    parts.reverse();
                }
                let last = parts.pop().unwrap();
                let mut assembler = Assembler::default();
                assert!(
                    parts
                        .iter()
                        .all(|part| assembler.handle_datagram(part).is_none())
                );
                assert_eq!(assembler.handle_datagram(&last), Some(expected.clone()));
            }
        }
    }

    /// Chromium's order would waste AEAD, Firefox's would not; a client with CM only has no choice.
    #[test]
    fn profile_orders() {
        let wastes = |profiles: &[u16]| {
            Offered {
                dtls13: true,
                profiles: profiles.to_vec(),
            }
            .wastes_aead()
        };
        assert!(wastes(&[1, 8, 7]));
        assert!(wastes(&[5, 1, 7]));
        assert!(!wastes(&[7, 8, 1, 2]));
        assert!(!wastes(&[1, 2]));
        assert!(!wastes(&[]));
    }

    /// Truncated anywhere, it is no hello and no panic.
    #[test]
    fn truncated() {
        let body = hello(&[1], &[0xfefc]);
        for len in 0..body.len() {
            assert_eq!(parse(&body[..len]), None);
        }
        let whole = &datagrams(&body, 2000)[0];
        for len in 0..whole.len() {
            assert_eq!(Assembler::default().handle_datagram(&whole[..len]), None);
        }
    }
}
