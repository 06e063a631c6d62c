"""After 200 visits a node is what it was: objects, tasks, descriptors, threads, rooms, memory."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from headwater.app import Node
from headwater.testing import client_offer
from tests.support.resources import resident, resources
from tests.support.signaling import SignalingClient

CYCLES = 200
SDP = {"content-type": "application/sdp"}
ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
join = SignalingClient.join


async def settled(node: Node) -> None:
    """Wait until the node holds nobody, and its core nothing.

    Raises:
        AssertionError: It still holds something after the deadline; says what.
    """
    core = node.worker.core  # type: ignore[attr-defined]

    def held() -> dict[str, int]:
        counts = {**node.rooms.counts(), "objects": core.objects, "whip": len(node.whip)}
        return {name: count for name, count in counts.items() if count and name != "meetings"}

    try:
        async with asyncio.timeout(30):
            while held():  # noqa: ASYNC110 - of many objects, none of which announces its end
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"still held: {held()}") from None


async def visit(node: Node, http: httpx.AsyncClient, number: int) -> None:
    """Two people meet, an encoder sends and a player watches; they go in different ways."""
    room = f"room-{number % 8}"
    async with join(node.url, room, name="Ada") as ada, join(node.url, room, name="Bob") as bob:
        await bob.expect("offer")
        await bob.send(type="answer", sdp=ANSWER)
        answer = await ada.request("offer", sdp=client_offer(audio="a", video="v", data=True))
        assert len(answer["tracks"]) == 2
        whip = await http.post(f"/whip/{room}", content=client_offer(video="w"), headers=SDP)
        watch = client_offer(audio="a", video="v", receive=True)
        whep = await http.post(f"/whep/{room}", content=watch, headers=SDP)
        assert (whip.status_code, whep.status_code) == (201, 201)
        await bob.expect("offer")
        for response in (whip, whep):
            assert (await http.delete(response.headers["location"])).status_code == 200
        if number % 4 == 0:
            ada.socket.transport.abort()  # the place is kept for the grace time, then given up
        else:
            await ada.request("leave")
        await bob.request("leave")


async def visits(node: Node, http: httpx.AsyncClient, count: int) -> None:
    """So many visits, four at a time in rooms of their own."""
    for first in range(0, count, 4):
        await asyncio.gather(*(visit(node, http, first + number) for number in range(4)))


@pytest.mark.timeout(120)
async def test_200_visits_leave_nothing(forgetful: Node) -> None:
    dev = forgetful
    each_anew = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=dev.url, trust_env=False, timeout=60, limits=each_anew) as http:
        await visits(dev, http, 20)  # warm: pools, caches, interned strings
        await settled(dev)
        before, memory = await quiet(dev), resident()
        await visits(dev, http, CYCLES)
        await settled(dev)
        after = await quiet(dev)
    # The warm-up's last object may still be on its way out when it is counted: fewer is no leak.
    assert {name: count for name, count in after.items() if count > before[name]} == {}
    assert resident() - memory < 16 * 1024
    assert dev.rooms.counts()["meetings"] == 1, "ad-hoc meetings are forgotten, the demo room stays"


async def quiet(node: Node) -> dict[str, int]:
    """The resources once the server has noticed that its connections are closed.

    Raises:
        AssertionError: It does not notice; names the tasks.
    """
    try:
        async with asyncio.timeout(30):
            while node._server.server_state.connections or node._server.server_state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        tasks = Counter(task.get_name().rstrip("0123456789") for task in asyncio.all_tasks())
        raise AssertionError(f"connections stay open; tasks: {tasks}") from None
    return resources()
