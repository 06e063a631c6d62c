//! The examples of RFC 3711 appendix B and RFC 7714 sections 16 and 17, and libsrtp's own example
//! where the RFC has none for a whole packet; then both halves against each other.

use aws_lc_rs::hmac;

use super::cipher::{Cipher, Kind, SHA1_KEY};
use super::{Keys, MAX_SALT, OpenError, Opener, Profile, SealError, Sealer, Side};

#[test]
fn keys_are_derived_as_in_rfc_3711_b3() {
    let Cipher::CmSha1(cm) = Cipher::derive(&rfc3711(), Kind::Rtp) else {
        panic!("another cipher")
    };
    assert_eq!(cm.salt().to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
    // Of the authentication key only what it signs can be seen.
    let key = hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    assert!(cm.verify(b"anything", &hmac::sign(&key, b"anything").as_ref()[..10]));
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_b2() {
    let key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
    let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
    let mut sealer = sealer(Profile::Aes128CmSha1_80, &key, &salt, 0);
    let mut packet = [0_u8; 12 + 48 + 10];
    sealer.seal_rtp(12, 48, &mut packet, 0).expect("room");
    let stream = hex(
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
         41E95B3BB0A2E8DD477901E4FCA894C0",
    );
    assert_eq!(packet[12..60], stream);
}

#[test]
fn a_packet_of_cm_and_sha1_is_that_of_libsrtp() {
    let mut sealer = Sealer::new(&rfc3711());
    let mut packet = hex("800f1234decafbadcafebabeabababababababababababababababab");
    packet.resize(packet.len() + 10, 0);
    assert_eq!(sealer.seal_rtp(12, 16, &mut packet, 0x1234), Ok(38));
    let expected =
        hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    assert_eq!(packet, expected);
    let mut opener = Opener::new(&rfc3711());
    let (plain, sequence) = opener.open_rtp(&mut packet).expect("authentic");
    assert_eq!((&plain[12..], sequence), (&[0xab; 16][..], 0x1234));
}

#[test]
fn packets_of_gcm_are_those_of_rfc_7714() {
    for case in &GCM {
        let (key, salt) = (hex(case.key), hex(SALT));
        let mut rtp = hex(RTP);
        let payload = rtp.len() - 12;
        rtp.resize(rtp.len() + 16, 0);
        let mut sealer = sealer(case.profile, &key, &salt, 0x5d4);
        sealer
            .seal_rtp(12, payload, &mut rtp, 0xf17b)
            .expect("room");
        assert_eq!(rtp, hex(case.rtp), "{}", case.profile.name());

        let mut rtcp = hex(RTCP);
        let len = rtcp.len();
        rtcp.resize(len + 20, 0);
        assert_eq!(sealer.seal_rtcp(len, &mut rtcp), Ok(len + 20));
        assert_eq!(rtcp, hex(case.rtcp), "{}", case.profile.name());

        let mut opener = opener(case.profile, &key, &salt);
        assert_eq!(
            opener.open_rtp(&mut rtp).map(|(p, _)| p.to_vec()),
            Ok(hex(RTP))
        );
        assert_eq!(opener.open_rtcp(&mut rtcp), Ok(&hex(RTCP)[..]));
        let mut tagged = [hex(RTCP), hex(case.tag), hex("000005d4")].concat();
        let seen = opener.open_rtcp(&mut tagged.clone()).map(<[u8]>::to_vec);
        assert_eq!(seen, Err(OpenError::Replayed), "the index is the same");
        let mut opener = self::opener(case.profile, &key, &salt);
        assert_eq!(opener.open_rtcp(&mut tagged), Ok(&hex(RTCP)[..]));
    }
}

/// Both directions out of one handshake, over the roll-over of the sequence number.
#[test]
fn what_one_side_seals_the_other_opens() {
    for profile in PROFILES {
        let (mut client, mut server) = both_sides(profile);
        for sequence in 65_500..65_600_u64 {
            let mut packet = rtp_packet(sequence, 0x20, 100);
            let len = client.0.seal_rtp(24, 100, &mut packet, sequence);
            let len = len.expect("room");
            assert_eq!(len, 124 + profile.rtp_overhead());
            let plain = rtp_packet(sequence, 0x20, 100);
            assert_ne!(packet[24..124], plain[24..124]);
            let opened = server.1.open_rtp(&mut packet[..len]).expect("authentic");
            assert_eq!(opened, (&plain[..124], sequence));

            let mut report = [hex("81c90007"), vec![7; 28], vec![0; 24]].concat();
            let len = server.0.seal_rtcp(32, &mut report).expect("room");
            let opened = client.1.open_rtcp(&mut report[..len]).expect("authentic");
            assert_eq!(opened, [hex("81c90007"), vec![7; 28]].concat());
        }
    }
}

#[test]
fn one_number_is_never_sealed_twice() {
    for profile in PROFILES {
        let (mut client, _) = both_sides(profile);
        let mut seal = |sequence: u64, ssrc: u8| {
            let mut packet = rtp_packet(sequence, ssrc, 10);
            client.0.seal_rtp(24, 10, &mut packet, sequence)
        };
        let len = Ok(34 + profile.rtp_overhead());
        assert_eq!(seal(100_000, 1), len);
        assert_eq!(seal(100_000, 1), Err(SealError::Sealed));
        assert_eq!(seal(100_000, 2), len, "of another source");
        assert_eq!(seal(99_000, 1), len, "late, and new");
        assert_eq!(seal(99_000, 1), Err(SealError::Sealed));
        assert_eq!(seal(98_000, 1), Err(SealError::Sealed), "too late to know");
        assert_eq!(seal(1 << 48, 1), Err(SealError::Exhausted));
    }
}

#[test]
fn an_index_of_srtcp_is_never_sealed_twice() {
    let (key, salt) = (hex(GCM[0].key), hex(SALT));
    let mut sealer = sealer(Profile::AeadAes128Gcm, &key, &salt, (1 << 31) - 1);
    let mut packet = [0x80; 64];
    assert_eq!(sealer.seal_rtcp(8, &mut packet), Ok(28));
    assert_eq!(packet[24..28], [0xff; 4]);
    assert_eq!(sealer.seal_rtcp(8, &mut packet), Err(SealError::Exhausted));
}

#[test]
fn a_replay_is_refused_and_a_late_packet_is_not() {
    for profile in PROFILES {
        let (mut client, mut server) = both_sides(profile);
        let mut sent: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for sequence in 1..300 {
            let mut rtp = rtp_packet(sequence, 1, 10);
            let len = client.0.seal_rtp(24, 10, &mut rtp, sequence).expect("room");
            rtp.truncate(len);
            let mut rtcp = [hex("80c90001 00000001"), vec![0; 24]].concat();
            let len = client.0.seal_rtcp(8, &mut rtcp).expect("room");
            rtcp.truncate(len);
            sent.push((rtp, rtcp));
        }
        let mut open = |at: usize| {
            let (mut rtp, mut rtcp) = sent[at].clone();
            (
                server.1.open_rtp(&mut rtp).map(|_| ()),
                server.1.open_rtcp(&mut rtcp).map(|_| ()),
            )
        };
        let both = |outcome| (outcome, outcome);
        assert_eq!(open(200), both(Ok(())));
        assert_eq!(open(150), both(Ok(())), "late");
        assert_eq!(open(200), both(Err(OpenError::Replayed)));
        assert_eq!(open(150), both(Err(OpenError::Replayed)));
        assert_eq!(open(20), both(Err(OpenError::Replayed)), "too late");
        assert_eq!(open(298), both(Ok(())));
    }
}

/// A forged packet neither opens nor moves the windows, whatever part of it is changed.
#[test]
fn a_forged_packet_changes_nothing() {
    for profile in PROFILES {
        let (mut client, mut server) = both_sides(profile);
        let mut rtp = rtp_packet(5, 1, 20);
        let len = client.0.seal_rtp(24, 20, &mut rtp, 5).expect("room");
        rtp.truncate(len);
        let mut rtcp = [hex("80c90001 00000001"), vec![9; 8], vec![0; 24]].concat();
        let len = client.0.seal_rtcp(16, &mut rtcp).expect("room");
        rtcp.truncate(len);
        for bit in 0..rtp.len() * 8 {
            let mut forged = rtp.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(server.1.open_rtp(&mut forged).is_err(), "bit {bit}");
        }
        for bit in 0..rtcp.len() * 8 {
            let mut forged = rtcp.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(server.1.open_rtcp(&mut forged).is_err(), "bit {bit}");
        }
        for len in 0..rtp.len() {
            assert!(server.1.open_rtp(&mut rtp.clone()[..len]).is_err());
        }
        for len in 0..rtcp.len() {
            assert!(server.1.open_rtcp(&mut rtcp.clone()[..len]).is_err());
        }
        assert!(server.1.open_rtp(&mut rtp).is_ok());
        assert!(server.1.open_rtcp(&mut rtcp).is_ok());
    }
}

#[test]
fn a_packet_without_room_is_refused() {
    for profile in PROFILES {
        let (mut client, _) = both_sides(profile);
        let mut packet = rtp_packet(5, 1, 20);
        let short = 44 + profile.rtp_overhead() - 1;
        let refused = client.0.seal_rtp(24, 20, &mut packet[..short], 5);
        assert_eq!(refused, Err(SealError::Room));
        assert_eq!(
            client.0.seal_rtp(11, 20, &mut packet, 5),
            Err(SealError::Room)
        );
        assert!(
            client.0.seal_rtp(24, 20, &mut packet, 5).is_ok(),
            "not spent"
        );
        assert_eq!(client.0.seal_rtcp(7, &mut packet), Err(SealError::Room));
        let refused = client.0.seal_rtcp(packet.len(), &mut packet);
        assert_eq!(refused, Err(SealError::Room));
    }
}

#[test]
fn keys_have_the_length_of_their_profile() {
    for profile in PROFILES {
        let short = vec![1; profile.keying_material() - 1];
        assert!(Keys::from_dtls(profile, &short, Side::Client).is_none());
        assert!(Keys::new(profile, &[1; 15], &[1; 12]).is_none());
    }
}

/// A sealer and an opener on each side.
fn both_sides(profile: Profile) -> ((Sealer, Opener), (Sealer, Opener)) {
    let material: Vec<u8> = (0..profile.keying_material() as u8).collect();
    let side = |side| {
        let (ours, theirs) = Keys::from_dtls(profile, &material, side).expect("enough");
        (Sealer::new(&ours), Opener::new(&theirs))
    };
    (side(Side::Client), side(Side::Server))
}

/// Header with one extension word of 8 bytes (24 bytes in all), payload, room for a tag.
fn rtp_packet(sequence: u64, ssrc: u8, payload: usize) -> Vec<u8> {
    let sequence = (sequence as u16).to_be_bytes();
    let mut packet = vec![
        0x90,
        96,
        sequence[0],
        sequence[1],
        0,
        0,
        0,
        9,
        0,
        0,
        0,
        ssrc,
    ];
    packet.extend(hex("bede0002 1102030405060700"));
    packet.extend((0..payload).map(|at| at as u8));
    packet.resize(24 + payload + 16, 0);
    packet
}

fn rfc3711() -> Keys {
    Keys::new(
        Profile::Aes128CmSha1_80,
        &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
        &hex("0EC675AD498AFEEBB6960B3AABE6"),
    )
    .expect("the profile's lengths")
}

fn session(profile: Profile, key: &[u8], salt: &[u8]) -> Cipher {
    let mut padded = [0; MAX_SALT];
    padded[..salt.len()].copy_from_slice(salt);
    Cipher::new(profile, key, &padded, &[0; SHA1_KEY])
}

fn sealer(profile: Profile, key: &[u8], salt: &[u8], index: u32) -> Sealer {
    let cipher = || session(profile, key, salt);
    Sealer::from_ciphers(profile, cipher(), cipher(), index)
}

fn opener(profile: Profile, key: &[u8], salt: &[u8]) -> Opener {
    let cipher = || session(profile, key, salt);
    Opener::from_ciphers(profile, cipher(), cipher())
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |d: u8| (d as char).to_digit(16).expect("a digit") as u8;
    digits
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

const PROFILES: [Profile; 3] = [
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
    Profile::Aes128CmSha1_80,
];

/// One profile's examples in RFC 7714.
struct Gcm {
    profile: Profile,
    key: &'static str,
    rtp: &'static str,
    rtcp: &'static str,
    /// Of the same RTCP packet, authenticated and not encrypted.
    tag: &'static str,
}

const GCM: [Gcm; 2] = [
    Gcm {
        profile: Profile::AeadAes128Gcm,
        key: "000102030405060708090a0b0c0d0e0f",
        rtp: "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
              42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        rtcp: "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
               730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        tag: "841dd968 3dd78ec9 2ae58790 125f62b3",
    },
    Gcm {
        profile: Profile::AeadAes256Gcm,
        key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        rtp: "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
              b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        rtcp: "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1
               110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        tag: "91db4afb feee5a97 8fab4393 ed2615fe",
    },
];
const SALT: &str = "517569642070726f2071756f";
const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120
                   696e2070 61727465 73207472 6573";
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
                    deadbeef deadbeef deadbeef deadbeef deadbeef";
