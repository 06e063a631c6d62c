"""A Worker over the simulated core, and offers to feed it with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from headwater.media.worker import Worker
from headwater.testing.core import FakeCore

__all__ = ["FakeWorker", "client_offer"]


class FakeWorker(Worker):
    """A Worker over a `FakeCore`; takes the arguments of `headwater.Worker`."""

    @property
    def core(self) -> FakeCore:
        """The simulated core, to script what clients do."""
        return cast("FakeCore", self._core)

    def _make_core(self) -> Any:
        return FakeCore(threads=self._threads or 1, port=self._port or 50000, addresses=self._addresses)


def client_offer(
    *,
    audio: str | Sequence[str] = (),
    video: str | Sequence[str] = (),
    data: bool = False,
    receive: bool = False,
) -> str:
    """Write an offer such as a browser would make.

    Args:
        audio: Track ids of its microphones; with ``receive`` any text per m-line.
        video: Track ids of its cameras and screens; likewise.
        data: Whether it has a data-channel m-line.
        receive: Whether the m-lines receive (WHEP) instead of send.
    """
    direction = "recvonly" if receive else "sendonly"
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-ufrag:test", "a=ice-pwd:" + "p" * 24]
    mid = 0
    for kind, ids in (("audio", audio), ("video", video)):
        for track_id in [ids] if isinstance(ids, str) else ids:
            lines += [f"m={kind} 9 UDP/TLS/RTP/SAVPF 96", f"a=mid:{mid}", f"a={direction}"]
            lines += [] if receive else [f"a=msid:stream {track_id}"]
            mid += 1
    if data:
        lines += ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", f"a=mid:{mid}"]
    return "\r\n".join(lines) + "\r\n"
