"""ORTC parameters as mediasoup-client speaks them: JSON in, values out, and the rules between them.

``rtp`` and ``transport`` are the values, ``capabilities`` what a router can do and what of it a client
gets, ``description`` writes the SDP that says the same, for an inside that speaks SDP.
"""

from headwater.protocols.mediasoup.capabilities import (
    ConsumerTerms,
    can_consume,
    consumer_terms,
    match_codecs,
    router_capabilities,
)
from headwater.protocols.mediasoup.description import Sections, receiving_section, sending_section
from headwater.protocols.mediasoup.rtp import (
    RtcpFeedback,
    RtcpParameters,
    RtpCapabilities,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
    RtpParameters,
    RtxParameters,
    parse,
    parse_fmtp,
)
from headwater.protocols.mediasoup.transport import (
    DtlsFingerprint,
    DtlsParameters,
    IceCandidate,
    IceParameters,
    SctpParameters,
    SctpStreamParameters,
    host_candidates,
)

__all__ = [
    "ConsumerTerms",
    "DtlsFingerprint",
    "DtlsParameters",
    "IceCandidate",
    "IceParameters",
    "RtcpFeedback",
    "RtcpParameters",
    "RtpCapabilities",
    "RtpCodecCapability",
    "RtpCodecParameters",
    "RtpEncodingParameters",
    "RtpHeaderExtension",
    "RtpHeaderExtensionParameters",
    "RtpParameters",
    "RtxParameters",
    "SctpParameters",
    "SctpStreamParameters",
    "Sections",
    "can_consume",
    "consumer_terms",
    "host_candidates",
    "match_codecs",
    "parse",
    "parse_fmtp",
    "receiving_section",
    "router_capabilities",
    "sending_section",
]
