"""Who is at the other end of a connection to a channel, and what they may do there."""

from __future__ import annotations

from headwater.auth import Claims, Gate
from headwater.channels import Channel
from headwater.errors import Forbidden, Unauthorized

__all__ = ["Visitor"]


class Visitor:
    """Somebody with or without a token, which is verified when it first matters.

    Args:
        gate: Checks tokens.
        token: The one that came with the connection.
    """

    def __init__(self, gate: Gate, token: str | None) -> None:
        self._gate = gate
        self._token = token
        self._claims: Claims | None = None
        self._verified = False
        self._may_all = False

    @property
    def claims(self) -> Claims | None:
        """What the token says, once it was verified; none for who has none or may do everything."""
        return self._claims

    def show(self, token: str) -> None:
        """Give another token.

        Raises:
            Unauthorized: It does not verify.
        """
        self._token, self._verified = token, False
        self._verify()

    def require_publish(self, channel: Channel | None) -> None:
        """Refuse who may not send.

        Args:
            channel: Where to; none: wherever the token is for.

        Raises:
            Unauthorized: No token was given, or it does not verify.
            Forbidden: The token is for another room, or lacks the grant.
        """
        claims = self._known(channel)
        if claims is not None and not claims.allows("publish"):
            raise Forbidden("the token lacks the grant 'publish'")

    def require_data(self, channel: Channel) -> None:
        """Refuse who may send no messages.

        Raises:
            Unauthorized: No token was given, or it does not verify.
            Forbidden: The token is for another room, or lacks the grant.
        """
        claims = self._known(channel)
        if claims is not None and not claims.grants & {"data", "publish"}:
            raise Forbidden("the token lacks the grant 'data'")

    def require_entry(self, channel: Channel) -> None:
        """Refuse who may neither watch nor send: a public channel is for everybody to watch.

        Raises:
            Unauthorized: No token was given and one is needed, or it does not verify.
            Forbidden: The token is for another room, or lacks the grants.
        """
        if channel.record.visibility == "public":
            self._verify()
        elif (claims := self._known(channel)) is not None and not claims.allows("publish"):
            claims.require_view()

    def require_view(self, channel: Channel) -> None:
        """Refuse who may not watch.

        Raises:
            Unauthorized: No token was given and one is needed, or it does not verify.
            Forbidden: The token is for another room, or lacks the grants.
        """
        if channel.record.visibility != "public" and (claims := self._known(channel)) is not None:
            claims.require_view()

    def _known(self, channel: Channel | None) -> Claims | None:
        self._verify()
        if self._may_all:
            return None
        if self._claims is None:
            raise Unauthorized("a token is needed: authenticate comes first")
        if channel is not None:
            self._claims.require_room(channel.id)
        return self._claims

    def _verify(self) -> None:
        if self._verified:
            return
        gate, token = self._gate, self._token
        self._may_all = gate.is_api_key(token) or (token is None and gate.open_house)
        self._claims = None if self._may_all or token is None else gate.claims(token)
        self._verified = True
