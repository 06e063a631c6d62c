"""Tokens, roles, grants and secrets; used by every product and every listener."""

from headwater.auth.bearer import digest, parse_bearer, same_digest
from headwater.auth.gate import Gate
from headwater.auth.grants import ROLE_GRANTS, Grant, Role
from headwater.auth.paths import MAX_PATH_TTL, PathSigner
from headwater.auth.secrets import DEV_SECRET, check_secret, load_api_key_digest, load_secret
from headwater.auth.tokens import Claims, TokenAuthority

__all__ = [
    "DEV_SECRET",
    "MAX_PATH_TTL",
    "ROLE_GRANTS",
    "Claims",
    "Gate",
    "Grant",
    "PathSigner",
    "Role",
    "TokenAuthority",
    "check_secret",
    "digest",
    "load_api_key_digest",
    "load_secret",
    "parse_bearer",
    "same_digest",
]
