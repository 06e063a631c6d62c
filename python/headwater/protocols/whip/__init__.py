"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): the wire format of both, without I/O."""

from headwater.protocols.whip.fragment import Fragment, candidates_of, fragment_of_answer, parse_fragment
from headwater.protocols.whip.headers import (
    SDP,
    TRICKLE_FRAGMENT,
    accepts,
    entity_tag,
    is_media_type,
    link_header,
    matches,
)
from headwater.protocols.whip.restart import with_credentials

__all__ = [
    "SDP",
    "TRICKLE_FRAGMENT",
    "Fragment",
    "accepts",
    "candidates_of",
    "entity_tag",
    "fragment_of_answer",
    "is_media_type",
    "link_header",
    "matches",
    "parse_fragment",
    "with_credentials",
]
