"""WHIP and WHEP over HTTP, without media: every status code the specifications ask for."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import httpx
import pytest

from headwater.app import Node
from headwater.testing import client_offer
from tests.integration.server.conftest import PortedFakeWorker, settings

SDP = {"content-type": "application/sdp"}
FRAGMENT = "application/trickle-ice-sdpfrag"
SEND = client_offer(audio="a", video="v")
WATCH = client_offer(audio="a", video="v", receive=True)
CANDIDATE = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n"
NEW_CREDENTIALS = "a=ice-ufrag:newer\r\na=ice-pwd:" + "n" * 24 + "\r\n"


def bearer(node: Node, room: str, **options: object) -> dict[str, str]:
    token = node.authority.mint(**{"room": room, "identity": "studio", **options})  # type: ignore[arg-type]
    return {"Authorization": f"Bearer {token}"}


async def eventually_empty(node: Node) -> None:
    async with asyncio.timeout(30):
        while len(node.whip) or node.rooms.counts()["participants"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("kind", "offer"), [("whip", SEND), ("whep", WATCH)])
async def test_an_offer_is_answered_with_everything_the_specification_asks_for(
    http: httpx.AsyncClient, dev: Node, kind: str, offer: str
) -> None:
    response = await http.post(f"/{kind}/demo", content=offer, headers=SDP)
    assert response.status_code == 201, response.text
    assert response.headers["content-type"].startswith("application/sdp")
    assert response.headers["accept-patch"] == FRAGMENT
    assert response.headers["etag"].startswith('"')
    assert response.headers["access-control-allow-origin"] == "*"
    assert "Location" in response.headers["access-control-expose-headers"]
    location = response.headers["location"]
    assert location.startswith(f"/{kind}/demo/")
    assert len(location.rpartition(".")[2]) >= 22
    assert dev.rooms.counts()["participants"] == 1
    assert (await http.delete(location)).status_code == 200
    assert (await http.delete(location)).status_code == 404
    assert dev.rooms.counts()["participants"] == 0


async def test_a_whip_client_is_a_participant_for_those_who_join(http: httpx.AsyncClient, dev: Node) -> None:
    await http.post("/whip/demo", content=SEND, headers=SDP)
    room = dev.rooms.room("demo")
    assert room is not None
    (participant,) = room.participants.values()
    assert participant.view.protocol == "whip"
    assert {track.kind for track in participant.view.tracks} == {"audio", "video"}


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_no_token_is_401_before_the_body_is_looked_at(
    https: httpx.AsyncClient, production: Node, kind: str
) -> None:
    meeting = production.rooms.create_meeting().id
    for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic x"}):
        response = await https.post(f"/{kind}/{meeting}", content=b"no sdp", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
    # The body never comes; the answer does, and then the server hangs up.
    context = ssl.create_default_context(cafile=str(production.settings.data / "tls-cert.pem"))
    for length in ("Content-Length: 100000000", "Transfer-Encoding: chunked"):
        reader, writer = await asyncio.open_connection("127.0.0.1", production.port, ssl=context)
        writer.write(f"POST /{kind}/{meeting} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
        async with asyncio.timeout(30):
            answer = (await reader.read()).decode()
        assert answer.startswith("HTTP/1.1 401")
        writer.close()
    assert production.rooms.counts()["participants"] == 0


async def test_a_token_must_be_for_this_room_and_this_direction(
    https: httpx.AsyncClient, production: Node
) -> None:
    meeting = production.rooms.create_meeting().id
    cases = [
        ("whip", bearer(production, "other"), 403),
        ("whip", bearer(production, meeting, role="viewer"), 403),
        ("whep", bearer(production, meeting, grants=["publish"]), 403),
        ("whip", bearer(production, meeting), 201),
        ("whep", bearer(production, meeting, role="viewer"), 201),
    ]
    for kind, headers, status in cases:
        offer = SEND if kind == "whip" else WATCH
        response = await https.post(f"/{kind}/{meeting}", content=offer, headers={**SDP, **headers})
        assert response.status_code == status, (kind, headers, response.text)


async def test_an_unknown_room_is_404_in_production_and_made_under_dev(
    http: httpx.AsyncClient, https: httpx.AsyncClient, production: Node
) -> None:
    assert (await http.post("/whip/fresh-room", content=SEND, headers=SDP)).status_code == 201
    headers = {**SDP, **bearer(production, "fresh-room")}
    assert (await https.post("/whip/fresh-room", content=SEND, headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, SEND, 415),
        ({"content-type": "text/plain"}, SEND, 415),
        ({"content-type": "application/json"}, "{}", 415),
        ({**SDP, "accept": "application/json"}, SEND, 406),
        ({**SDP, "accept": "application/sdp;q=0, */*"}, SEND, 406),
        ({**SDP, "accept": "*/*"}, SEND, 201),
        ({"content-type": "application/sdp; charset=utf-8"}, SEND, 201),
        (SDP, "", 400),
        (SDP, "hello", 400),
        (SDP, "v=0\r\n", 400),
        (SDP, "v=0\r\nm=video\r\n", 400),
        (SDP, b"v=0\r\n\xff\xfe", 400),
        (SDP, WATCH, 400),
        (SDP, client_offer(data=True), 400),
        (SDP, "v=0\r\n" + "a=x\r\n" * 20_000, 413),
        (SDP, "v=0\r\n" + "m=audio 9 X 0\r\n" * 4000, 400),
    ],
)
async def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    http: httpx.AsyncClient, dev: Node, headers: dict[str, str], body: str | bytes, status: int
) -> None:
    response = await http.post("/whip/demo", content=body, headers=headers)
    assert response.status_code == status, response.text
    if status != 201:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["access-control-allow-origin"] == "*"
        assert dev.rooms.counts()["participants"] == len(dev.whip) == 0


async def test_candidates_are_trickled_for_the_right_ice_session_only(http: httpx.AsyncClient) -> None:
    created = await http.post("/whip/demo", content=SEND, headers=SDP)
    location, etag = created.headers["location"], created.headers["etag"]
    kind = {"content-type": FRAGMENT}
    cases: list[tuple[dict[str, str], str, int]] = [
        (kind | {"if-match": etag}, CANDIDATE, 204),
        (kind | {"if-match": "*"}, CANDIDATE, 204),
        (kind, CANDIDATE, 428),
        (kind | {"if-match": '"other"'}, CANDIDATE, 412),
        (kind | {"if-match": etag}, NEW_CREDENTIALS, 412),
        ({"content-type": "application/sdp", "if-match": etag}, CANDIDATE, 415),
        (kind | {"if-match": etag}, "nonsense", 400),
        (kind | {"if-match": etag}, "a=candidate:1 1 udp\r\n" * 150, 400),
        (kind | {"if-match": etag}, "a=candidate:" + "x" * 80_000, 413),
    ]
    for headers, body, status in cases:
        response = await http.patch(location, content=body, headers=headers)
        assert response.status_code == status, (headers, body[:40], response.text)
    assert (await http.patch(f"{location}x", content=CANDIDATE, headers=cases[0][0])).status_code == 404


async def test_a_session_belongs_to_the_token_that_made_it(
    https: httpx.AsyncClient, production: Node
) -> None:
    meeting = production.rooms.create_meeting().id
    mine, theirs = bearer(production, meeting), bearer(production, meeting, identity="eve")
    created = await https.post(f"/whip/{meeting}", content=SEND, headers={**SDP, **mine})
    location = created.headers["location"]
    patch = {"content-type": FRAGMENT, "if-match": created.headers["etag"]}
    assert (await https.delete(location)).status_code == 401
    assert (await https.delete(location, headers=theirs)).status_code == 401
    assert (await https.patch(location, content=CANDIDATE, headers=patch | theirs)).status_code == 401
    assert (await https.patch(location, content=CANDIDATE, headers=patch | mine)).status_code == 204
    other = production.rooms.create_meeting().id
    moved = location.replace(meeting, other)
    assert (await https.delete(moved, headers=bearer(production, other))).status_code == 404
    wrong_kind = location.replace("/whip/", "/whep/")
    assert (await https.delete(wrong_kind, headers=mine)).status_code == 404
    forged = location[:-4] + "AAAA"
    assert (await https.delete(forged, headers=mine)).status_code == 404
    assert (await https.delete(location, headers=mine)).status_code == 200


async def test_a_session_outlives_its_token_and_still_obeys_it(
    https: httpx.AsyncClient, production: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = production.rooms.create_meeting().id
    mine, theirs = bearer(production, meeting), bearer(production, meeting, identity="eve")
    created = await https.post(f"/whip/{meeting}", content=SEND, headers={**SDP, **mine})
    location = created.headers["location"]
    patch = {"content-type": FRAGMENT, "if-match": created.headers["etag"]}
    later = time.time() + 3600
    monkeypatch.setattr(production.authority, "_now", lambda: later)
    assert (await https.post(f"/whip/{meeting}", content=SEND, headers={**SDP, **mine})).status_code == 401
    assert (await https.delete(location, headers=theirs)).status_code == 401
    assert (await https.patch(location, content=CANDIDATE, headers=patch | mine)).status_code == 204
    assert (await https.delete(location, headers=mine)).status_code == 200
    assert (await https.delete(location, headers=mine)).status_code == 401
    await eventually_empty(production)


async def test_a_token_that_sends_thrice_at_once_keeps_one_place(
    https: httpx.AsyncClient, production: Node
) -> None:
    meeting = production.rooms.create_meeting().id
    headers = {**SDP, **bearer(production, meeting)}
    posts = [https.post(f"/whip/{meeting}", content=SEND, headers=headers) for _ in range(6)]
    assert {answer.status_code for answer in await asyncio.gather(*posts)} == {201}
    assert production.rooms.counts()["participants"] == len(production.whip) == 1


async def test_a_token_that_sends_again_takes_its_own_place(
    https: httpx.AsyncClient, production: Node
) -> None:
    meeting = production.rooms.create_meeting().id
    headers = {**SDP, **bearer(production, meeting)}
    first = await https.post(f"/whip/{meeting}", content=SEND, headers=headers)
    second = await https.post(f"/whip/{meeting}", content=SEND, headers=headers)
    assert second.status_code == 201
    assert production.rooms.counts()["participants"] == len(production.whip) == 1
    assert (await https.delete(first.headers["location"], headers=headers)).status_code == 404
    assert (await https.delete(second.headers["location"], headers=headers)).status_code == 200


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_there_is_nothing_to_read_and_that_is_no_error(http: httpx.AsyncClient, kind: str) -> None:
    """RFC 9725 section 4.1; the media type tells players what the address is (WHEP section 4.1)."""
    for method in ("GET", "HEAD"):
        response = await http.request(method, f"/{kind}/demo")
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"] == "application/sdp"
        response = await http.request(method, f"/{kind}/demo/node.id")
        assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(("kind", "offer"), [("whip", SEND), ("whep", WATCH)])
async def test_a_slash_too_many_is_redirected(http: httpx.AsyncClient, kind: str, offer: str) -> None:
    """The client sends the same again to where it is shown to, and its session is there."""
    asked = await http.post(f"/{kind}/demo/?a=%2F", content=offer, headers=SDP)
    assert (asked.status_code, asked.headers["location"]) == (307, f"/{kind}/demo?a=%2F")
    assert "Location" in asked.headers["access-control-expose-headers"]
    response = await http.post(f"/{kind}/demo/", content=offer, headers=SDP, follow_redirects=True)
    assert response.status_code == 201, response.text
    assert response.headers["location"].startswith(f"/{kind}/demo/")
    preflight = await http.options(f"/{kind}/demo/", headers={"Origin": "https://a"})
    assert preflight.status_code == 200, "a preflight may not be redirected"
    elsewhere = await http.get(f"/{kind}/%2F%2Fevil.example/", headers=SDP)
    assert elsewhere.status_code == 404 or elsewhere.headers["location"].startswith(f"/{kind}/")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_the_endpoint_takes_posts_alone(http: httpx.AsyncClient, method: str) -> None:
    response = await http.request(method, "/whip/demo")
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_session_takes_patch_and_delete_alone(http: httpx.AsyncClient, method: str) -> None:
    assert (await http.request(method, "/whep/demo/node.id")).status_code == 405


@pytest.mark.parametrize("path", ["/whip/demo", "/whip/demo/node.id", "/whep/demo"])
async def test_options_say_what_is_possible_without_a_token(https: httpx.AsyncClient, path: str) -> None:
    response = await https.options(
        path, headers={"Origin": "https://a", "Access-Control-Request-Method": "POST"}
    )
    assert response.status_code == 200
    assert response.headers["accept-post"] == "application/sdp"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "Authorization" in response.headers["access-control-allow-headers"]
    assert "DELETE" in response.headers["access-control-allow-methods"]


async def test_under_dev_pages_of_other_hosts_need_a_token(http: httpx.AsyncClient, dev: Node) -> None:
    evil = {**SDP, "Origin": "https://evil.example"}
    assert (await http.post("/whip/demo", content=SEND, headers=evil)).status_code == 403
    for origin in ("http://localhost:3000", "http://127.0.0.1", "http://[::1]:9", "http://app.localhost"):
        headers = {**SDP, "Origin": origin}
        assert (await http.post("/whip/demo", content=SEND, headers=headers)).status_code == 201
    token = bearer(dev, "demo")
    assert (await http.post("/whip/demo", content=SEND, headers=evil | token)).status_code == 201


async def test_ice_servers_are_told_to_those_with_a_token(tmp_path: Path) -> None:
    servers = [{"urls": ["stun:s.example", "turn:t.example"], "username": "u", "credential": "c"}]
    node = Node(
        settings(tmp_path, dev=True, ice_servers=servers), worker_type=PortedFakeWorker, allow_several=True
    )
    async with node, httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http:
        created = await http.post("/whip/demo", content=SEND, headers=SDP)
        links = created.headers.get_list("link")
        assert links == [
            '<stun:s.example>; rel="ice-server"',
            '<turn:t.example>; rel="ice-server"; username="u"; credential="c"; credential-type="password"',
        ]
        refused = await http.post("/whip/demo", content=SEND, headers={**SDP, "Authorization": "Bearer x"})
        assert "link" not in refused.headers


async def test_a_session_ends_with_its_connection(http: httpx.AsyncClient, dev: Node) -> None:
    for kind, offer in (("whip", SEND), ("whep", WATCH)):
        created = await http.post(f"/{kind}/demo", content=offer, headers=SDP)
        room = dev.rooms.room("demo")
        assert room is not None
        (participant,) = room.participants.values()
        side = participant.publications if kind == "whip" else participant.slots
        assert side.transport is not None
        dev.worker.core.lose(side.transport)  # type: ignore[attr-defined]
        await eventually_empty(dev)
        assert (await http.delete(created.headers["location"])).status_code == 404


async def test_who_never_connects_is_let_go(
    http: httpx.AsyncClient, dev: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.servers.whip.CONNECT_SECONDS", 0.05)
    await http.post("/whip/demo", content=SEND, headers=SDP)
    await http.post("/whep/demo", content=WATCH, headers=SDP)
    await eventually_empty(dev)


async def test_a_full_node_says_when_to_try_again(tmp_path: Path) -> None:
    node = Node(
        settings(tmp_path, dev=True, max_participants=1),
        worker_type=PortedFakeWorker,
        allow_several=True,
    )
    async with node, httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http:
        assert (await http.post("/whip/demo", content=SEND, headers=SDP)).status_code == 201
        full = await http.post("/whip/demo", content=SEND, headers=SDP)
        assert full.status_code == 503
        assert int(full.headers["retry-after"]) > 0
