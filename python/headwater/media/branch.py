"""A branch: the part of a router that is on another media thread than its home.

It is made for the first transport there and ends with its router. Nobody sees it: transports,
publishers and subscribers of all branches are the router's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from headwater.media.codec import CodecName
from headwater.media.events import RouterClosed
from headwater.media.object import MediaObject
from headwater.media.seam import Seam

__all__ = ["Branch", "thread_of"]


def thread_of(handle: int) -> int:
    """Return the media thread on which an object lives: the top bits of its handle."""
    return handle >> _THREAD_SHIFT


class Branch(MediaObject):
    """A router's part on one media thread; made by `Router`."""

    _kind = "router"
    _prefix = "rtr"
    _closed_event = RouterClosed

    def __init__(
        self, seam: Seam, home: int, thread: int, codecs: Sequence[CodecName], gone: Callable[[], object]
    ) -> None:
        """Open it; commands that follow to its thread find it there.

        Args:
            seam: The way to the core.
            home: The router's handle.
            thread: Where.
            codecs: The router's.
            gone: Called when it has closed.
        """
        super().__init__(seam, seam.native.allocate_on(thread), None)
        self._gone = gone
        try:
            seam.notify(seam.native.create_branch(self._handle, home, codecs))
        except BaseException:
            self._discard()
            raise

    def _end(self) -> asyncio.Future[Any] | None:
        """Close it with its router; the future is done when the media thread has let go of it."""
        if self._closed is not None or not self._seam.open:
            return None
        ended = self._seam.notify(self._send_close())
        self._mark_closed("parent")
        return ended

    def _on_closed(self) -> None:
        self._gone()

    def _send_close(self) -> int:
        return self._seam.native.close_router(self._handle)


_THREAD_SHIFT = 48
