"""A video room: run `python examples/room.py`, open the link it prints in two tabs, and talk."""

import asyncio
import json
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from websockets.asyncio.server import ServerConnection as Socket
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from headwater import HeadwaterError, PublishTransport, Router, SubscribeTransport, Worker

TYPE = Headers({"Content-Type": "text/html; charset=utf-8"})
PAGE = Response(200, "OK", TYPE, Path(__file__).with_suffix(".html").read_bytes())


async def visit(router: Router, socket: Socket) -> None:
    publishing = await router.create_publish_transport()
    watching = await router.create_subscribe_transport()
    try:
        async with asyncio.TaskGroup() as tasks, publishing, watching:
            tasks.create_task(show(router, publishing, watching, socket))
            async for text in socket:
                message = json.loads(text)
                if "offer" in message:  # what this visitor sends
                    await socket.send(json.dumps({"answer": await publishing.get_answer(message["offer"])}))
                    for track in publishing.unpublished:
                        await publishing.publish(track)
                else:  # the reply to our offer of what the others send
                    await watching.set_answer(message["answer"])
    except* ConnectionClosed:
        pass  # left while we were speaking


async def show(router: Router, own: PublishTransport, watching: SubscribeTransport, socket: Socket) -> None:
    events = router.events()  # whatever happens in the room wakes us up
    while not watching.closed:
        with suppress(HeadwaterError):  # somebody left in this moment: look again
            known = {p.id for p in own.publishers} | {s.publisher_id for s in watching.subscribers}
            if new := [id_ for id_ in router.publisher_ids if id_ not in known]:
                _, offer = await watching.subscribe_many(new)
            elif watching.negotiation_needed:  # somebody left: the next offer says so
                offer = await watching.create_offer()
            else:
                await anext(events)
                continue
            await socket.send(json.dumps({"offer": offer}))


def page(_: Socket, request: Request) -> Response | None:
    return None if "Upgrade" in request.headers else PAGE


async def main(port: int) -> None:
    async with Worker() as worker:
        room = partial(visit, await worker.create_router())
        async with serve(room, "127.0.0.1", port, process_request=page) as server:
            print(f"open http://localhost:{server.sockets[0].getsockname()[1]} in two tabs", flush=True)
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000))
