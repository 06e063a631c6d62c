"""Record a room's tracks with FFmpeg: one file per call of `record`, nothing transcoded.

`python examples/record.py talk.mkv` records five seconds of an aiortc peer that stands for a browser.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from aiortc import AudioStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from headwater import Publisher, Router, Worker

FFMPEG = (
    "ffmpeg",
    "-y",
    "-loglevel",
    "error",
    "-protocol_whitelist",
    "file,rtp,udp",
    "-localaddr",
    "127.0.0.1",
)


async def record(router: Router, publishers: list[Publisher], film: str, seconds: float) -> None:
    """Write what the publishers send in the next seconds to a file; its ending picks the container."""
    for publisher in publishers:
        await publisher.wait_active()  # from now on the codec is certain
    with tempfile.TemporaryDirectory() as folder:
        async with await router.create_recording_transport("127.0.0.1", 5004) as recording:
            description = Path(folder) / "room.sdp"
            description.write_text(recording.generate_sdp(*(publisher.id for publisher in publishers)))
            ffmpeg = await asyncio.create_subprocess_exec(
                *FFMPEG, "-i", description, "-c", "copy", film, stdin=asyncio.subprocess.PIPE
            )
            await asyncio.sleep(1)  # FFmpeg does not say when it listens
            for publisher in publishers:
                await recording.start_recording(publisher.id)
            await asyncio.sleep(seconds)
            await ffmpeg.communicate(b"q")


async def main(film: str) -> None:
    alice, tracks = RTCPeerConnection(), (AudioStreamTrack(), VideoStreamTrack())
    for track in tracks:
        alice.addTrack(track)
    await alice.setLocalDescription(await alice.createOffer())
    async with Worker() as worker:
        router = await worker.create_router()
        publishing = await router.create_publish_transport()
        answer = await publishing.get_answer(alice.localDescription.sdp)
        await alice.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        publishers = [await publishing.publish(track.id) for track in tracks]
        await record(router, publishers, film, seconds=5)
        await alice.close()
    print(f"recorded {film}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
