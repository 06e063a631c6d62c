"""Data channels through the room: order, reliability and what the receiver is told of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.client_page import join
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_COUNT = 100
_KINDS: dict[str, dict[str, bool | int]] = {
    "ordered": {},
    "unordered": {"ordered": False},
    "unreliable": {"ordered": False, "maxRetransmits": 0},
    "short-lived": {"ordered": True, "maxPacketLifeTime": 200},
}


@pytest.fixture(params=list(_KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Which kind of channel."""
    name: str = request.param
    return name


async def test_messages_echo_between_engines(
    kind: str, server: Server, alice_browser: Browser, firefox: Browser
) -> None:
    """What Chromium sends arrives at Firefox, which sends it back on a channel of the same kind."""
    meeting = await server.new_meeting()
    ada, fox = await asyncio.gather(
        join(alice_browser, server, meeting, name="ada"), join(firefox, server, meeting, name="fox")
    )
    await asyncio.gather(_open(ada, "ask", kind), _open(fox, "reply", kind))
    await asyncio.gather(_is_known(fox, "ask", kind), _is_known(ada, "reply", kind))
    sent = [f"{kind} {number} äöü" for number in range(_COUNT)]
    await ada.run("(texts) => texts.forEach((text) => call.sendData('ask', text))", sent)
    asked = await _received(fox, "ask")
    await fox.run("() => call.messages('ask').forEach((text) => call.sendData('reply', text))")
    replied = await _received(ada, "reply")
    for received in (asked, replied):
        assert sorted(received) == sorted(sent)
    if _KINDS[kind].get("ordered", True):
        assert asked == replied == sent


async def test_bytes_arrive_as_bytes(server: Server, alice_browser: Browser, firefox: Browser) -> None:
    """A binary message stays binary, byte for byte, up to 16 KiB."""
    meeting = await server.new_meeting()
    ada, fox = await asyncio.gather(
        join(alice_browser, server, meeting, name="ada"), join(firefox, server, meeting, name="fox")
    )
    await _open(ada, "bytes", "ordered")
    await _is_known(fox, "bytes", "ordered")
    await ada.run(
        "() => call.sendData('bytes', Uint8Array.from({ length: 16384 }, (_, at) => (at * 7) & 255).buffer)"
    )
    checked = await fox.until(
        "() => { const [data] = call.messages('bytes'); if (!data) return null;"
        " const bytes = new Uint8Array(data);"
        " return { length: bytes.length, right: bytes.every((value, at) => value === ((at * 7) & 255)) }; }",
        what="16 KiB of bytes",
    )
    assert checked == {"length": 16_384, "right": True}


async def _open(page: Page, label: str, kind: str) -> None:
    await page.run("(label, options) => call.openData(label, options)", label, _KINDS[kind])


async def _is_known(page: Page, label: str, kind: str) -> None:
    """The receiver's channel is open, under the label, with the sender's properties."""
    seen = await page.until(
        "(label) => { const channel = kit.channels.find((each) => each.label === label);"
        " return channel?.readyState === 'open' && { ordered: channel.ordered,"
        " maxRetransmits: channel.maxRetransmits, maxPacketLifeTime: channel.maxPacketLifeTime }; }",
        label,
        what=f"channel {label!r}",
    )
    assert seen == {"ordered": True, "maxRetransmits": None, "maxPacketLifeTime": None, **_KINDS[kind]}


async def _received(page: Page, label: str) -> list[str]:
    texts: list[str] = await page.until(
        "(label, count) => { const texts = call.messages(label); if (texts.length < count)"
        " throw new Error(`${texts.length} so far`); return texts; }",
        label,
        _COUNT,
        what=f"{_COUNT} messages on {label!r}",
    )
    return texts
