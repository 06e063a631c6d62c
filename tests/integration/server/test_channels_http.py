"""Channels over HTTP: who may make, see and end them, and what is said of them."""

from __future__ import annotations

import asyncio
from unittest.mock import ANY

import httpx
import pytest

from headwater.app import Node
from headwater.errors import Unauthorized
from headwater.testing import client_offer

SDP = {"content-type": "application/sdp"}
SEND = client_offer(audio="a", video="v")


def key(node: Node) -> dict[str, str]:
    return {"Authorization": f"Bearer {node.new_api_key}"}


def bearer(node: Node, room: str, *grants: str, identity: str = "ada") -> dict[str, str]:
    token = node.authority.mint(room=room, identity=identity, grants=grants)
    return {"Authorization": f"Bearer {token}"}


async def test_a_channel_is_made_looked_at_and_ended(http: httpx.AsyncClient) -> None:
    created = await http.post("/channels")
    assert created.status_code == 201
    channel = created.json()
    path = f"/channels/{channel['channelId']}"
    assert created.headers["location"] == path
    assert channel["channelId"].startswith("chn_")
    assert channel["links"]["hls"].endswith(f"/hls/{channel['channelId']}/index.m3u8")
    assert (await http.get(path)).json() == {**channel, "now": ANY}
    assert (channel["state"], channel["viewers"], channel["went_live_at"]) == ("idle", 0, None)
    assert (await http.get("/channels")).json() == [{**channel, "now": ANY}]
    assert (await http.delete(path)).status_code == 204
    after = (await http.get(path)).json()
    assert (after["state"], after["over"]) == ("ended", True)
    assert (await http.get("/channels", params={"state": "live"})).json() == []
    history = (await http.get("/channels/history")).json()
    assert [one["channelId"] for one in history] == [channel["channelId"]]


async def test_a_slug_is_the_public_id(http: httpx.AsyncClient) -> None:
    body = {"slug": "friday-show", "title": "Friday", "visibility": "private"}
    channel = (await http.post("/channels", json=body)).json()
    assert channel["channelId"] == channel["slug"] == "friday-show"
    assert (channel["title"], channel["visibility"]) == ("Friday", "private")
    taken = await http.post("/channels", json=body)
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert (await http.post("/channels", json={"slug": "demo"})).status_code == 409  # a meeting is called so
    for slug in ("No good", "ab", "", "history"):
        refused = await http.post("/channels", json={"slug": slug})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_slug")
        assert "choose" in refused.json()["detail"], "what to do"
    assert (await http.post("/channels", json={"slogan": "x"})).status_code == 422


async def test_the_picture_of_a_private_channel(https: httpx.AsyncClient, production: Node) -> None:
    """Who may see the channel is told an address for an ``<img>``; it expires, and can be revoked."""
    private, public = (
        production.channels.open("ada", slug=f"{visibility}-show", visibility=visibility)
        for visibility in ("private", "public")
    )
    for channel in (private, public):
        channel.thumbnail = b"\xff\xd8 a picture"
    path = f"/channels/{private.id}"
    assert (await https.get(f"{path}/thumbnail.jpg")).status_code == 401
    said = (await https.get(path, headers=bearer(production, private.id, "view"))).json()
    signed = said["links"]["thumbnail"].removeprefix(production.url)
    seen = await https.get(signed)
    assert (seen.status_code, seen.content) == (200, private.thumbnail)
    assert "private" in seen.headers["cache-control"]
    assert (await https.post(f"{path}/links", headers=key(production))).json()["thumbnail"] != signed
    for other in ("chn_nothing", "private-shop"):
        assert (await https.get(signed.replace("private-show", other))).status_code == 401
    assert (await https.get(signed.replace("expires=", "expires=9"))).status_code == 401
    private.revoke_links()
    assert (await https.get(signed)).status_code == 401
    said = (await https.get(f"/channels/{public.id}")).json()
    assert said["links"]["thumbnail"].endswith("/thumbnail.jpg")
    assert (await https.get(f"/channels/{public.id}/thumbnail.jpg")).status_code == 200


async def test_a_channel_outlives_the_server(dev: Node, http: httpx.AsyncClient) -> None:
    """What the first process was told is on disk when it has ended."""
    await http.post("/channels", json={"slug": "friday-show", "title": "Friday"})
    await dev.close()
    async with Node(dev.settings, worker_type=dev._worker_type, allow_several=True) as again:
        assert again.channels.get("friday-show").record.title == "Friday"


async def test_making_channels_is_for_those_who_may(https: httpx.AsyncClient, production: Node) -> None:
    cases = [
        ({}, 401),
        (bearer(production, "*", "view"), 403),
        (bearer(production, "chn_x", "publish"), 403),
        (bearer(production, "*", "publish"), 201),
        (key(production), 201),
    ]
    for headers, status in cases:
        response = await https.post("/channels", headers=headers)
        assert response.status_code == status, response.text
        if status == 201:
            assert response.json()["owner"] == ("" if headers == key(production) else "ada")


async def test_private_channels_are_seen_with_a_token_alone(
    https: httpx.AsyncClient, production: Node
) -> None:
    """A stranger cannot tell a private channel from one that is not there."""
    made = [
        (await https.post("/channels", headers=key(production), json=body)).json()["channelId"]
        for body in ({"visibility": "private"}, {"slug": "for-all"}, {})
    ]
    private, named, unnamed = made
    for room in (private, "chn_nothing"):
        assert (await https.get(f"/channels/{room}")).status_code == 401
    assert (await https.get(f"/channels/{unnamed}")).status_code == 200
    for headers in (key(production), bearer(production, private, "view")):
        assert (await https.get(f"/channels/{private}", headers=headers)).status_code == 200
    other = bearer(production, "other", "view")
    assert (await https.get(f"/channels/{private}", headers=other)).status_code == 403
    # Who knows the id of a public one may see it, but strangers are not told the ids.
    assert [one["channelId"] for one in (await https.get("/channels")).json()] == [named]
    assert len((await https.get("/channels", headers=key(production))).json()) == 3
    for path in ("/channels", "/channels/history"):
        assert (await https.get(path, headers=bearer(production, "*", "publish"))).status_code == 403


async def test_a_channel_is_its_owners_to_end(https: httpx.AsyncClient, production: Node) -> None:
    owner = bearer(production, "*", "publish")
    path = f"/channels/{(await https.post('/channels', headers=owner)).json()['channelId']}"
    eve = bearer(production, "*", "publish", identity="eve")
    assert (await https.delete(path)).status_code == 401
    assert (await https.delete(path, headers=eve)).status_code == 403
    assert (await https.post(f"{path}/tokens", headers=eve, json={"identity": "x"})).status_code == 403
    asked = {"identity": "obs", "grants": ["publish"], "ttl": 3600}
    minted = await https.post(f"{path}/tokens", headers=owner, json=asked)
    assert minted.status_code == 201
    claims = production.authority.verify(minted.json()["token"])
    assert (claims.identity, sorted(claims.grants)) == ("obs", ["publish"])
    assert claims.room == path.removeprefix("/channels/")
    assert (await https.delete(path, headers=owner)).status_code == 204
    assert (await https.delete(path.replace("chn_", "chn_x"), headers=key(production))).status_code == 404


async def test_a_signed_link_lets_watch_until_it_is_revoked(
    https: httpx.AsyncClient, production: Node
) -> None:
    """Whoever may watch may have one, whoever may end the channel revokes them all, at once."""
    channel = production.channels.open("ada", visibility="private")
    path, prefix = f"/channels/{channel.id}/links", f"/hls/{channel.id}/"
    assert (await https.post(path)).status_code == 401
    viewer = bearer(production, channel.id, "view")
    signed = await https.post(path, headers=viewer, json={"ttl": 60})
    assert signed.status_code == 201
    address = httpx.URL(signed.json()["hls"])
    assert address.path == f"{prefix}index.m3u8"
    paths, query = production.gate.paths, dict(address.params)
    paths.check_path(prefix, channel=channel.id, query=query, revoked_at=channel.record.links_revoked_at)
    assert (await https.delete(path, headers=viewer)).status_code == 403
    assert (await https.delete(path, headers=key(production))).status_code == 204
    with pytest.raises(Unauthorized, match="revoked"):
        paths.check_path(prefix, channel=channel.id, query=query, revoked_at=channel.record.links_revoked_at)
    assert (await https.post(path, headers=viewer)).status_code == 201


async def test_the_newest_picture_is_there_once_there_is_one(dev: Node, http: httpx.AsyncClient) -> None:
    name = (await http.post("/channels")).json()["channelId"]
    assert (await http.get(f"/channels/{name}/thumbnail.jpg")).status_code == 404
    dev.channels.get(name).thumbnail = b"\xff\xd8\xff"
    picture = await http.get(f"/channels/{name}/thumbnail.jpg")
    assert (picture.content, picture.headers["content-type"]) == (b"\xff\xd8\xff", "image/jpeg")


async def test_channels_are_counted(dev: Node, http: httpx.AsyncClient) -> None:
    await http.post("/channels")
    async with asyncio.timeout(5):
        metrics = (await http.get("/metrics")).text
    assert "headwater_channels 1.0" in metrics
    assert "headwater_channels_live 0.0" in metrics
