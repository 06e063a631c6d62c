"""FFmpeg pushes a test picture into a room by plain RTP; whoever is in the room can watch it.

`python examples/plain_in.py` pushes for five seconds and tells what arrived.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from headwater import Publisher, Router, Worker

FFMPEG = (
    *("ffmpeg", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=15"),
    *("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k", "-g", "15"),
    *("-f", "rtp", "-payload_type", "101", "-ssrc", "22222222"),
)

VIDEO = {
    "codecs": [{"mimeType": "video/VP8", "payloadType": 101, "clockRate": 90000}],
    "encodings": [{"ssrc": 22222222}],
}


@contextlib.asynccontextmanager
async def film(router: Router) -> AsyncIterator[Publisher]:
    """Have FFmpeg send, and give the publisher."""
    transport = await router.create_plain_transport(comedia=True)
    publisher = await transport.produce("video", VIDEO)
    port = transport.tuple.local_port
    ffmpeg = await asyncio.create_subprocess_exec(
        *FFMPEG, f"rtp://127.0.0.1:{port}?pkt_size=1200", stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield publisher
    finally:
        ffmpeg.terminate()
        await ffmpeg.wait()
        await transport.close()


async def tell(publisher: Publisher, seconds: float) -> None:
    codec = await publisher.wait_active()
    await asyncio.sleep(seconds)
    stats = await publisher.get_stats()
    print(f"{codec.mime}: {stats['packets_received']} packets, {stats['key_frames']} key frames")


async def main() -> None:
    async with Worker() as worker:
        router = await worker.create_router()
        async with film(router) as publisher:
            await tell(publisher, seconds=5)


if __name__ == "__main__":
    asyncio.run(main())
