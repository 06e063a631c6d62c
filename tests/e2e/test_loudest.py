"""A large meeting in Chromium: the loudest are heard on a few m-lines, and the ring is around them.

The node calls a meeting large from the third microphone on and gives everybody two slots. Three pages
speak in tones of their own; the loudness of each says who is to be heard.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e import app_page, client_page
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_TONES = {"ada": 500.0, "ben": 1100.0, "cleo": 1900.0}
_LOUD, _MIDDLING, _QUIET = 0.6, 0.15, 0.004
_SETTINGS = {"HEADWATER_HEAR_ALL": "2", "HEADWATER_VOICE_SLOTS": "2"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small_server(network: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A node to which three microphones are many."""
    async with Server.start(tmp_path_factory.mktemp("loudest"), settings=_SETTINGS) as server:
        yield server


async def test_the_loudest_are_heard_and_shown_as_speaking(
    small_server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Who is loud is heard by frequency and has the ring; it goes to another without an offer."""
    meeting = await small_server.new_meeting()
    speakers = await _speakers(alice_browser, small_server, meeting, _LOUD, _MIDDLING, _QUIET)
    viewer = await app_page.join(bob_browser, small_server, meeting, name="bob")
    await _expect_heard(viewer, "ada", "ben")
    await _expect_ring(viewer, "ada")
    await _expect_no_ring(viewer, "cleo")
    offered = await viewer.run(_OFFERED)

    await speakers["ada"].run("(loudness) => kit.setLoudness(loudness)", _QUIET)
    await speakers["cleo"].run("(loudness) => kit.setLoudness(loudness)", _LOUD)
    await _expect_heard(viewer, "ben", "cleo")
    await _expect_ring(viewer, "cleo")
    await app_page.expect_tile(
        viewer, "cleo", "tile.dataset.speaking === 'true'", what="the server says that she speaks"
    )
    await _expect_no_ring(viewer, "ada")
    assert await viewer.run(_OFFERED) == offered, "nothing was negotiated"
    assert offered["audio"] == 2, "as many m-lines as slots"


async def test_who_speaks_does_not_hear_themselves(small_server: Server, alice_browser: Browser) -> None:
    """The loudest of all hears the next two, and the same after a connection that was lost."""
    meeting = await small_server.new_meeting()
    speakers = await _speakers(alice_browser, small_server, meeting, _LOUD, _MIDDLING, _MIDDLING)
    await _expect_voices(speakers["ada"], "ben", "cleo")
    await speakers["ada"].run(
        "async () => { const back = new Promise((done) => room.on('reconnected', done));"
        " kit.sockets.at(-1).close(); await back; }"
    )
    await _expect_voices(speakers["ada"], "ben", "cleo")
    assert await speakers["ada"].run("() => room.slots.size") == 2


async def _speakers(browser: Browser, server: Server, meeting: str, *loudness: float) -> dict[str, Page]:
    """One page per tone, joined one after the other."""
    pages = {}
    for number, ((name, tone), loud) in enumerate(zip(_TONES.items(), loudness, strict=True)):
        pages[name] = await client_page.join(
            browser, server, meeting, name=name, number=0x20 + number, tone=tone, loudness=loud,
            words=True, width=160, height=96,
        )  # fmt: skip
    return pages


async def _expect_heard(viewer: Page, *names: str) -> None:
    """These people are on the slots, each with the tone that is theirs."""
    await viewer.until(
        f"(names) => names.sort().join() === Object.keys(({_SLOTS})()).sort().join()",
        list(names),
        what=f"slots for {names}",
    )
    for name in names:
        await viewer.until(
            f"async (name, tone) => {{ const heard = await kit.listen(({_SLOTS})()[name], 900);"
            " const right = heard.level > 0.01 && Math.abs(heard.frequency - tone) < tone * 0.05;"
            " if (!right) throw new Error(JSON.stringify(heard)); return heard; }",
            name,
            _TONES[name],
            what=f"the tone of {name}",
        )


async def _expect_voices(page: Page, *names: str) -> None:
    """A page without the app has these people on its slots."""
    await page.until(
        "(names) => { const on = [...room.slots.values()]"
        ".map(({ publisherId }) => publisherId && room.ownerOf(publisherId)?.name);"
        " if (on.sort().join() !== names.sort().join()) throw new Error(on.join()); return true; }",
        list(names),
        what=f"slots for {names}",
    )


async def _expect_ring(viewer: Page, name: str) -> None:
    await viewer.until(_HAS_RING, name, what=f"a ring around {name}")


async def _expect_no_ring(viewer: Page, name: str) -> None:
    await viewer.until(f"(name) => !({_HAS_RING})(name)", name, what=f"no ring around {name}")


_SLOTS = """() => Object.fromEntries([...document.querySelectorAll("[data-slot]")]
    .map((sound) => {
        const tiles = [...document.querySelectorAll("[data-testid=tile]")];
        const owner = tiles.find((tile) => tile.dataset.participant === sound.dataset.participant);
        return [owner?.ariaLabel, sound.srcObject.getAudioTracks()[0]];
    }).filter(([name]) => name))"""
_HAS_RING = """(name) => [...document.querySelectorAll("[data-testid=tile]")]
    .find((tile) => tile.ariaLabel === name).classList.contains("speaking")"""
_OFFERED = """() => {
    const offers = kit.pcs.map((pc) => pc.currentRemoteDescription).filter((each) => each?.type === "offer");
    const { sdp } = offers.at(-1);
    return { sdp, audio: sdp.split("m=audio").length - 1 };
}"""
