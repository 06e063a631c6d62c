"""Who may pass: the one place that turns an ``Authorization`` value into rights.

Outside ``--dev`` everything needs a token (or, for administration, the API key). Under ``--dev`` the
listener is on loopback alone and no token is needed; one that is given must still verify.
"""

from __future__ import annotations

from headwater.auth.bearer import parse_bearer, same_digest
from headwater.auth.paths import PathSigner
from headwater.auth.tokens import ANY_ROOM, Claims, TokenAuthority
from headwater.errors import Forbidden, Unauthorized

__all__ = ["Gate"]


class Gate:
    """Checks tokens and the API key.

    Args:
        authority: Verifies tokens.
        api_key_digest: SHA-256 of the API key; ``None`` when there is none (``--dev``).
        open_house: Whether requests without a token pass (``--dev``).
    """

    def __init__(
        self, *, authority: TokenAuthority, api_key_digest: bytes | None, open_house: bool = False
    ) -> None:
        self.authority = authority
        self.open_house = open_house
        self.paths = PathSigner(authority.derive_key("signed paths"))
        self._api_key_digest = api_key_digest

    def claims(self, token: str | None) -> Claims | None:
        """Verify a token.

        Returns:
            Its claims, or ``None`` for a guest under ``--dev``.

        Raises:
            Unauthorized: It is missing or does not verify.
        """
        if token is None:
            if self.open_house:
                return None
            raise Unauthorized("a token is needed")
        return self.authority.verify(token)

    def room_claims(self, header: str | None, room: str) -> Claims | None:
        """Verify the token of an ``Authorization`` header for one room.

        Raises:
            Unauthorized: It is missing or does not verify.
            Forbidden: It is for another room.
        """
        claims = self.claims(parse_bearer(header))
        if claims is not None:
            claims.require_room(room)
        return claims

    def require_admin(self, header: str | None) -> None:
        """Let the API key pass, or a token for all rooms with the grant ``admin``.

        Raises:
            Unauthorized: Neither was given.
            Forbidden: The token is valid but not administrative.
        """
        token = parse_bearer(header)
        if token is None and self.open_house:
            return
        if self.is_api_key(token):
            return
        claims = self.claims(token)
        if claims is None or claims.room != ANY_ROOM or not claims.allows("admin"):
            raise Forbidden("this needs the API key, or a token for room '*' with the grant 'admin'")

    def require_creator(self, header: str | None) -> str:
        """Let pass who may make channels: an administrator, or a token for all rooms that may publish.

        Returns:
            The identity of the token; empty for the API key and for a guest under ``--dev``.

        Raises:
            Unauthorized: Neither was given.
            Forbidden: The token is valid but for one room, or does not let publish.
        """
        token = parse_bearer(header)
        if self.is_api_key(token) or (token is None and self.open_house):
            return ""
        claims = self.claims(token)
        if claims is None or claims.room != ANY_ROOM or not (claims.grants & {"publish", "admin"}):
            raise Forbidden("this needs the API key, or a token for room '*' with the grant 'publish'")
        return claims.identity

    def may_view(self, header: str | None, room: str, *, public: bool) -> Claims | None:
        """Let pass who may watch a channel: everybody a public one, a private one who has a token for it.

        Returns:
            The claims of the token; ``None`` for whoever needs none.

        Raises:
            Unauthorized: A token is needed, or the one that was given does not verify.
            Forbidden: It is for another room, or does not let watch.
        """
        token = parse_bearer(header)
        if token is None and public:
            return None
        claims = self.room_claims(header, room)
        if claims is not None:
            claims.require_view()
        return claims

    def bearer(self, header: str | None) -> str | None:
        """Take the token out of an ``Authorization`` header.

        Raises:
            Unauthorized: The header is of another scheme or empty.
        """
        return parse_bearer(header)

    def is_api_key(self, token: str | None) -> bool:
        """Whether this is the API key; compared in constant time."""
        return (
            token is not None
            and self._api_key_digest is not None
            and same_digest(self._api_key_digest, token)
        )
