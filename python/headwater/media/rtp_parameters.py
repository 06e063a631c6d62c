"""RTP parameters as mediasoup writes them: what comes in on a plain transport, in one mapping.

::

    {
        "codecs": [
            {"mimeType": "video/VP8", "payloadType": 101, "clockRate": 90000,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}
        ],
        "encodings": [{"ssrc": 22222222}],
    }

Of ``codecs`` the first that is neither RTX nor FEC counts. ``encodings`` names the SSRCs, for simulcast
the smallest picture first; without it whatever has the payload type is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwater.errors import ConfigurationError
from headwater.media.codec import Codec

__all__ = ["RtpParameters", "codec_parameters"]


@dataclass(frozen=True, slots=True)
class RtpParameters:
    """What a plain transport is to take in as one track.

    Attributes:
        codec: Codec, payload type and format parameters.
        ssrcs: SSRCs of its encodings; empty for any.
        nack: Lost packets may be asked for again.
        pli: Key frames may be asked for by PLI.
        fir: Key frames may be asked for by FIR.
        audio_level: Id of the header extension for audio levels (RFC 6464).
    """

    codec: Codec
    ssrcs: tuple[int, ...] = ()
    nack: bool = False
    pli: bool = False
    fir: bool = False
    audio_level: int | None = None

    @classmethod
    def parse(cls, parameters: Mapping[str, Any]) -> RtpParameters:
        """Read a mapping of mediasoup's shape; unknown members are ignored.

        Raises:
            ConfigurationError: A member is missing or makes no sense.
        """
        try:
            return cls._parse(parameters)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"these are no RTP parameters: {error!r}") from error

    @classmethod
    def _parse(cls, parameters: Mapping[str, Any]) -> RtpParameters:
        media = [
            codec
            for codec in parameters["codecs"]
            if codec["mimeType"].partition("/")[2].lower() not in _REPAIR
        ]
        if not media:
            raise ValueError("no media codec")
        chosen = media[0]
        feedback = {(item["type"], item.get("parameter") or "") for item in chosen.get("rtcpFeedback", ())}
        encodings: Sequence[Mapping[str, Any]] = parameters.get("encodings") or ()
        extensions = {item["uri"]: int(item["id"]) for item in parameters.get("headerExtensions", ())}
        return cls(
            codec=_codec(chosen),
            ssrcs=tuple(_ssrc(item["ssrc"]) for item in encodings if item.get("ssrc") is not None),
            nack=("nack", "") in feedback,
            pli=("nack", "pli") in feedback,
            fir=("ccm", "fir") in feedback,
            audio_level=extensions.get(AUDIO_LEVEL),
        )


def codec_parameters(fmtp: str) -> dict[str, int | str]:
    """Split the value of an ``a=fmtp`` line as mediasoup's ``parameters`` has it."""
    pairs = (part.strip().partition("=") for part in fmtp.split(";") if part.strip())
    return {name: int(value) if value.isdecimal() and len(value) < 5 else value for name, _, value in pairs}


def _codec(codec: Mapping[str, Any]) -> Codec:
    mime, payload_type = str(codec["mimeType"]), int(codec["payloadType"])
    if not 0 <= payload_type <= 127:
        raise ValueError(f"payload type {payload_type}")
    channels = codec.get("channels")
    fmtp = ";".join(f"{name}={value}" for name, value in (codec.get("parameters") or {}).items())
    clock_rate = int(codec["clockRate"])
    return Codec(mime, payload_type, clock_rate, None if channels is None else int(channels), fmtp)


def _ssrc(value: object) -> int:
    ssrc = int(str(value))
    if not 0 < ssrc < 1 << 32:
        raise ValueError(f"SSRC {ssrc}")
    return ssrc


AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""RFC 6464."""
_REPAIR = frozenset({"rtx", "red", "ulpfec", "flexfec-03"})
