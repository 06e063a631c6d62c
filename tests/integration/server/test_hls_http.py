"""HLS of a channel over HTTP: FFmpeg goes live by WHIP, ffprobe watches."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from headwater.app import Node
from headwater.servers import channel_seats
from tests.integration.server.conftest import LIMITS, settings
from tests.integration.server.shows import (
    children,
    eventually,
    first_playlist,
    folders,
    show_often,
    udp_ports,
    until,
)
from tests.support.ffmpeg import whip_publisher
from tests.support.probe import probe

pytestmark = pytest.mark.timeout(240)


async def test_a_channel_is_watched_by_hls_while_it_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The playlist waits for the first segment, moves on, ends with the broadcast and goes away.

    The data directory is named as people do it, from where they stand: FFmpeg works elsewhere.
    """
    monkeypatch.chdir(tmp_path)
    hls = {"segment_seconds": 1.0, "grace_seconds": 2.0}
    async with (
        Node(settings(Path(), dev=True, hls=hls), allow_several=True) as node,
        httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http,
    ):
        channel = (await http.post("/channels")).json()["channelId"]
        path = f"/hls/{channel}/index.m3u8"
        assert (await http.get(path)).status_code == 404
        async with whip_publisher(f"{node.url}/whip/{channel}", tmp_path, 7, 440.0):
            playlist = await first_playlist(http, path)
            assert playlist.headers["content-type"].startswith("application/vnd.apple.mpegurl")
            assert playlist.headers["access-control-allow-origin"] == "*"
            assert "max-age=0" in playlist.headers["cache-control"]
            name = next(line for line in playlist.text.splitlines() if line.endswith(".ts"))
            segment = await http.get(f"/hls/{channel}/{name}")
            assert (segment.status_code, segment.headers["content-type"]) == (200, "video/mp2t")
            assert "immutable" in segment.headers["cache-control"]
            piece = await http.get(f"/hls/{channel}/{name}", headers={"range": "bytes=188-375"})
            assert (piece.status_code, piece.content) == (206, segment.content[188:376])
            for reply, address in ((segment, f"/hls/{channel}/{name}"), (await http.get(path), path)):
                known = await http.get(address, headers={"if-none-match": reply.headers["etag"]})
                went_on = address == path and known.text != reply.text
                assert (known.status_code, known.content) == (304, b"") or went_on
            head = await http.head(f"/hls/{channel}/{name}")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["x-content-type-options"] == "nosniff"
            assert (await http.options(path)).headers["access-control-allow-methods"] == "GET, HEAD"
            streams = await probe(f"{node.url}{path}")
            assert (streams["video"]["codec_name"], streams["audio"]["codec_name"]) == ("h264", "aac")
            assert (streams["video"]["width"], streams["video"]["height"]) == (320, 180)
            picture = f"/channels/{channel}/thumbnail.jpg"
            await until(http, picture, lambda reply: reply.status_code == 200)
            seen = await probe(f"{node.url}{picture}")
            assert (seen["video"]["codec_name"], seen["video"]["width"]) == ("mjpeg", 320)
            packed = await until(http, path, lambda reply: "content-encoding" in reply.headers)
            assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
            assert int(packed.headers["content-length"]) < len(packed.content)
            plain = await http.get(path, headers={"accept-encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert plain.text.startswith("#EXTM3U\n")
        ended = await until(http, path, lambda reply: reply.text.endswith("#EXT-X-ENDLIST\n"))
        assert ended.status_code == 200
        await until(http, path, lambda reply: reply.status_code == 404)
        assert not list((node.settings.data / "hls").rglob("*.ts"))


async def test_a_signed_link_plays_a_private_channel_until_it_is_revoked(tmp_path: Path) -> None:
    """A player without a token gets playlist and segments by the link alone; revoking ends it at once."""
    hls = {"segment_seconds": 1.0, "cors": "https://news.example"}
    async with (
        Node(settings(tmp_path, dev=True, hls=hls), allow_several=True) as node,
        httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http,
    ):
        node.gate.open_house = False  # as in production, for whoever watches
        channel = node.channels.open("", visibility="private")
        path, prefix = f"/hls/{channel.id}/index.m3u8", f"/hls/{channel.id}/"
        link = f"{path}?{node.gate.paths.sign_path(prefix, channel=channel.id, ttl=600)}"
        node.gate.open_house = True
        async with whip_publisher(f"{node.url}/whip/{channel.id}", tmp_path, 7, 440.0):
            await first_playlist(http, path)
            node.gate.open_house = False
            assert (await http.get(path)).status_code == 401
            playlist = await http.get(link)
            assert (playlist.status_code, "private" in playlist.headers["cache-control"]) == (200, True)
            segment = next(line for line in playlist.text.splitlines() if not line.startswith("#"))
            assert (await http.get(f"{prefix}{segment.partition('?')[0]}")).status_code == 401
            found = await http.get(f"{prefix}{segment}")
            assert found.status_code == 200
            for reply in (playlist, found, await http.options(path)):
                assert reply.headers["access-control-allow-origin"] == "https://news.example"
            streams = await probe(f"{node.url}{link}")
            assert set(streams) == {"audio", "video"}
            channel.revoke_links()
            for address in (link, f"{prefix}{segment}"):
                assert (await http.get(address)).status_code == 401


@pytest.mark.parametrize(
    "name", ["..%2f..%2fsecret", "%2e%2e/secret", "nothing.ts", "r1.sdp", "r1_video.m3u8", "x" * 5000]
)
async def test_only_what_was_listed_is_served(dev: Node, name: str) -> None:
    """No path leads out of the channel's files, and FFmpeg's key is nobody's."""
    async with httpx.AsyncClient(base_url=dev.url, trust_env=False, timeout=60) as http:
        channel = (await http.post("/channels")).json()["channelId"]
        assert (await http.get(f"/hls/{channel}/{name}")).status_code == 404


async def test_shows_with_segments_leave_nothing(tmp_path: Path) -> None:
    """Descriptors, threads, tasks, objects, children, ports, files and memory are as before."""
    before, after = await show_often(tmp_path, 4, warm=2)
    assert after.counts == before.counts
    assert after.memory - before.memory < 16 * 1024


async def test_a_killed_broadcaster_ends_the_packaging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says goodbye; FFmpeg, its ports and the segments go all the same."""
    monkeypatch.setattr(channel_seats, "FAILED_SECONDS", 2.0)
    limits = {**LIMITS, "broadcast_grace_seconds": 0.2}
    hls = {"segment_seconds": 0.5, "grace_seconds": 0.1}
    async with (
        Node(settings(tmp_path, dev=True, hls=hls, limits=limits), allow_several=True) as node,
        httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http,
    ):
        ports, channel = udp_ports(), node.channels.open("")

        async def show() -> None:
            async with whip_publisher(f"{node.url}/whip/{channel.id}", tmp_path, 7, 440.0):
                (sender,) = children()
                await first_playlist(http, f"/hls/{channel.id}/index.m3u8")
                assert udp_ports() > ports
                os.kill(sender, signal.SIGKILL)
                await eventually(lambda: channel.over)

        with pytest.raises(AssertionError, match="FFmpeg ended"):  # what its helper says of the dead
            await show()
        await eventually(lambda: not children())
        await eventually(lambda: udp_ports() == ports)
        await eventually(lambda: not folders(tmp_path))
