"""The stock npm package mediasoup-client goes live and watches over ``/channels``, without a shim."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.e2e.channel_page import VIDEO, address, broadcast, expect_live, open_page, watch
from tests.e2e.expect import expect_marker, expect_tone
from tests.support.browser import Browser, DriverError, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_NUMBER, _TONE = 0x5B, 660.0
_SOUND = "() => ms.consumers.audio.track"


async def test_one_page_broadcasts_and_another_watches(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Load, produce sound and simulcast video, consume both: they arrive, moving and audible."""
    _, channel = await broadcast(alice_browser, server, _NUMBER, tone=_TONE)
    assert channel.startswith("chn_")
    viewer = await watch(bob_browser, server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER)
    await expect_tone(viewer, _SOUND, _TONE)
    told = await viewer.run("() => ms.consumers.video.described")
    assert (told["type"], told["kind"], told["producerPaused"]) == ("simulcast", "video", False)
    (encoding,) = told["rtpParameters"]["encodings"]
    assert encoding["scalabilityMode"] == "L3T3"
    assert encoding["rtx"]["ssrc"] != encoding["ssrc"]


@pytest.mark.parametrize("watches", ["chromium", "firefox"])
async def test_layers_and_pauses(
    server: Server, alice_browser: Browser, bob_browser: Browser, firefox: Browser, watches: str
) -> None:
    """A viewer chooses the size of its picture; what is paused stands still, and says so."""
    # Chromium sends three encodings of pictures from 960 x 540 on.
    sender, channel = await broadcast(alice_browser, server, _NUMBER, width=960, height=540)
    viewer = await watch({"chromium": bob_browser, "firefox": firefox}[watches], server, channel)
    await viewer.run("() => ms.prefer(0)")
    await expect_live(viewer, "video", "row.frameHeight === 135", what="the smallest picture")
    await viewer.until(
        "() => ms.socket.events('layerschange').some((each) => each.spatialLayer === 0)",
        what="layerschange to 0",
    )
    await viewer.run("() => ms.prefer(2)")
    await expect_live(viewer, "video", "row.frameHeight === 540", what="the largest picture")
    await sender.run("() => ms.socket.request('pauseProducer', { producerId: ms.producers.video.id })")
    await viewer.until("() => ms.socket.events('producerpause').length === 1", what="producerpause")
    await expect_still(viewer)
    await sender.run("() => ms.socket.request('resumeProducer', { producerId: ms.producers.video.id })")
    await viewer.until("() => ms.socket.events('producerresume').length === 1", what="producerresume")
    await expect_marker(viewer, VIDEO, _NUMBER)
    await viewer.run("() => ms.socket.request('pause', { consumerId: ms.consumers.video.id })")
    await expect_still(viewer)
    await viewer.run("() => ms.socket.request('resume', { consumerId: ms.consumers.video.id })")
    await expect_marker(viewer, VIDEO, _NUMBER)


async def test_key_frames_are_sent_when_asked_for(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """`requestKeyFrame` brings one, again and again; nobody else makes the sender send any."""
    _, channel = await broadcast(alice_browser, server, _NUMBER, simulcast=False)
    viewer = await watch(bob_browser, server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER)
    for _ in range(3):
        count = (await viewer.run("() => ms.inbound('video')"))["keyFramesDecoded"]
        await viewer.run("() => ms.socket.request('requestKeyFrame', { consumerId: ms.consumers.video.id })")
        await expect_live(viewer, "video", f"row.keyFramesDecoded > {count}", what="a key frame")


@pytest.mark.parametrize("sends", ["chromium", "firefox"])
async def test_data_channels(
    server: Server, alice_browser: Browser, bob_browser: Browser, firefox: Browser, sends: str
) -> None:
    """Text and bytes of a data producer arrive at a data consumer, in order, without DCEP."""
    sender, channel = await broadcast({"chromium": alice_browser, "firefox": firefox}[sends], server, _NUMBER)
    await sender.run("() => ms.openData('chat')")
    viewer = await open_page(bob_browser, server, name="viewer")
    await viewer.run("(url) => ms.watch(url)", address(server, channel))
    told = await viewer.run("() => ms.takeData()")
    assert told["label"] == "chat"
    await sender.run("() => { ms.data.send('hello'); ms.data.send(new Uint8Array([1, 2, 3])); }")
    await viewer.until(
        "() => ms.messages.length === 2 && ms.messages[0] === 'hello' && ms.messages[1].byteLength === 3",
        what="both messages",
    )
    await sender.run("() => ms.data.close()")
    await viewer.until("() => ms.socket.events('dataproducerclose').length === 1", what="dataproducerclose")


@pytest.mark.parametrize("talks", ["chromium", "firefox"])
async def test_viewers_talk(
    server: Server, alice_browser: Browser, bob_browser: Browser, firefox: Browser, talks: str
) -> None:
    """A viewer's messages reach the broadcaster and go away with the viewer; the picture is not touched."""
    sender, channel = await broadcast(alice_browser, server, _NUMBER)
    viewer = await watch({"chromium": bob_browser, "firefox": firefox}[talks], server, channel)
    produced = await viewer.run("() => ms.talk('chat')")
    await sender.until("() => ms.socket.events('newDataProducer').length === 1", what="newDataProducer")
    told = await sender.run("() => ms.listen()")
    assert (told["dataProducerId"], told["label"]) == (produced, "chat")
    await viewer.run("() => { ms.said.send('good morning'); }")
    await sender.until("() => ms.messages[0] === 'good morning'", what="the message")
    await expect_marker(viewer, VIDEO, _NUMBER)
    await viewer.run("() => { ms.socket.socket.close(1000); }")
    await sender.until("() => ms.socket.events('dataproducerclose').length === 1", what="dataproducerclose")
    async with server.client() as http:
        assert (await http.get(f"/channels/{channel}")).json()["state"] == "live"


@pytest.mark.parametrize(("sends", "watches"), [("alice", "bob"), ("firefox", "bob"), ("alice", "firefox")])
async def test_ice_restarts(
    server: Server, alice_browser: Browser, bob_browser: Browser, firefox: Browser, sends: str, watches: str
) -> None:
    """Both sides get new ICE credentials and use them, and the picture goes on."""
    browsers = {"alice": alice_browser, "bob": bob_browser, "firefox": firefox}
    sender, channel = await broadcast(browsers[sends], server, _NUMBER)
    viewer = await watch(browsers[watches], server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER)
    known = (await server.metrics())["headwater_media_known_ufrags_total"]
    for page in (sender, viewer):
        before = await page.run("() => kit.pcs.at(-1).remoteDescription.sdp")
        ufrag = await page.run("() => ms.restart()")
        after = await page.run("() => kit.pcs.at(-1).remoteDescription.sdp")
        assert f"a=ice-ufrag:{ufrag}" in after
        assert ufrag not in before
        await page.until(
            "() => ['connected', 'completed'].includes(kit.pcs.at(-1).iceConnectionState)",
            what="ICE after the restart",
        )
    await expect_marker(viewer, VIDEO, _NUMBER)
    # Counters are as old as their last publication, at most a second: one look after the restart may
    # show what was before it. Gone is what three seconds no longer show.
    async with asyncio.timeout(30):
        since = time.monotonic()
        while time.monotonic() - since < 3:
            if (await server.metrics())["headwater_media_known_ufrags_total"] > known:
                since = time.monotonic()
            await asyncio.sleep(0.2)


async def test_producers_close_and_come_again(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """A producer that ends takes its consumers with it; the next one is announced and can be consumed."""
    sender, channel = await broadcast(alice_browser, server, _NUMBER)
    viewer = await watch(bob_browser, server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER)
    consumer = await viewer.run("() => ms.consumers.video.id")
    for _ in range(2):
        await sender.run("() => ms.closeProducer('video')")
        (gone,) = await viewer.until(
            "(id) => { const found = ms.socket.events('producerclose')"
            ".filter((each) => each.consumerId === id); return found.length && found; }",
            consumer,
            what="producerclose",
        )
        await viewer.run("() => ms.consumers.video.close()")
        produced = await sender.run("() => ms.produceVideo()")
        assert produced != gone["producerId"]
        await viewer.until(
            "(id) => ms.socket.events('newProducer').some((each) => each.producerId === id)",
            produced,
            what="newProducer",
        )
        await viewer.run("(id) => ms.consumeOne(id)", produced)
        consumer = await viewer.run("() => ms.consumers.video.id")
        await expect_marker(viewer, VIDEO, _NUMBER)


async def test_the_broadcaster_hangs_up(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """A second broadcaster is refused; when the first page closes, the channel ends for its viewers."""
    sender, channel = await broadcast(alice_browser, server, _NUMBER)
    second = await open_page(bob_browser, server, name="second")
    with pytest.raises(DriverError, match="channel_busy"):
        await second.run("(url) => ms.broadcast(url)", address(server, channel))
    viewer = await watch(bob_browser, server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER)
    await sender.close()
    await viewer.until(
        "() => ms.socket.events('channelState').some((each) => each.state === 'ended')",
        what="the end of the channel",
    )
    await viewer.until("() => ms.transport.connectionState !== 'connected'", what="the end of the transport")


@pytest.mark.parametrize("codec", ["vp9", "av1", "h264"])
async def test_codecs(server: Server, alice_browser: Browser, bob_browser: Browser, codec: str) -> None:
    """The other codecs find their way by the router's payload types too."""
    _, channel = await broadcast(
        alice_browser, server, _NUMBER, codec=f"video/{codec}", simulcast=False, width=320, height=180
    )
    viewer = await watch(bob_browser, server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER, timeout=80)
    row = await expect_live(viewer, "video", "row.framesDecoded > 10", what="frames")
    assert row["mimeType"].lower() == f"video/{codec}"


@pytest.mark.parametrize("sends", ["firefox", "chromium"])
async def test_firefox(server: Server, alice_browser: Browser, firefox: Browser, sends: str) -> None:
    """Firefox sends simulcast to Chromium, and receives from it."""
    sender, receiver = (firefox, alice_browser) if sends == "firefox" else (alice_browser, firefox)
    _, channel = await broadcast(sender, server, _NUMBER, tone=_TONE)
    viewer = await watch(receiver, server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER, timeout=80)
    await expect_tone(viewer, _SOUND, _TONE)


async def expect_still(page: Page) -> None:
    """No frame is decoded any more."""
    await page.until(
        """async () => {
            const before = (await ms.inbound("video")).framesDecoded;
            await new Promise((done) => setTimeout(done, 1000));
            return (await ms.inbound("video")).framesDecoded === before;
        }""",
        what="a picture that stands still",
    )
