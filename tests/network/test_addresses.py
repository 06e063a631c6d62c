"""Addresses that a client has, gets and loses, in Chromium on real sockets.

The client lives in a network of its own, joined to the server's by a wire without faults.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.client_page import join, video_of
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, Driver, Page
from tests.support.network import own_network
from tests.support.roaming import HOME, IPV6, MOBILE, Roaming, RoamingUnavailable
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_ADA, _BOB = 0x5A, 0x27
_AT_ONCE_SECONDS = 5.0
"""From one address to another: half a second to a second on a quiet machine."""
_BACK_SECONDS = 8.0
"""From a new address, after none, to moving pictures."""


@pytest.fixture(scope="module")
def roaming() -> Iterator[Roaming]:
    """The client's network, without an address."""
    with own_network(), ExitStack() as stack:
        try:
            yield stack.enter_context(Roaming.start())
        except RoamingUnavailable as error:
            pytest.skip(str(error))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def node(roaming: Roaming, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A node as it is in production: on every address, by TLS."""
    async with Server.start(tmp_path_factory.mktemp("server"), production=True) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(roaming: Roaming) -> AsyncIterator[Browser]:
    """Chromium in the client's network.

    A page without a camera hides its addresses behind names, for which Chromium needs IPv4: where there
    is none it would gather nothing. Who has let the page use a camera hides nothing.
    """
    starting = Driver.start()
    with roaming.inside():
        driver = await starting.__aenter__()
        browser = await driver.launch_chromium("--disable-features=WebRtcHideLocalIpsWithMdns")
    try:
        yield browser
    finally:
        await starting.__aexit__(None, None, None)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def beside(roaming: Roaming) -> AsyncIterator[Browser]:
    """Chromium beside the server."""
    async with Driver.start() as driver:
        yield await driver.launch_chromium()


@pytest_asyncio.fixture(loop_scope="session")
async def closing(client: Browser) -> AsyncIterator[Browser]:
    """The same, with its pages closed afterwards."""
    yield client
    for page in list(client.driver.pages):
        await page.close()


async def test_a_call_by_ipv6(node: Server, roaming: Roaming, closing: Browser) -> None:
    """Who has IPv6 alone opens the page by an address, and media comes by UDP over IPv6."""
    roaming.take(IPV6)
    try:
        ada, bob = await _call(node, f"[{IPV6.near}]", closing)
        for page in (ada, bob):
            assert await _paths(page) == {("udp", IPV6.near, node.port)}
            told = {tuple(candidate) for candidate in await page.run(_TOLD)}
            both = {(protocol, place.near) for protocol in ("udp", "tcp") for place in (HOME, IPV6)}
            assert both <= told, told
    finally:
        roaming.drop(IPV6)


async def test_a_call_by_ipv6_without_udp(node: Server, roaming: Roaming, closing: Browser) -> None:
    """Where UDP is refused, media comes by TCP over IPv6."""
    roaming.take(IPV6)
    try:
        with roaming.without_udp(node.port):
            ada, bob = await _call(node, f"[{IPV6.near}]", closing)
            for page in (ada, bob):
                assert await _paths(page) == {("tcp", IPV6.near, node.port)}
    finally:
        roaming.drop(IPV6)


async def test_from_one_network_to_another(
    node: Server, roaming: Roaming, closing: Browser, beside: Browser
) -> None:
    """The client's address is gone and another is there: the same people go on with the same tracks."""
    roaming.take(HOME)
    place = HOME
    try:
        ada, bob = await _two(node, beside, closing)
        before = await bob.run(_WHO)
        roaming.drop(HOME)
        place = MOBILE
        await _note(ada, bob)
        roaming.take(MOBILE)
        for page in (ada, bob):
            await _resumes(page, within=_AT_ONCE_SECONDS)
        assert await bob.run(_WHO) == before
    finally:
        roaming.drop(place)


async def test_three_seconds_without_a_network(
    node: Server, roaming: Roaming, closing: Browser, beside: Browser
) -> None:
    """Between two networks there is none: the client notices, asks for new paths, and finds back."""
    roaming.take(HOME)
    try:
        ada, bob = await _two(node, beside, closing)
        before = await bob.run(_WHO)
    finally:
        roaming.drop(HOME)
    await _note(ada, bob)
    # By the browser's own patience it would take 7.6 s until anybody asks.
    await bob.until(_NOTICED, what="three seconds, and a silence that is noticed", timeout=7)
    roaming.take(MOBILE)
    try:
        came = await bob.run("() => performance.now() - kit.state.start")
        for page in (ada, bob):
            await _resumes(page, within=came / 1000 + _BACK_SECONDS)
        assert await bob.run(_WHO) == before
    finally:
        roaming.drop(MOBILE)


async def _two(node: Server, near: Browser, far: Browser) -> tuple[Page, Page]:
    """Ada beside the server and bob at home see one another."""
    node.url = f"https://localhost:{node.port}"
    meeting = await node.new_meeting()
    ada = await join(near, node, meeting, name="ada", number=_ADA, width=320, height=180)
    node.url = f"https://{HOME.near}:{node.port}"
    bob = await join(far, node, meeting, name="bob", number=_BOB, width=320, height=180)
    await expect_marker(bob, video_of("ada"), _ADA)
    await expect_marker(ada, video_of("bob"), _BOB)
    await bob.until(
        "async () => (await kit.rows('data-channel', { label: 'headwater-heartbeat' }))"
        ".some((row) => row.messagesReceived > 0)",
        what="the server's heartbeat",
    )
    return ada, bob


async def _note(ada: Page, bob: Page) -> None:
    """From now on, both note when pictures come."""
    for page, other in ((ada, "bob"), (bob, "ada")):
        await page.run(_NOTE, other)


async def _resumes(page: Page, *, within: float) -> None:
    """Pictures stood still, and moved again after at most so many seconds."""
    stood = await page.until(_STOOD, what="ten pictures after a gap", timeout=30)
    assert stood / 1000 < within, f"{page.name}: {await page.run('() => kit.state')}"


async def _call(node: Server, host: str, browser: Browser) -> tuple[Page, Page]:
    """Two pages of the client, opened by this host name or address; bob sees ada."""
    node.url = f"https://{host}:{node.port}"
    meeting = await node.new_meeting()
    ada = await join(browser, node, meeting, name="ada", number=_ADA, width=320, height=180)
    bob = await join(browser, node, meeting, name="bob")
    await expect_marker(bob, video_of("ada"), _ADA)
    return ada, bob


async def _paths(page: Page) -> set[tuple[str, str, int]]:
    """Protocol and remote address of the candidate pairs that the page's connections have selected."""
    found: list[list[Any]] = await page.until(
        _SELECTED, what="a selected pair that has carried something", timeout=20
    )
    return {(protocol, address, port) for protocol, address, port in found}


_SELECTED = """async () => {
    const found = [];
    for (const pc of kit.pcs) {
        if (pc.connectionState !== "connected") continue;
        const report = await pc.getStats();
        for (const row of report.values()) {
            if (row.type !== "transport") continue;
            const pair = report.get(row.selectedCandidatePairId);
            if (!pair || !pair.bytesReceived) continue;
            const { protocol } = report.get(pair.localCandidateId);
            const { address, port } = report.get(pair.remoteCandidateId);
            found.push([protocol, address.replace(/[[\\]]/g, ""), port]);
        }
    }
    return found.length && found;
}"""
_TOLD = """() => kit.pcs.flatMap((pc) => (pc.remoteDescription?.sdp ?? "").split("\\r\\n"))
    .filter((line) => line.startsWith("a=candidate:"))
    .map((line) => line.split(" ")).map((words) => [words[2].toLowerCase(), words[4]])"""

_WHO = """() => [
    room.participantId, kit.pcs.length, ...[...room.subscribers.values()].map((each) => each.track.id)
]"""
"""Who one is, by how many connections, with which tracks: another value would be another call."""
_NOTE = """(name) => {
    const video = call.video(name);
    const noted = { start: performance.now(), longest: 0, since: 0, levels: [] };
    Object.assign(kit.state, noted);
    let last = noted.start;
    const frame = () => {
        const now = performance.now();
        if (now - last > kit.state.longest) Object.assign(kit.state, { longest: now - last, since: 0 });
        kit.state.since += 1;
        last = now;
        video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    room.on("stall", (level) => kit.state.levels.push(level));
}"""
"""Notes the longest time between two pictures, ms, how many came since, and the levels of silence."""
_STOOD = "() => kit.state.since > 10 && kit.state.longest"
_NOTICED = """() => {
    const { levels, start } = kit.state;
    const noticed = levels.includes("restart") || room.state === "reconnecting";
    if (!noticed) throw new Error(`${room.state} ${levels}`);
    return performance.now() - start > 3000;
}"""
"""The client looks for a new path, or has found out that signalling is gone as well, whichever came first."""
