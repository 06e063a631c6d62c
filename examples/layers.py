"""Which picture a viewer gets: wishes, what is told of them, and what the line carries.

`pip install aiortc`, then `python examples/layers.py`. The lines between the rulers are all that is
Headwater; the rest plays two browsers. aiortc sends one picture size, so `Layer(0, 0)` is all there is;
a browser that sends three shows more.
"""

import asyncio

from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from headwater import LayerChanged, Publisher, Subscriber, SubscribeTransport, Worker


async def main() -> None:
    alice, bob, camera = RTCPeerConnection(), RTCPeerConnection(), VideoStreamTrack()
    alice.addTrack(camera)
    offer, track_id = await offer_of(alice), camera.id
    async with Worker() as worker:
        router = await worker.create_router()
        publishing = await router.create_publish_transport()
        answer = await publishing.get_answer(offer)
        publisher = await publishing.publish(track_id)
        watching = await router.create_subscribe_transport()
        subscriber, offer = await watching.subscribe(publisher.id)
        told = asyncio.create_task(listen(subscriber, watching))
        await alice.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await watching.set_answer(await answer_of(bob, offer))
        await told
        await wish(publisher, subscriber)
        await alice.close()
        await bob.close()


async def listen(subscriber: Subscriber, watching: SubscribeTransport) -> None:
    told = subscriber.events()
    # ----------------------------------------------------------------------------------------
    async for event in told:
        if isinstance(event, LayerChanged):
            print(event.before, "->", event.after, event.reason, event.estimate)
            break
    line = await watching.get_stats()
    print("the line carries", line["available_outgoing_bitrate"], "bit/s")
    # ----------------------------------------------------------------------------------------


async def wish(publisher: Publisher, subscriber: Subscriber) -> None:
    # ----------------------------------------------------------------------------------------
    await publisher.set_content("detail")
    await subscriber.set_preferences(width=640, height=360, max_fps=15, priority=200)
    stats = await subscriber.get_stats()
    print("may get", stats["preferred_spatial"], "is to get", stats["target_spatial"])
    # ----------------------------------------------------------------------------------------


async def offer_of(peer: RTCPeerConnection) -> str:
    await peer.setLocalDescription(await peer.createOffer())
    return str(peer.localDescription.sdp)


async def answer_of(peer: RTCPeerConnection, offer: str) -> str:
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return str(peer.localDescription.sdp)


if __name__ == "__main__":
    asyncio.run(main())
