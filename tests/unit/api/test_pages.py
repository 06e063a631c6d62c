"""How the web app's files are served: how long they are kept, to whom, and packed."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from headwater.api.embedding import EmbedPolicy
from headwater.api.pages import install_pages

CODE = "export const all = 'the same words again and again';\n" * 40
FILES = (
    "player.js",
    "player/player-abc.js",
    "assets/index-abc.js",
    "embed.html",
    "index.html",
    "favicon.svg",
)


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    """A browser of a node whose web app is a few files."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(CODE)
    app = FastAPI()
    install_pages(app, embed=EmbedPolicy([], dev=False), root=tmp_path)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://node")


@pytest.mark.parametrize(
    ("path", "kept", "anybody"),
    [
        ("/player.js", "no-cache", True),
        ("/player/player-abc.js", "public, max-age=31536000, immutable", True),
        ("/assets/index-abc.js", "public, max-age=31536000, immutable", False),
        ("/favicon.svg", "no-cache", False),
        ("/embed/show", "no-cache", False),
    ],
)
async def test_what_is_kept_and_who_may_load_it(
    client: httpx.AsyncClient, path: str, kept: str, anybody: bool
) -> None:
    """Names of content are kept for a year, the player's line is asked for again; any site may load it."""
    reply = await client.get(path)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, kept)
    assert (reply.headers.get("access-control-allow-origin") == "*") is anybody
    assert (reply.headers.get("cross-origin-resource-policy") == "cross-origin") is anybody


async def test_files_are_packed_and_not_sent_twice(client: httpx.AsyncClient) -> None:
    """Who takes gzip gets it, who does not the file; who has it already hears so, either way."""
    request = client.build_request("GET", "/player.js", headers={"accept-encoding": "gzip"})
    reply = await client.send(request, stream=True)
    raw = b"".join([chunk async for chunk in reply.aiter_raw()])
    assert gzip.decompress(raw).decode() == CODE
    assert len(raw) < len(CODE) / 5
    assert reply.headers["content-type"].startswith("text/javascript")
    plain = await client.get("/player.js", headers={"accept-encoding": "identity"})
    assert plain.text == CODE
    assert "content-encoding" not in plain.headers
    for one in (reply, plain):
        assert "Accept-Encoding" in one.headers["vary"]
        again = await client.get("/player.js", headers={"if-none-match": one.headers["etag"]})
        assert again.status_code == 304
    part = await client.get("/player.js", headers={"range": "bytes=0-5"})
    assert (part.status_code, part.text) == (206, CODE[:6])
