"""The SDP that says what ORTC parameters say, as if the client had offered it.

A client by parameters exchanges no SDP, and the core negotiates by it. So each change is written as the
offer that a client with these parameters would make: first the m-line of the data channels, then one
per track, in an order that stays (RFC 8829 section 5.2.2).

States of an m-line::

    live ──close──► ended ──in an offer with port 0──► free ──taken over by a new one──► live

The client's ICE credentials are not known and stand for nothing; the core learns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from headwater.errors import InvalidMessage, LimitReached
from headwater.protocols.mediasoup.rtp import (
    Kind,
    RtpCodecParameters,
    RtpHeaderExtensionParameters,
    RtpParameters,
)
from headwater.protocols.mediasoup.transport import DtlsParameters

__all__ = ["Section", "Sections", "receiving_section", "sending_section"]


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line."""

    mid: str
    media: str
    lines: tuple[str, ...]
    state: Literal["live", "ended", "free"] = "live"


class Sections:
    """The m-lines of one transport, and the offers that change them.

    `offer` writes what the next state would be, and `commit` takes it once the core has accepted it.
    """

    def __init__(self) -> None:
        self._sections: list[Section] = [_DATA]
        self._planned: list[Section] | None = None
        self._version = 0

    @property
    def mids(self) -> frozenset[str]:
        """Those that are in use, or were and nobody has been told of their end."""
        return frozenset(section.mid for section in self._sections if section.state != "free")

    @property
    def begun(self) -> bool:
        """Whether an offer was accepted."""
        return self._version > 0

    def end(self, mid: str) -> None:
        """Let a track's m-line end with the next offer; one that is not there is fine."""
        for place, section in enumerate(self._sections):
            if section.mid == mid and section.state == "live":
                self._sections[place] = replace(section, state="ended")

    def offer(self, dtls: DtlsParameters | None, new: Section | None = None) -> str:
        """Write an offer.

        Args:
            dtls: The client's; ``None`` while it has not told.
            new: An m-line to add.

        Raises:
            InvalidMessage: Its mid is in use, or the client's certificate is hashed as we cannot.
            LimitReached: There are too many m-lines.
        """
        planned = list(self._sections)
        if new is not None:
            self._place(planned, new)
        self._planned = planned
        bundled = " ".join(section.mid for section in planned if section.state == "live")
        lines = [
            "v=0",
            f"o=- 1 {self._version + 1} IN IP4 0.0.0.0",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE {bundled}",
            *_dtls_lines(dtls),
        ]
        for section in planned:
            lines += _section_lines(section)
        return "".join(f"{line}\r\n" for line in lines)

    def commit(self) -> None:
        """Take over the state that the last offer described."""
        if self._planned is not None:
            self._sections = [
                replace(section, state="free") if section.state == "ended" else section
                for section in self._planned
            ]
            self._planned = None
            self._version += 1

    def _place(self, planned: list[Section], new: Section) -> None:
        if any(section.mid == new.mid for section in planned):
            raise InvalidMessage(f"the mid {new.mid!r} is in use")
        for place, section in enumerate(planned):
            if section.state == "free":
                planned[place] = new
                return
        if len(planned) >= _MOST_SECTIONS:
            raise LimitReached(f"a transport carries up to {_MOST_SECTIONS - 1} tracks")
        planned.append(new)


def sending_section(kind: Kind, mid: str, parameters: RtpParameters) -> Section:
    """The m-line of a track that the client sends.

    Raises:
        InvalidMessage: A codec is of another kind, or an encoding cannot be told from another.
    """
    lines = _rtp_lines(kind, mid, parameters.codecs, parameters.header_extensions)
    lines.append("a=sendonly")
    if parameters.msid is not None:
        lines.append(f"a=msid:{parameters.msid}")
    rids = [encoding.rid for encoding in parameters.encodings if encoding.rid is not None]
    if rids:
        if len(rids) != len(parameters.encodings):
            raise InvalidMessage("either every encoding has a rid or none")
        lines += [f"a=rid:{rid} send" for rid in rids]
        lines.append(f"a=simulcast:send {';'.join(rids)}")
    else:
        lines += _source_lines(parameters)
    return Section(mid, _media_line(kind, parameters.codecs), tuple(lines))


def receiving_section(
    kind: Kind,
    mid: str,
    codecs: Sequence[RtpCodecParameters],
    extensions: Sequence[RtpHeaderExtensionParameters],
) -> Section:
    """The m-line of a track that the client receives."""
    lines = _rtp_lines(kind, mid, codecs, extensions)
    return Section(mid, _media_line(kind, codecs), (*lines, "a=recvonly"))


def _source_lines(parameters: RtpParameters) -> list[str]:
    cname = parameters.rtcp.cname or "-"
    lines, mains = [], []
    for encoding in parameters.encodings:
        if encoding.ssrc is None:
            if len(parameters.encodings) > 1:
                raise InvalidMessage("one of several encodings has neither rid nor SSRC")
            continue
        mains.append(encoding.ssrc)
        lines.append(f"a=ssrc:{encoding.ssrc} cname:{cname}")
        if encoding.rtx is not None:
            lines.append(f"a=ssrc:{encoding.rtx.ssrc} cname:{cname}")
            lines.append(f"a=ssrc-group:FID {encoding.ssrc} {encoding.rtx.ssrc}")
    if len(mains) > 1:
        lines.append(f"a=ssrc-group:SIM {' '.join(map(str, mains))}")
    return lines


def _rtp_lines(
    kind: Kind,
    mid: str,
    codecs: Sequence[RtpCodecParameters],
    extensions: Sequence[RtpHeaderExtensionParameters],
) -> list[str]:
    lines = [f"a=mid:{mid}", "a=rtcp-mux", "a=rtcp-rsize"]
    lines += [f"a=extmap:{extension.id} {extension.uri}" for extension in extensions if not extension.encrypt]
    for codec in codecs:
        media, _, name = codec.mime_type.partition("/")
        if media.lower() != kind:
            raise InvalidMessage(f"{codec.mime_type} is not {kind}")
        channels = f"/{codec.channels}" if (codec.channels or 1) > 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {name}/{codec.clock_rate}{channels}")
        for feedback in codec.rtcp_feedback:
            words = f"{feedback.type} {feedback.parameter}".strip()
            lines.append(f"a=rtcp-fb:{codec.payload_type} {words}")
        if codec.parameters:
            values = ";".join(f"{name}={value}" for name, value in codec.parameters.items())
            lines.append(f"a=fmtp:{codec.payload_type} {values}")
    return lines


def _media_line(kind: Kind, codecs: Sequence[RtpCodecParameters]) -> str:
    numbers = " ".join(str(codec.payload_type) for codec in codecs)
    return f"{kind} %d UDP/TLS/RTP/SAVPF {numbers}"


def _section_lines(section: Section) -> list[str]:
    if section.state == "live":
        return [f"m={section.media % 9}", "c=IN IP4 0.0.0.0", *section.lines]
    kept = [line for line in section.lines if line.startswith(("a=mid:", "a=rtpmap:"))]
    return [f"m={section.media % 0}", "c=IN IP4 0.0.0.0", *kept, "a=inactive"]


def _dtls_lines(dtls: DtlsParameters | None) -> list[str]:
    algorithm, value, role = "sha-256", _NO_DIGEST, "client"
    if dtls is not None:
        fingerprint = dtls.fingerprint()
        if fingerprint is None:
            raise InvalidMessage("a fingerprint by sha-256 is needed")
        algorithm, value, role = fingerprint.algorithm, fingerprint.value, dtls.role
    setup = {"client": "active", "server": "passive", "auto": "actpass"}[role]
    return [
        "a=ice-ufrag:unknown",
        "a=ice-pwd:unknownunknownunknownunknown",
        f"a=fingerprint:{algorithm} {value}",
        f"a=setup:{setup}",
    ]


_NO_DIGEST = ":".join(["00"] * 32)
"""Stands for a certificate that the client has yet to name: no certificate has it."""
_DATA = Section(
    "data",
    "application %d UDP/DTLS/SCTP webrtc-datachannel",
    ("a=mid:data", "a=sctp-port:5000", "a=max-message-size:262144"),
)
_MOST_SECTIONS = 64
