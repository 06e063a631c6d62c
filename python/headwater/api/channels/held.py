"""What one connection sends or receives, by id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from headwater.errors import HeadwaterError

__all__ = ["Held"]


class _Closable(Protocol):
    """Something of the object model."""

    @property
    def id(self) -> str: ...

    @property
    def closed(self) -> bool: ...


T = TypeVar("T", bound=_Closable)


class Held(Generic[T]):
    """Those of one kind that have not closed.

    Args:
        missing: Makes the error for an id that is not among them.
    """

    def __init__(self, missing: Callable[[], HeadwaterError]) -> None:
        self._missing = missing
        self._items: dict[str, T] = {}

    def __iter__(self) -> Iterator[T]:
        """Those that have not closed, oldest first."""
        return (item for item in list(self._items.values()) if not item.closed)

    def __contains__(self, id_: str) -> bool:
        """Whether it was added and is not forgotten yet."""
        return id_ in self._items

    def add(self, item: T) -> None:
        """Take one in, and forget those that have closed."""
        self._items = {one.id: one for one in (*self, item)}

    def get(self, id_: str) -> T:
        """Return one.

        Raises:
            HeadwaterError: There is none of that id; the error is that of the kind.
        """
        if (item := self._items.get(id_)) is None or item.closed:
            raise self._missing()
        return item

    def pop(self, id_: str) -> T | None:
        """Forget one; twice is fine."""
        return self._items.pop(id_, None)
