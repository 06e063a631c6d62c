"""WHIP into a channel and WHEP out of it, without media: who may, who has to wait, what is left."""

from __future__ import annotations

import asyncio
from typing import cast

import httpx
import pytest

from headwater.app import Node
from headwater.channels import Channel
from headwater.media.subscribe_transport import SubscribeTransport
from headwater.testing import FakeWorker, client_offer

SDP = {"content-type": "application/sdp"}
SEND = client_offer(audio="a", video="v")
WATCH = client_offer(audio="a", video="v", receive=True)


@pytest.fixture
def channel(dev: Node) -> Channel:
    return dev.channels.open("", slug="friday-show")


def bearer(node: Node, room: str, *grants: str) -> dict[str, str]:
    token = node.authority.mint(room=room, identity="ada", grants=grants)
    return {"Authorization": f"Bearer {token}"}


def core(node: Node) -> FakeWorker:
    return cast("FakeWorker", node.worker)


async def post(http: httpx.AsyncClient, kind: str, room: str, **headers: str) -> httpx.Response:
    offer = SEND if kind == "whip" else WATCH
    return await http.post(f"/{kind}/{room}", content=offer, headers={**SDP, **headers})


async def until(condition: object, node: Node) -> None:
    """Wait until something holds that no event tells."""
    assert callable(condition)
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_show_from_beginning_to_end(http: httpx.AsyncClient, dev: Node, channel: Channel) -> None:
    early = await post(http, "whep", channel.id)
    assert (early.status_code, early.json()["code"]) == (409, "channel_not_live")
    assert int(early.headers["retry-after"]) > 0
    sending = await post(http, "whip", channel.id)
    assert sending.status_code == 201, sending.text
    assert sending.headers["location"].startswith("/whip/friday-show/")
    watching = await post(http, "whep", channel.id)
    assert watching.status_code == 201, watching.text
    (viewer,) = [t for t in channel.router.transports if isinstance(t, SubscribeTransport)]
    assert {subscriber.kind for subscriber in viewer.subscribers} == {"audio", "video"}
    seen = (await http.get("/channels/friday-show")).json()
    assert (seen["state"], seen["viewers"]) == ("live", 1)
    assert (await http.delete(sending.headers["location"])).status_code == 200
    seen = (await http.get("/channels/friday-show")).json()
    assert (seen["state"], seen["viewers"], seen["peak_viewers"]) == ("ended", 0, 1)
    assert (await http.delete(watching.headers["location"])).status_code == 404
    assert core(dev).core.objects == 0
    assert dev.rooms.counts()["connections"] == 0


async def test_shows_do_not_mix(http: httpx.AsyncClient, dev: Node) -> None:
    """Many send at once, each into a router of its own; who watches one gets what its broadcaster sends."""
    shows = [dev.channels.open("") for _ in range(4)]
    for show in shows:
        assert (await post(http, "whip", show.id)).status_code == 201
    for show in shows * 3:
        assert (await post(http, "whep", show.id)).status_code == 201
    assert len({show.router.id for show in shows}) == len(dev.worker.routers) == 4
    for show in shows:
        watching = [t for t in show.router.transports if isinstance(t, SubscribeTransport)]
        received = [subscriber.publisher.id for viewer in watching for subscriber in viewer.subscribers]
        assert sorted(received) == sorted(3 * list(show.publishers))
        assert (str(show.router.id), show.viewer_count) == (str(show.id), 3)


async def test_a_second_broadcaster_is_refused(http: httpx.AsyncClient, dev: Node, channel: Channel) -> None:
    assert (await post(http, "whip", channel.id)).status_code == 201
    objects = core(dev).core.objects
    second = await post(http, "whip", channel.id)
    assert (second.status_code, second.json()["code"]) == (409, "channel_busy")
    assert second.headers["content-type"] == "application/problem+json"
    assert core(dev).core.objects == objects


async def test_a_broadcaster_that_falls_silent_makes_way(
    http: httpx.AsyncClient, dev: Node, channel: Channel
) -> None:
    first = await post(http, "whip", channel.id)
    (transport,) = channel.router.transports
    core(dev).core.connect(transport)
    core(dev).core.disconnect(transport)
    await until(lambda: channel.broadcast is not None and channel.broadcast.silent, dev)
    assert (await post(http, "whip", channel.id)).status_code == 201
    assert (await http.delete(first.headers["location"])).status_code == 404


@pytest.mark.parametrize(("ending", "state"), [("lose", "live"), ("hang_up", "ended")])
async def test_a_lost_broadcaster_may_come_back_one_that_hung_up_is_gone(
    http: httpx.AsyncClient, dev: Node, channel: Channel, ending: str, state: str
) -> None:
    """A connection that fails keeps the audience for a while; one that is closed ends the show."""
    await post(http, "whip", channel.id)
    await post(http, "whep", channel.id)
    transport = channel.router.transports[0]
    getattr(core(dev).core, ending)(transport)
    await until(lambda: len(dev.whip) == (1 if state == "live" else 0), dev)
    await until(lambda: channel.state == state, dev)
    if state == "live":
        assert (channel.broadcast, channel.viewer_count) == (None, 1)
        await post(http, "whip", channel.id)
        viewer = channel.router.transports[0]
        await until(lambda: len(viewer.subscribers) == 2, dev)  # type: ignore[union-attr]


async def test_a_token_takes_its_own_place_again(https: httpx.AsyncClient, production: Node) -> None:
    channel = production.channels.open("ada")
    mine = bearer(production, channel.id, "publish")
    first = await post(https, "whip", channel.id, **mine)
    second = await post(https, "whip", channel.id, **mine)
    assert (first.status_code, second.status_code) == (201, 201)
    assert (await https.delete(first.headers["location"], headers=mine)).status_code == 404
    other = await post(https, "whip", channel.id, **bearer(production, channel.id, "publish"))
    assert other.status_code == 409
    assert (channel.state, len(production.whip)) == ("live", 1)


async def test_who_may_send_and_who_may_watch(https: httpx.AsyncClient, production: Node) -> None:
    """A public channel is watched without a token, a private one with; nobody sends without."""
    public, private = (
        production.channels.open("ada"),
        production.channels.open("ada", visibility="private"),
    )
    for channel in (public, private):
        sender = bearer(production, channel.id, "publish")
        assert (await post(https, "whip", channel.id)).status_code == 401
        watcher = bearer(production, channel.id, "view")
        assert (await post(https, "whip", channel.id, **watcher)).status_code == 403
        assert (await post(https, "whip", channel.id, **sender)).status_code == 201
    assert (await post(https, "whep", public.id)).status_code == 201
    assert (await post(https, "whep", private.id)).status_code == 401
    for room, grant, status in (
        (public.id, "view", 403),
        (private.id, "publish", 403),
        (private.id, "subscribe", 201),
        (private.id, "view", 201),
    ):
        watching = await post(https, "whep", private.id, **bearer(production, room, grant))
        assert watching.status_code == status
        if status == 201:  # the session is its bearer's alone
            assert (await https.delete(watching.headers["location"])).status_code == 401


async def test_an_offer_of_no_use_is_countered(http: httpx.AsyncClient, channel: Channel) -> None:
    """WHEP section 4.2: 406 brings our offer and a session, whose first PATCH is the answer."""
    await post(http, "whip", channel.id)
    countered = await http.post("/whep/friday-show", content=client_offer(data=True), headers=SDP)
    assert countered.status_code == 406
    assert countered.headers["content-type"].startswith("application/sdp")
    assert countered.text.count("m=audio") == countered.text.count("m=video") == 1
    location = countered.headers["location"]
    assert (await http.patch(location, content="nonsense", headers=SDP)).status_code == 400
    countered = await http.post("/whep/friday-show", content=client_offer(data=True), headers=SDP)
    location = countered.headers["location"]
    assert (await http.patch(location, content="v=0\r\n", headers=SDP)).status_code == 204
    assert (await http.patch(location, content="v=0\r\n", headers=SDP)).status_code == 409
    assert (await http.delete(location)).status_code == 200


async def test_ending_a_channel_ends_its_sessions(
    http: httpx.AsyncClient, dev: Node, channel: Channel
) -> None:
    sending = await post(http, "whip", channel.id)
    await post(http, "whep", channel.id)
    assert (await http.delete("/channels/friday-show")).status_code == 204
    await until(lambda: len(dev.whip) == 0, dev)
    assert (await http.delete(sending.headers["location"])).status_code == 404
    again = await post(http, "whip", channel.id)
    assert (again.status_code, again.json()["code"]) == (409, "channel_ended")


async def test_a_server_that_goes_down_ends_its_shows(
    http: httpx.AsyncClient, dev: Node, channel: Channel
) -> None:
    await post(http, "whip", channel.id)
    await post(http, "whep", channel.id)
    broadcast = channel.broadcast
    assert broadcast is not None
    await dev.close()
    assert broadcast.closed
    assert channel.state == "ended"
