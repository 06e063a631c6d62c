//! RTCP: what is written is read again, real packets are understood, and no bytes do harm.

use headwater_core::rtcp::{
    Compound, Full, MAX_ARRIVALS, Malformed, Message, ReportBlock, SenderInfo, Writer,
};

#[test]
fn a_report_survives_the_way() {
    let info = SenderInfo {
        ntp: 0xe1f9_7a0d_3e01_8be0,
        rtp_timestamp: 0xffff_fff0,
        packets: 7,
        octets: 7_000,
    };
    let block = |lost| ReportBlock {
        ssrc: 0xdead_beef,
        fraction_lost: 0x40,
        lost,
        highest_sequence: 0x0001_fffe,
        jitter: 90,
        last_report: 0x1234_5678,
        delay: 65_536,
    };
    let blocks = [block(-3), block(0x7f_ffff)];
    let mut buf = [0xff; 256];
    let mut writer = Writer::new(&mut buf);
    writer.sender_report(1, &info, &blocks).expect("room");
    writer.canonical_name(1, "four").expect("room");
    writer.receiver_report(2, &blocks[..1]).expect("room");
    writer.bye(&[1, 2]).expect("room");
    let len = writer.len();
    let mut messages = Compound::new(&buf[..len]);
    let Some(Ok(Message::SenderReport {
        sender: 1,
        info: read,
        blocks: seen,
    })) = messages.next()
    else {
        panic!("a sender report")
    };
    assert_eq!((read, seen.collect::<Vec<_>>()), (info, blocks.to_vec()));
    let description = messages.next();
    assert!(matches!(
        description,
        Some(Ok(Message::Other {
            packet_type: 202,
            count: 1
        }))
    ));
    let Some(Ok(Message::ReceiverReport {
        sender: 2,
        blocks: seen,
    })) = messages.next()
    else {
        panic!("a receiver report")
    };
    assert_eq!(seen.collect::<Vec<_>>(), blocks[..1]);
    let Some(Ok(Message::Bye { sources })) = messages.next() else {
        panic!("a goodbye")
    };
    assert_eq!(sources.collect::<Vec<_>>(), [1, 2]);
    assert!(messages.next().is_none());
}

#[test]
fn a_name_is_ended_and_aligned() {
    for len in 0..10 {
        let mut buf = [0xff; 64];
        let mut writer = Writer::new(&mut buf);
        writer.canonical_name(9, &"x".repeat(len)).expect("room");
        let end = writer.len();
        assert_eq!(end % 4, 0);
        assert_eq!(usize::from(buf[3]), end / 4 - 1);
        assert_eq!((buf[8], usize::from(buf[9])), (1, len));
        let zeros = &buf[10 + len..end];
        assert!((1..=4).contains(&zeros.len()) && zeros.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn lost_numbers_survive_the_way() {
    let lost = [65_530, 65_531, 65_535, 10, 11, 27, 100, 30_000];
    let mut buf = [0; 128];
    let mut writer = Writer::new(&mut buf);
    writer.nack(1, 2, &lost).expect("room");
    let len = writer.len();
    assert_eq!(
        len,
        12 + 4 * 4,
        "a pair reaches sixteen further, over the end too"
    );
    let Some(Ok(Message::Nack {
        sender: 1,
        media: 2,
        lost: read,
    })) = Compound::new(&buf[..len]).next()
    else {
        panic!("a NACK")
    };
    assert_eq!(read.collect::<Vec<_>>(), lost);
}

#[test]
fn requests_for_key_frames_survive_the_way() {
    let mut buf = [0; 128];
    let mut writer = Writer::new(&mut buf);
    writer.pli(1, 2).expect("room");
    writer.fir(1, 3, 200).expect("room");
    let len = writer.len();
    let mut messages = Compound::new(&buf[..len]);
    let first = messages.next();
    assert!(matches!(
        first,
        Some(Ok(Message::Pli {
            sender: 1,
            media: 2
        }))
    ));
    let Some(Ok(Message::Fir {
        sender: 1,
        requests,
    })) = messages.next()
    else {
        panic!("a FIR")
    };
    assert_eq!(requests.collect::<Vec<_>>(), [(3, 200)]);
}

#[test]
fn a_bitrate_survives_the_way_to_18_digits() {
    for bitrate in [0, 1, 262_143, 262_144, 2_500_000, 10_000_000_000, u64::MAX] {
        let mut buf = [0; 64];
        let mut writer = Writer::new(&mut buf);
        writer.remb(1, bitrate, &[5, 6]).expect("room");
        let len = writer.len();
        let Some(Ok(Message::Remb {
            sender: 1,
            bitrate: read,
            sources,
        })) = Compound::new(&buf[..len]).next()
        else {
            panic!("a REMB")
        };
        assert_eq!(sources.collect::<Vec<_>>(), [5, 6]);
        assert!(
            read <= bitrate && bitrate - read <= bitrate >> 17,
            "{bitrate}: {read}"
        );
    }
    // An exponent that leads beyond 64 bits.
    let mut packet = hex("8fce0004 00000001 00000000 52454d42 00ffffff");
    assert!(matches!(
        Compound::new(&packet).next(),
        Some(Ok(Message::Remb {
            bitrate: u64::MAX,
            ..
        }))
    ));
    packet[16] = 1;
    assert_eq!(
        Compound::new(&packet).next().map(Result::err),
        Some(Some(Malformed::Claims))
    );
}

#[test]
fn arrivals_survive_the_way() {
    let deltas: Vec<Option<i32>> = (0..100)
        .map(|at| match at % 5 {
            0 => None,
            1 => Some(-7),
            2 => Some(255),
            3 => Some(256),
            _ => Some(at),
        })
        .collect();
    let mut buf = [0; 512];
    let mut writer = Writer::new(&mut buf);
    writer
        .transport_cc((1, 2), 65_500, (0xff_ffff, 9), &deltas)
        .expect("room");
    let len = writer.len();
    let Some(Ok(Message::TransportCc(feedback))) = Compound::new(&buf[..len]).next() else {
        panic!("feedback")
    };
    assert_eq!(
        (feedback.sender, feedback.media, feedback.number),
        (1, 2, 9)
    );
    let mut ticks = 0xff_ffff * 256;
    let mut expected = Vec::new();
    for (at, delta) in (0_u16..).zip(&deltas) {
        ticks += i64::from(delta.unwrap_or(0));
        expected.push((65_500_u16.wrapping_add(at), delta.map(|_| ticks)));
    }
    let read: Vec<_> = feedback.arrivals().map(|a| (a.sequence, a.ticks)).collect();
    assert_eq!(read, expected);
}

/// Runs and single bits, as browsers write them, and runs of nothing between.
#[test]
fn every_form_of_status_is_understood() {
    // Three small steps, an empty run, fourteen bits of which the second and the last are set, two
    // that did not arrive out of a run of a hundred; then the steps and two bytes of padding.
    let packet = hex("8fcd0008 00000001 00000002 00010013 00000400
         2003 2000 9001 0064 04 04 04 08 ff 000000");
    let Some(Ok(Message::TransportCc(feedback))) = Compound::new(&packet).next() else {
        panic!("feedback: {:?}", Compound::new(&packet).next())
    };
    let start = 4 * 256;
    let arrivals: Vec<_> = feedback.arrivals().map(|a| a.ticks).collect();
    let mut expected = vec![None; 19];
    for (at, ticks) in [(0, 4), (1, 8), (2, 12), (4, 20), (16, 20 + 255)] {
        expected[at] = Some(start + ticks);
    }
    assert_eq!(arrivals, expected);
}

/// Two bytes may claim 8,191 packets: what one datagram may cost has a limit.
#[test]
fn feedback_for_too_many_packets_is_refused() {
    let feedback = |count: u16| {
        let mut packet = hex("8fcd0000 00000001 00000002 00000000 00000000");
        packet[14..16].copy_from_slice(&count.to_be_bytes());
        packet.extend(hex("1fff").repeat(8));
        packet[3] = (packet.len() / 4 - 1) as u8;
        packet
    };
    let most = MAX_ARRIVALS as u16;
    let read = |packet: &[u8]| {
        Compound::new(packet)
            .map(|m| m.map(|_| ()))
            .collect::<Vec<_>>()
    };
    assert_eq!(read(&feedback(most)), [Ok(())]);
    assert_eq!(read(&feedback(most + 1)), [Err(Malformed::Many)]);
    let both = [feedback(most), feedback(1)].concat();
    assert_eq!(read(&both), [Ok(()), Err(Malformed::Many)]);
}

#[test]
fn malformed_packets_say_why() {
    let why = |text: &str| {
        let packet = hex(text);
        Compound::new(&packet).find_map(Result::err)
    };
    assert_eq!(why("80c9"), Some(Malformed::Short));
    assert_eq!(why("80c90002 00000001"), Some(Malformed::Short));
    assert_eq!(why("40c90001 00000001"), Some(Malformed::Version));
    assert_eq!(
        why("81c90001 00000001"),
        Some(Malformed::Claims),
        "a block is missing"
    );
    assert_eq!(
        why("80c80001 00000001"),
        Some(Malformed::Claims),
        "no sender's part"
    );
    assert_eq!(
        why("81cd0001 00000001"),
        Some(Malformed::Claims),
        "no source"
    );
    assert_eq!(why("81cb0000"), Some(Malformed::Claims));
    assert_eq!(why("a0c90001 00000000"), Some(Malformed::Padding));
    assert_eq!(why("a0c90001 00000009"), Some(Malformed::Padding));
    assert_eq!(
        why("a0c90002 00000001 00000004 80c90001 00000001"),
        Some(Malformed::Padding)
    );
    assert_eq!(why("a0c90002 00000001 00000004"), None);
    assert_eq!(why(""), None);
    // After an error there is nothing more.
    let packet = hex("81c90001 00000001 80c90001 00000001");
    assert_eq!(Compound::new(&packet).count(), 1);
}

#[test]
fn what_has_no_room_is_not_written() {
    let mut buf = [0; 30];
    let mut writer = Writer::new(&mut buf);
    writer.pli(1, 2).expect("room");
    assert_eq!(
        writer.sender_report(1, &SenderInfo::default(), &[]),
        Err(Full)
    );
    assert_eq!(
        writer.bye(&[0; 32]),
        Err(Full),
        "more than the counter can say"
    );
    assert_eq!(
        writer.transport_cc((1, 2), 0, (0, 0), &[Some(40_000)]),
        Err(Full)
    );
    assert_eq!(writer.len(), 12);
    writer.pli(3, 4).expect("room");
    assert_eq!(writer.len(), 24);
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |d: u8| (d as char).to_digit(16).expect("a digit") as u8;
    digits
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
