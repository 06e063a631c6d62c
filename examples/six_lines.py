"""The library in six lines, between two aiortc peers that stand for browsers.

`pip install aiortc`, then `python examples/six_lines.py`. The lines between the rulers are all that
is Headwater; the rest plays the two browsers and carries SDP between them and us.
"""

import asyncio

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from headwater import Worker


async def main() -> None:
    alice, camera = RTCPeerConnection(), VideoStreamTrack()
    alice.addTrack(camera)
    offer, track_id = await offer_of(alice), camera.id

    async with Worker() as worker:
        # ------------------------------------------------------------------------------------
        router = await worker.create_router()
        publishing = await router.create_publish_transport()
        answer = await publishing.get_answer(offer)
        publisher = await publishing.publish(track_id)
        watching = await router.create_subscribe_transport()
        subscriber, offer = await watching.subscribe(publisher.id)
        # ------------------------------------------------------------------------------------
        await alice.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        bob = RTCPeerConnection()
        seen: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        bob.on("track", seen.put_nowait)
        await watching.set_answer(await answer_of(bob, offer))
        track = await seen.get()
        print(f"bob sees {track.kind} in m-line {subscriber.mid}: {await track.recv()}")
        await alice.close()
        await bob.close()


async def offer_of(peer: RTCPeerConnection) -> str:
    await peer.setLocalDescription(await peer.createOffer())
    return str(peer.localDescription.sdp)


async def answer_of(peer: RTCPeerConnection, offer: str) -> str:
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return str(peer.localDescription.sdp)


if __name__ == "__main__":
    asyncio.run(main())
