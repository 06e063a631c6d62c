//! Touches on the SDP that str0m writes: our ICE credentials, the `msid` of reused m-lines, the
//! SSRCs of what we send, and the codecs of an answer in the order of the offer.

use str0m::IceCreds;

use crate::egress::Sources;
use crate::sdp_in::Section;
use crate::transport::webrtc::Line;

/// Whose media an m-line carries, as told to browsers by `msid` (RFC 8830).
pub(crate) struct Msid {
    pub(crate) mid: String,
    pub(crate) stream: String,
    pub(crate) track: String,
}

/// The SSRCs to name on an m-line (RFC 5576).
pub(crate) struct Named {
    pub(crate) mid: String,
    pub(crate) sources: Sources,
}

impl Named {
    pub(crate) fn new(line: &Line) -> Self {
        Self {
            mid: line.mid.to_string(),
            sources: line.sources,
        }
    }
}

/// Puts `ours` where str0m wrote `theirs`.
pub(crate) fn replace_credentials(sdp: &str, theirs: &IceCreds, ours: &IceCreds) -> String {
    sdp.replace(&theirs.ufrag, &ours.ufrag)
        .replace(&theirs.pass, &ours.pass)
}

/// Puts these ICE credentials in the place of all that a description names.
pub(crate) fn with_credentials(sdp: &str, credentials: &IceCreds) -> String {
    let mut out = String::with_capacity(sdp.len() + 64);
    for line in sdp.lines() {
        match line.split_once(':') {
            Some(("a=ice-ufrag", _)) => out.push_str(&format!("a=ice-ufrag:{}", credentials.ufrag)),
            Some(("a=ice-pwd", _)) => out.push_str(&format!("a=ice-pwd:{}", credentials.pass)),
            _ => out.push_str(line),
        }
        out.push_str("\r\n");
    }
    out
}

/// Rewrites the `msid` lines of the named m-lines. str0m fixes a line's msid when the line is
/// made, but a line outlives its first subscriber.
pub(crate) fn replace_msids(sdp: &str, msids: &[Msid]) -> String {
    let mut out = String::with_capacity(sdp.len() + 64 * msids.len());
    for section in split_sections(sdp) {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
        let msid = mid.and_then(|mid| msids.iter().find(|msid| msid.mid == mid));
        let Some(msid) = msid else {
            out.push_str(section);
            continue;
        };
        for line in section.lines() {
            if line.starts_with("a=msid:") {
                out.push_str(&format!("a=msid:{} {}", msid.stream, msid.track));
            } else if let Some((ssrc, _)) = line.split_once(" msid:") {
                out.push_str(&format!("{ssrc} msid:{} {}", msid.stream, msid.track));
            } else {
                out.push_str(line);
            }
            out.push_str("\r\n");
        }
    }
    out
}

/// Names our SSRCs on these m-lines, and none on any other.
pub(crate) fn replace_sources(sdp: &str, named: &[Named], cname: &str) -> String {
    let mut out = String::with_capacity(sdp.len() + 256 * named.len());
    for section in split_sections(sdp) {
        let (mut mid, mut msid, mut has_rtx) = ("", "", false);
        for line in section.lines() {
            if line.starts_with("a=ssrc:") || line.starts_with("a=ssrc-group:") {
                continue;
            }
            mid = line.strip_prefix("a=mid:").unwrap_or(mid);
            msid = line.strip_prefix("a=msid:").unwrap_or(msid);
            has_rtx |= line.starts_with("a=rtpmap:") && line.contains(" rtx/");
            out.push_str(line);
            out.push_str("\r\n");
        }
        if let Some(Named { sources, .. }) = named.iter().find(|named| named.mid == mid) {
            let rtx = sources.rtx.filter(|_| has_rtx);
            for ssrc in std::iter::once(sources.ssrc).chain(rtx) {
                out.push_str(&format!("a=ssrc:{ssrc} cname:{cname}\r\n"));
                out.push_str(&format!("a=ssrc:{ssrc} msid:{msid}\r\n"));
            }
            if let Some(rtx) = rtx {
                out.push_str(&format!("a=ssrc-group:FID {} {rtx}\r\n", sources.ssrc));
            }
        }
    }
    out
}

/// Asks for lost sound too: a line of feedback for every Opus payload type that lacks it (RFC 4585
/// section 4.2). str0m names it for video only; browsers follow it in answers as in offers.
pub(crate) fn with_audio_nack(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len() + 64);
    for section in split_sections(sdp) {
        for line in section.split_inclusive('\n') {
            out.push_str(line);
            let format = line.strip_prefix("a=rtpmap:");
            let Some((payload_type, codec)) = format.and_then(|format| format.split_once(' '))
            else {
                continue;
            };
            let asked = format!("a=rtcp-fb:{payload_type} nack\r\n");
            if codec.to_ascii_lowercase().starts_with("opus/") && !section.contains(&asked) {
                out.push_str(&asked);
            }
        }
    }
    out
}

/// Whether video is answered with transport-wide feedback, and with the numbers it is about.
pub(crate) fn has_transport_cc(answer: &str) -> bool {
    split_sections(answer).any(|section| {
        section.starts_with("m=video ")
            && !section.starts_with("m=video 0 ")
            && section.contains(" transport-cc\r\n")
            && section.contains("transport-wide-cc-extensions")
    })
}

/// Leaves REMB in an answer where it was offered and `counts`: str0m names it everywhere.
pub(crate) fn with_remb(answer: &str, offered: &[Section], counts: bool) -> String {
    let mut out = String::with_capacity(answer.len());
    for section in split_sections(answer) {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
        let offer = mid.and_then(|mid| offered.iter().find(|section| section.mid == mid));
        let is_kept = counts && offer.is_some_and(Section::takes_remb);
        let lines = section.split_inclusive('\n');
        let is_remb =
            |line: &str| line.starts_with("a=rtcp-fb:") && line.trim_end().ends_with(" goog-remb");
        out.extend(lines.filter(|line| is_kept || !is_remb(line)));
    }
    out
}

/// Puts RED (RFC 2198) in front of the sound it protects: browsers list it last and send what the
/// answer lists first. Who cannot take RED gets the sound out of it.
pub(crate) fn with_red_first(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len());
    for section in split_sections(sdp) {
        let mut formats = section
            .lines()
            .filter_map(|line| line.strip_prefix("a=rtpmap:"));
        let red =
            formats.find_map(|format| format.split_once(' ').filter(|(_, codec)| is_red(codec)));
        let (Some((red, _)), Some((line, rest))) = (red, section.split_once("\r\n")) else {
            out.push_str(section);
            continue;
        };
        let mut words: Vec<&str> = line.split(' ').collect();
        if let Some(payload_types) = words.get_mut(3..) {
            payload_types.sort_by_key(|word| *word != red);
        }
        out.push_str(&words.join(" "));
        out.push_str("\r\n");
        out.push_str(rest);
    }
    out
}

fn is_red(codec: &str) -> bool {
    codec.to_ascii_lowercase().starts_with("red/48000")
}

/// Lists the payload types of an answer as the offer lists them: the offerer's preference decides
/// what it sends (RFC 3264 section 6.1), while str0m writes its own order.
pub(crate) fn in_offered_order(answer: &str, offered: &[Section]) -> String {
    let mut out = String::with_capacity(answer.len());
    for section in split_sections(answer) {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
        let offer = mid.and_then(|mid| offered.iter().find(|section| section.mid == mid));
        let (Some(offer), Some((line, rest))) = (offer, section.split_once("\r\n")) else {
            out.push_str(section);
            continue;
        };
        let mut words: Vec<&str> = line.split(' ').collect();
        let place = |word: &&str| offer.payload_types.iter().position(|other| other == word);
        if let Some(payload_types) = words.get_mut(3..) {
            payload_types.sort_by_key(|word| place(word).unwrap_or(usize::MAX));
        }
        out.push_str(&words.join(" "));
        out.push_str("\r\n");
        out.push_str(rest);
    }
    out
}

/// The session part and each m-section with its own `m=` line.
fn split_sections(sdp: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(sdp);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.find("\nm=") {
            Some(at) => {
                rest = Some(&text[at + 1..]);
                Some(&text[..=at])
            }
            None => rest.take(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn red_goes_before_the_sound_in_it() {
        let sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63 0\r\na=rtpmap:111 opus/48000/2\r\n\
                   a=rtpmap:63 red/48000/2\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n";
        let first = with_red_first(sdp);
        assert_eq!(first, sdp.replace("SAVPF 111 63 0", "SAVPF 63 111 0"));
    }

    #[test]
    fn opus_asks_for_what_is_lost_and_only_once() {
        let sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=rtpmap:111 opus/48000/2\r\n\
                   a=rtpmap:63 red/48000/2\r\na=mid:0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
                   a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\n";
        let with = with_audio_nack(sdp);
        let line = "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\na=rtpmap:63";
        assert!(with.contains(line), "{with}");
        assert_eq!(with.matches(" nack").count(), 2);
        assert_eq!(with_audio_nack(&with), with);
    }

    #[test]
    fn an_answer_follows_the_order_of_the_offer() {
        let mut video = Section::default();
        video.mid = "0".to_owned();
        video.payload_types = ["98", "99", "96", "97"].map(str::to_owned).to_vec();
        let offered = [video];
        let answer = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\na=mid:0\r\n\
                      m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n";
        let expected = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97\r\na=mid:0\r\n\
                        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n";
        assert_eq!(in_offered_order(answer, &offered), expected);
    }
}
