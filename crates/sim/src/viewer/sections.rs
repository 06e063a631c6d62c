//! What a browser learns from an offer about the streams it is going to get.

use str0m::media::Mid;

/// One stream of an m-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) mid: Mid,
    pub(crate) ssrc: u32,
    pub(crate) rtx: Option<u32>,
    /// RTP ticks a second.
    pub(crate) clock: u32,
    /// Lost packets are asked for.
    pub(crate) nack: bool,
    /// The header extension with the transport-wide number.
    pub(crate) transport_cc: Option<u8>,
    /// The header extension with the delay that is ordered.
    pub(crate) playout_delay: Option<u8>,
}

/// Payload types of retransmissions, with what they carry.
pub(crate) type Apt = Vec<(u8, u8)>;

/// The streams of an offer, and the payload types of retransmissions.
pub(crate) fn read(sdp: &str) -> (Vec<Offered>, Apt) {
    let (mut streams, mut apt) = (Vec::new(), Apt::new());
    for section in sdp.split("\r\nm=").skip(1) {
        let of = |prefix: &'static str| section.lines().filter_map(move |l| l.strip_prefix(prefix));
        apt.extend(of("a=fmtp:").filter_map(|line| {
            let (pt, rest) = line.split_once(' ')?;
            let carried = rest.strip_prefix("apt=")?;
            Some((pt.parse().ok()?, carried.parse().ok()?))
        }));
        let Some(mid) = of("a=mid:").next().map(Mid::from) else {
            continue;
        };
        let pairs: Vec<(u32, u32)> = of("a=ssrc-group:FID ").filter_map(pair).collect();
        let repairs = |ssrc: u32| pairs.iter().any(|(_, rtx)| *rtx == ssrc);
        let mut ssrcs: Vec<u32> = of("a=ssrc:")
            .filter_map(|l| first(l)?.parse().ok())
            .collect();
        ssrcs.dedup();
        let extension = |name: &str| {
            let line = of("a=extmap:").find(|line| line.contains(name))?;
            line.split([' ', '/']).next()?.parse().ok()
        };
        for ssrc in ssrcs.into_iter().filter(|ssrc| !repairs(*ssrc)) {
            streams.push(Offered {
                mid,
                ssrc,
                rtx: pairs.iter().find(|(m, _)| *m == ssrc).map(|(_, rtx)| *rtx),
                clock: if section.starts_with("audio") {
                    48_000
                } else {
                    90_000
                },
                nack: of("a=rtcp-fb:").any(|line| line.ends_with(" nack")),
                transport_cc: extension("transport-wide-cc"),
                playout_delay: extension("playout-delay"),
            });
        }
    }
    (streams, apt)
}

fn first(line: &str) -> Option<&str> {
    line.split_whitespace().next()
}

fn pair(line: &str) -> Option<(u32, u32)> {
    let (media, repair) = line.split_once(' ')?;
    Some((media.parse().ok()?, repair.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_their_repairs() {
        let sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ssrc:7 cname:x\r\n\
                   m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\n\
                   a=extmap:3/sendonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
                   a=rtcp-fb:96 nack\r\na=fmtp:97 apt=96\r\na=ssrc-group:FID 8 9\r\n\
                   a=ssrc:8 cname:x\r\na=ssrc:9 cname:x\r\n";
        let (streams, apt) = read(sdp);
        assert_eq!(apt, [(97, 96)]);
        let [voice, camera] = streams[..] else {
            panic!("{streams:?}")
        };
        assert_eq!((voice.ssrc, voice.rtx, voice.nack), (7, None, false));
        assert_eq!((camera.ssrc, camera.rtx, camera.nack), (8, Some(9), true));
        assert_eq!((voice.transport_cc, camera.transport_cc), (None, Some(3)));
    }
}
