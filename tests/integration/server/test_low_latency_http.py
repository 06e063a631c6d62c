"""Low-latency HLS of a channel over HTTP: FFmpeg goes live by WHIP, requests wait for what comes next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import m3u8
import pytest

from headwater.app import Node
from tests.integration.server.conftest import settings
from tests.support.ffmpeg import whip_publisher
from tests.support.probe import probe

pytestmark = pytest.mark.timeout(240)


@contextlib.asynccontextmanager
async def serving(tmp_path: Path, **changes: object) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:
    """A node that packages in parts."""
    hls = {"segment_seconds": 1.0, "low_latency": True, "grace_seconds": 30.0, **changes}
    async with (
        Node(settings(tmp_path, dev=True, hls=hls), allow_several=True) as node,
        httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=30) as http,
    ):
        yield node, http


@contextlib.asynccontextmanager
async def live(node: Node, http: httpx.AsyncClient, tmp_path: Path) -> AsyncIterator[str]:
    """FFmpeg makes a channel live; yields its playlist's address once it answers."""
    channel = node.channels.open("")
    path = f"/hls/{channel.id}/index.m3u8"
    async with whip_publisher(f"{node.url}/whip/{channel.id}", tmp_path, 7, 440.0):
        async with asyncio.timeout(60):
            while (await http.get(path)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        yield path


def newest(text: str) -> tuple[int, int]:
    """Number of the segment that is not whole, and how many parts of it are listed."""
    listed = m3u8.loads(text)
    whole = [one for one in listed.segments if one.uri]
    rest = [one for one in listed.segments if not one.uri]
    return listed.media_sequence + len(whole), len(rest[0].parts) if rest else 0


async def test_requests_wait_for_what_they_ask_for(tmp_path: Path) -> None:
    """The answer has the part that was asked for; the part that was hinted comes when it is there."""
    async with serving(tmp_path) as (node, http), live(node, http, tmp_path) as path:
        for _ in range(4):
            msn, part = newest((await http.get(path)).text)
            reply = await http.get(path, params={"_HLS_msn": msn, "_HLS_part": part})
            assert reply.status_code == 200
            assert newest(reply.text) >= (msn, part + 1) or newest(reply.text)[0] > msn
            assert "max-age=" in reply.headers["cache-control"]
            assert "max-age=0" not in reply.headers["cache-control"], "it is what it is for good"
            hint = m3u8.loads(reply.text).preload_hint.uri
            piece = await http.get(f"{path.rpartition('/')[0]}/{hint}")
            assert (piece.status_code, piece.content[4:8]) == (200, b"moof")
            assert "immutable" in piece.headers["cache-control"]
        plain = await http.get(path)
        assert "max-age=0" in plain.headers["cache-control"]
        assert (await http.get(f"{path}?_HLS_skip=YES")).status_code == 200
        streams = await probe(f"{node.url}{path}")
        assert (streams["video"]["codec_name"], streams["audio"]["codec_name"]) == ("h264", "opus")


async def test_nonsense_is_refused_and_the_end_answers_all(tmp_path: Path) -> None:
    """Too far ahead, or no number: 400 at once. Who waits when the broadcast ends is told so."""
    async with serving(tmp_path) as (node, http):
        async with live(node, http, tmp_path) as path:
            msn, _ = newest((await http.get(path)).text)
            for query in (
                f"_HLS_msn={msn + 5}",
                f"_HLS_msn={msn}&_HLS_part=500",
                "_HLS_part=1",
                "_HLS_msn=x",
                f"_HLS_msn={msn}&_HLS_msn={msn}",
            ):
                reply = await http.get(f"{path}?{query}")
                assert (reply.status_code, reply.json()["code"]) == (400, "invalid_query"), query
            assert (await http.get(path.replace("index.m3u8", "video_p999999.m4s"))).status_code == 404
            msn, _ = newest((await http.get(path)).text)
            wanted = f"{path}?_HLS_msn={msn + 1}"
            waiting = [asyncio.create_task(http.get(wanted)) for _ in range(5)]
        replies = await asyncio.gather(*waiting)
        assert {reply.status_code for reply in replies} == {200}
        after = await http.get(wanted)
        assert after.text.endswith("#EXT-X-ENDLIST\n")
        assert "max-age=0" in after.headers["cache-control"], "it may begin again"
