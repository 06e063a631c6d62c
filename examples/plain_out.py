"""Send a room's tracks to FFmpeg, encrypted: it writes them to a file, and nobody can add to it.

`python examples/plain_out.py talk.mkv` records five seconds of an aiortc peer that stands for a browser.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from aiortc import AudioStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from headwater import PlainTransport, PortPair, Publisher, Router, Worker

FFMPEG = (
    *("ffmpeg", "-y", "-loglevel", "error", "-protocol_whitelist", "file,rtp,udp,srtp"),
    *("-localaddr", "127.0.0.1"),
)


async def send(router: Router, publisher: Publisher, ports: PortPair) -> PlainTransport:
    """Prepare to send a publisher's packets to a pair of ports."""
    transport = await router.create_plain_transport(rtcp_mux=False, srtp="AES_CM_128_HMAC_SHA1_80")
    await transport.connect("127.0.0.1", ports.port, ports.rtcp_port)
    track = await transport.consume(publisher.id, paused=True)
    print(f"{track.codec.mime} goes to port {ports.port}")
    return transport


async def record(router: Router, publishers: list[Publisher], film: str, seconds: float) -> None:
    """Write what the publishers send in the next seconds to a file; its ending picks the container."""
    pairs = [PortPair.reserve() for _ in publishers]
    transports = []
    for publisher, ports in zip(publishers, pairs, strict=True):
        await publisher.wait_active()  # from now on the codec is certain
        transports.append(await send(router, publisher, ports))
    with tempfile.TemporaryDirectory() as folder:  # which only we can read: the description has the key
        description = Path(folder) / "room.sdp"
        description.write_text(transports[0].generate_sdp(*transports[1:]))
        for ports in pairs:
            ports.release()
        ffmpeg = await asyncio.create_subprocess_exec(
            *FFMPEG, "-i", description, "-c", "copy", film, stdin=asyncio.subprocess.PIPE
        )
        for ports in pairs:
            if not await ports.wait_bound(10):
                raise RuntimeError("FFmpeg does not listen: somebody else was faster")
        for transport in transports:
            await transport.tracks[0].resume()
        await asyncio.sleep(seconds)
        await ffmpeg.communicate(b"q")
    for ports in pairs:
        ports.close()


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
