//! Touches on the SDP that str0m writes: our ICE credentials and the `msid` of reused m-lines.

use str0m::IceCreds;

/// Whose media an m-line carries, as told to browsers by `msid` (RFC 8830).
pub(crate) struct Msid {
    pub(crate) mid: String,
    pub(crate) stream: String,
    pub(crate) track: String,
}

/// Puts `ours` where str0m wrote `theirs`.
pub(crate) fn replace_credentials(sdp: &str, theirs: &IceCreds, ours: &IceCreds) -> String {
    sdp.replace(&theirs.ufrag, &ours.ufrag)
        .replace(&theirs.pass, &ours.pass)
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
