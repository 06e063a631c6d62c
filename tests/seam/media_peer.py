"""A process of its own that sends audio through a Worker and notes when it comes back.

Run as a program by `test_media.py`. Speaks JSON lines. First ``{"offer": sdp}`` goes out. Then, per
line in:

- ``{"answer": sdp}``: to that offer;
- ``{"offer": sdp}``: for the way back; ``{"answer": sdp}`` goes out, then ``{"flowing": n}`` once
  audio arrives;
- ``{"await_frames": n}``: ``{"flowing": n}`` goes out after so many more;
- ``{"report": true}``: ``{"arrivals": [...]}`` goes out, the system's monotonic clock at each frame;
- ``{"await_end": true}``: ``{"ended": true}`` goes out when the other side has closed both connections.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack

ENOUGH = 25
"""Frames after which audio is taken to flow."""


def tell(**message: Any) -> None:
    """Write one line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def listen(track: MediaStreamTrack, arrivals: list[float], awaited: set[int]) -> None:
    """Note each frame's arrival until the track ends; say when an awaited number is reached."""
    try:
        while True:
            await track.recv()
            arrivals.append(time.monotonic())
            if len(arrivals) in awaited:
                tell(flowing=len(arrivals))
    except MediaStreamError:
        return


async def ended(connection: RTCPeerConnection) -> None:
    """Wait until the other side has closed."""
    changed = asyncio.Event()
    connection.on("connectionstatechange", changed.set)
    while connection.connectionState not in {"closed", "failed"}:
        changed.clear()
        await changed.wait()


async def main() -> None:
    """Publish, subscribe, report."""
    arrivals: list[float] = []
    awaited = {ENOUGH}
    listeners: list[asyncio.Task[None]] = []
    sending, receiving = RTCPeerConnection(), RTCPeerConnection()

    @receiving.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        listeners.append(asyncio.create_task(listen(track, arrivals, awaited)))

    sending.addTransceiver(AudioStreamTrack(), direction="sendonly")
    await sending.setLocalDescription(await sending.createOffer())
    tell(offer=sending.localDescription.sdp)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        message = json.loads(line)
        if "answer" in message:
            await sending.setRemoteDescription(RTCSessionDescription(message["answer"], "answer"))
        elif "offer" in message:
            await receiving.setRemoteDescription(RTCSessionDescription(message["offer"], "offer"))
            await receiving.setLocalDescription(await receiving.createAnswer())
            tell(answer=receiving.localDescription.sdp)
        elif "await_frames" in message:
            awaited.add(len(arrivals) + message["await_frames"])
        elif "report" in message:
            tell(arrivals=arrivals)
        else:
            await asyncio.gather(ended(sending), ended(receiving))
            tell(ended=True)
    await sending.close()
    await receiving.close()
    await asyncio.gather(*listeners)


if __name__ == "__main__":
    asyncio.run(main())
