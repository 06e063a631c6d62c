"""What takes from a publisher: it hangs on its transport as any object, and on the publisher besides.

The publisher knows it from the moment when the core has made it until it closes, and closes it first.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from headwater.media.object import MediaObject

__all__ = ["Taking"]


class _Taken(Protocol):
    """What can be taken from."""

    def _taken(self, item: Any) -> None: ...

    def _released(self, item: Any) -> None: ...


P = TypeVar("P", bound=_Taken)


class Taking(MediaObject, Generic[P]):
    """What a subscriber, a data subscriber and a recording track have in common."""

    _publisher: P

    @property
    def publisher(self) -> P:
        """Where it takes what it passes on."""
        return self._publisher

    # -- for the other classes of this package ------------------------------------------------------

    def _adopted(self) -> None:
        """Hang on the publisher too."""
        super()._adopted()
        self._publisher._taken(self)

    def _on_closed(self) -> None:
        self._publisher._released(self)
