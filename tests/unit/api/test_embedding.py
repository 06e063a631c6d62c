"""Which pages may show the player, and what they are told."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
import pytest
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater.api.embedding import EmbedCors, EmbedPolicy
from headwater.config import Settings

FRIEND = "https://friend.example"


async def channel(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for the route behind."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def client(origins: Iterable[str] = (FRIEND,), *, dev: bool = False) -> httpx.AsyncClient:
    """A browser's side of it."""
    app: ASGIApp = EmbedCors(channel, policy=EmbedPolicy(list(origins), dev=dev))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://live.example")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        (FRIEND, 200),
        ("https://live.example", 200),
        ("https://stranger.example", 403),
        ("https://friend.example.stranger.example", 403),
        ("http://localhost:5173", 403),
        ("null", 403),
    ],
)
async def test_a_page_looks_a_channel_up_if_its_site_is_named(origin: str | None, status: int) -> None:
    """Ours and named ones may; others read a problem that says why they may not."""
    reply = await client().get("/channels/show", headers={"origin": origin} if origin else {})
    assert reply.status_code == status
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "Origin" in reply.headers["vary"]
    if status == 403:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["code"] == "embedding_refused"


async def test_a_token_may_be_sent_along() -> None:
    """The question before it is answered for everybody, or nobody could read the refusal."""
    reply = await client().options("/channels/show", headers={"origin": "https://stranger.example"})
    assert (reply.status_code, reply.headers["access-control-allow-headers"]) == (204, "Authorization")


async def test_only_looking_at_a_channel_is_meant() -> None:
    """Lists, history and whatever changes something stay closed to pages of elsewhere."""
    for method, path in (
        ("GET", "/channels"),
        ("GET", "/channels/history"),
        ("POST", "/channels/show/tokens"),
        ("DELETE", "/channels/show"),
    ):
        reply = await client(["*"]).request(method, path, headers={"origin": FRIEND})
        assert "access-control-allow-origin" not in reply.headers, path


async def test_everybody_or_this_machine_can_be_let_in() -> None:
    """`*` names all; development lets pages of other ports in, and of no other host."""
    anybody, local = client(["*"]), client([], dev=True)
    assert (await anybody.get("/channels/x", headers={"origin": "null"})).status_code == 200
    assert (await local.get("/channels/x", headers={"origin": "http://localhost:5173"})).status_code == 200
    assert (await local.get("/channels/x", headers={"origin": FRIEND})).status_code == 403


@pytest.mark.parametrize(
    ("origins", "dev", "ancestors"),
    [
        ([], False, "'self'"),
        ([FRIEND], False, f"'self' {FRIEND}"),
        (["*"], False, "*"),
        ([], True, "'self' http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:*"),
    ],
)
def test_the_frame_follows_the_same_policy(origins: list[str], dev: bool, ancestors: str) -> None:
    """Nobody frames the player by default."""
    policy = EmbedPolicy(origins, dev=dev).headers["Content-Security-Policy"]
    assert policy.endswith(f"; frame-ancestors {ancestors}")
    assert policy.startswith("default-src 'self'; ")


@pytest.mark.parametrize(
    "wrong", ["friend.example", "https://friend.example/", "https://a;script-src *", "https://*.example", ""]
)
def test_only_origins_are_taken(wrong: str) -> None:
    """What is no origin never reaches a header."""
    with pytest.raises(ValidationError, match="not a web origin"):
        Settings(embed_origins=[wrong])
    assert Settings(embed_origins=["https://Friend.example:8443", "*"]).embed_origins[0].islower()
