"""HLS of what a real browser sends: its layers become renditions, its codecs stay as they are."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import m3u8
import pytest
import pytest_asyncio

from tests.e2e.channel_page import broadcast
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, DriverError
from tests.support.probe import pictures, probe
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_NUMBER = 0x6B
_VIDEO = "() => document.querySelector('[data-testid=watch-video]')"
_SIZES = [(1280, 720), (640, 360), (320, 180)]


@pytest_asyncio.fixture(loop_scope="session")
async def cmaf_server(network: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A node that writes fragmented MP4."""
    settings = {"HEADWATER_HLS__CONTAINER": "cmaf"}
    async with Server.start(tmp_path, settings=settings) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def ladder_server(network: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A node that encodes pictures in two heights."""
    settings = {"HEADWATER_HLS__LADDER": "180,144", "HEADWATER_HLS__WINDOW": "30"}
    async with Server.start(tmp_path, settings=settings) as server:
        yield server


async def playlist(server: Server, path: str, condition: Callable[[str], bool]) -> str:
    """The text of a playlist once it is as wanted."""
    async with server.client() as http, asyncio.timeout(90):
        while True:
            with contextlib.suppress(httpx.ReadTimeout):
                reply = await http.get(path)
                if reply.status_code == 200 and condition(reply.text):
                    return reply.text
            await asyncio.sleep(0.3)


def uris(text: str) -> list[str]:
    """What a playlist names."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def lists(piece: str) -> Callable[[str], bool]:
    """Whether a playlist names this."""
    return lambda text: piece in uris(text)


async def test_layers_of_simulcast_are_renditions(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Three sizes of H264, none of them encoded again, cut at the same moments; hls.js takes each."""
    media: dict[str, Any] = {"codec": "video/h264", "width": 1280, "height": 720}
    _, channel = await broadcast(alice_browser, server, _NUMBER, **media)
    prefix = f"/hls/{channel}/"
    master = await playlist(server, f"{prefix}index.m3u8", lambda text: text.count("#EXT-X-STREAM-INF") == 3)
    sizes = [tuple(map(int, found)) for found in re.findall(r"RESOLUTION=(\d+)x(\d+)", master)]
    assert sizes == _SIZES, master
    assert master.count('CODECS="avc1.') == 3
    theirs = m3u8.loads(master)
    assert [one.stream_info.resolution for one in theirs.playlists] == _SIZES
    assert [one.uri for one in theirs.playlists] == uris(master)

    names = uris(master)
    newest = uris(await playlist(server, prefix + names[0], lambda text: len(uris(text)) >= 4))[-1]
    stems = [name.removesuffix(".m3u8") for name in names]
    pieces = [newest.replace(stems[0], stem) for stem in stems]
    for name, piece in zip(names, pieces, strict=True):
        await playlist(server, prefix + name, lists(piece))
    starts = [await beginning(f"{server.url}{prefix}{piece}") for piece in pieces]
    assert max(starts) - min(starts) < 1.0, starts
    for name, size in zip(names, _SIZES, strict=True):
        streams = await probe(f"{server.url}{prefix}{name}")
        video = streams["video"]
        assert (video["codec_name"], video["width"], video["height"]) == ("h264", *size)
        assert video["profile"] == "Constrained Baseline", "as the browser made it"
        assert streams["audio"]["codec_name"] == "aac"

    await watch_each(bob_browser, f"{server.url}/watch/{channel}?by=hls", [180, 360, 720])
    await play_without_library(bob_browser, server, f"{prefix}index.m3u8")


async def test_a_ladder_of_encoded_sizes(
    ladder_server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """VP8 in one size: H264 in each height, cut at the same moments; hls.js takes each."""
    server, sizes = ladder_server, [(320, 180), (256, 144)]
    media: dict[str, Any] = {"codec": "video/vp8", "simulcast": False, "width": 320, "height": 180}
    _, channel = await broadcast(alice_browser, server, _NUMBER, **media)
    prefix = f"/hls/{channel}/"
    master = await playlist(server, f"{prefix}index.m3u8", lambda text: text.count("#EXT-X-STREAM-INF") == 2)
    streams = [one.stream_info for one in m3u8.loads(master).playlists]
    assert [one.resolution for one in streams] == sizes, master
    assert [one.codecs for one in streams] == ["avc1.4d401e,mp4a.40.2"] * 2
    assert 700_000 > streams[0].bandwidth > streams[1].bandwidth > 300_000
    large, small = uris(master)
    pieces: list[str] = []
    while len(pieces) < 3:  # of the larger size, whose counterpart is listed too
        pieces = uris(await playlist(server, prefix + large, lambda text: len(uris(text)) >= 3))
        others = uris(await playlist(server, prefix + small, lambda text: len(uris(text)) >= 3))
        pieces = [piece for piece in pieces if piece.replace("o1", "o0") in others][-3:]
    for piece in pieces:
        other = piece.replace("o1", "o0")
        for name, size in zip((piece, other), sizes, strict=True):
            video = (await probe(f"{server.url}{prefix}{name}"))["video"]
            assert (video["codec_name"], video["width"], video["height"]) == ("h264", *size)
        starts = [await beginning(f"{server.url}{prefix}{name}") for name in (piece, other)]
        assert starts[0] == pytest.approx(starts[1], abs=0.001)
    await watch_each(bob_browser, f"{server.url}/watch/{channel}?by=hls", [144, 180])


async def watch_each(browser: Browser, address: str, heights: list[int]) -> None:
    """Take one rendition after the other; the first and the last show the marker."""
    viewer = await browser.open(address, name="viewer")
    await expect_marker(viewer, _VIDEO, _NUMBER, timeout=60)
    for height in heights:
        await viewer.run(
            "(height) => { const select = document.querySelector('[data-testid=player-quality]');"
            " select.value = `hls ${height}`;"
            " select.dispatchEvent(new Event('change', { bubbles: true })); }",
            height,
        )
        await viewer.until(
            f"(height) => ({_VIDEO})().videoHeight === height", height, what=f"{height} lines", timeout=80
        )
    await expect_marker(viewer, _VIDEO, _NUMBER, timeout=60)


async def play_without_library(browser: Browser, server: Server, address: str) -> None:
    """Chromium plays HLS itself: no hls.js, no player of ours."""
    page = await browser.open(f"{server.url}/", name="bare")
    await page.run(
        "(src) => { const video = document.createElement('video');"
        " Object.assign(video, { muted: true, autoplay: true, src });"
        " document.body.replaceChildren(video); }",
        address,
    )
    await expect_marker(page, "() => document.querySelector('video')", _NUMBER, timeout=60)
    assert await page.run("() => document.querySelector('video').currentSrc.endsWith('.m3u8')")


async def beginning(address: str) -> float:
    """When the first picture of a segment is shown, in seconds; it is a key frame."""
    at, is_key = (await pictures(address))[0]
    assert is_key
    return at


async def test_layers_that_come_and_go(server: Server, alice_browser: Browser) -> None:
    """Larger ones are added behind one seam; the rendition of one that stops goes on, smaller."""
    media: dict[str, Any] = {"codec": "video/h264", "width": 1280, "height": 720}
    page, channel = await broadcast(alice_browser, server, _NUMBER, **media, layers=1)
    prefix = f"/hls/{channel}/"
    master = await playlist(server, f"{prefix}index.m3u8", lambda text: "#EXT-X-STREAM-INF" in text)
    assert uris(master) == ["video0.m3u8"], "whoever joins now will find the others in the same place"
    await page.run("() => ms.producers.video.setMaxSpatialLayer(2)")
    await playlist(server, f"{prefix}index.m3u8", lambda text: text.count("#EXT-X-STREAM-INF") == 3)
    smallest = await playlist(server, f"{prefix}video0.m3u8", lambda text: "#EXT-X-DISCONTINUITY\n" in text)
    assert smallest.count("#EXT-X-DISCONTINUITY\n") == 1

    await page.run("() => ms.producers.video.setMaxSpatialLayer(1)")
    async with asyncio.timeout(90):
        while True:
            largest = await playlist(server, f"{prefix}video2.m3u8", lambda text: len(uris(text)) > 1)
            video = (await probe(f"{server.url}{prefix}{uris(largest)[-1]}"))["video"]
            if (video["width"], video["height"]) == _SIZES[1]:
                break
            await asyncio.sleep(0.5)
    assert "#EXT-X-DISCONTINUITY\n" not in largest, "FFmpeg is still the same"


async def test_a_browser_that_crashes_ends_the_packaging(server: Server, alice_browser: Browser) -> None:
    """Nobody says goodbye; after the grace period the playlist has ended and no FFmpeg is left."""
    page, channel = await broadcast(alice_browser, server, _NUMBER, codec="video/h264", simulcast=False)
    path = f"/hls/{channel}/index.m3u8"
    await playlist(server, path, lambda text: len(uris(text)) >= 2)
    assert await packagers(server) >= 1
    with contextlib.suppress(DriverError, TimeoutError):
        await asyncio.wait_for(page.goto("chrome://crash"), 10)
    ended = await playlist(server, path, lambda text: text.endswith("#EXT-X-ENDLIST\n"))
    assert m3u8.loads(ended).is_endlist
    async with asyncio.timeout(90):  # those of other tests are in their grace period still
        while await packagers(server) > 0:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def packagers(server: Server) -> float:
    """How many FFmpegs run."""
    return sum(value for name, value in (await server.metrics()).items() if "hls_packagers" in name)


async def download(server: Server, path: str, target: Path) -> Path:
    """The initialisation section and all segments of a playlist, one after the other."""
    async with server.client() as http:
        listed = m3u8.loads((await http.get(path)).text)
        names = [listed.segments[0].init_section.uri, *(one.uri for one in listed.segments)]
        pieces = [await http.get(f"{path.rpartition('/')[0]}/{name}") for name in names]
    if any(piece.status_code == 404 for piece in pieces):  # the oldest has left meanwhile
        return await download(server, path, target)
    assert all(piece.status_code == 200 for piece in pieces)
    await asyncio.to_thread(target.write_bytes, b"".join(piece.content for piece in pieces))
    return target


@pytest.mark.parametrize(("codec", "found"), [("h264", "h264"), ("av1", "av1"), ("vp9", "h264")])
async def test_fragmented_mp4_takes_codecs_as_they_are(
    cmaf_server: Server,
    alice_browser: Browser,
    bob_browser: Browser,
    tmp_path: Path,
    codec: str,
    found: str,
) -> None:
    """Sound is never encoded again, of pictures only VP9, and hls.js plays it."""
    server = cmaf_server
    media: dict[str, Any] = {"codec": f"video/{codec}", "simulcast": False, "width": 320, "height": 180}
    _, channel = await broadcast(alice_browser, server, _NUMBER, **media)
    path = f"/hls/{channel}/index.m3u8"
    text = await playlist(server, path, lambda text: len(uris(text)) >= 3)
    assert "#EXT-X-MAP" in text
    recorded = await download(server, path, tmp_path / "recorded.mp4")
    streams = await probe(recorded, "-count_frames")
    assert (streams["video"]["codec_name"], streams["audio"]["codec_name"]) == (found, "opus")
    size = (320, 180) if found == codec else (1280, 720)
    assert (streams["video"]["width"], streams["video"]["height"]) == size
    assert int(streams["video"]["nb_read_frames"]) > 30
    viewer = await bob_browser.open(f"{server.url}/watch/{channel}?by=hls", name="viewer")
    await expect_marker(viewer, _VIDEO, _NUMBER, timeout=60)
