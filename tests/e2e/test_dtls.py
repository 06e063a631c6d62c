"""The handshake with real browsers: versions, SRTP profiles, and a ClientHello in two datagrams.

Both browsers offer DTLS 1.3 with a post-quantum key share, which makes their ClientHello longer than
a datagram, and both offer AEAD beside AES-CM with HMAC-SHA1. AES-CM with HMAC-SHA1 costs the server
much more per packet: it must never be the outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.client_page import join, video_of
from tests.e2e.expect import expect_marker, expect_rows
from tests.support.browser import Browser, Page
from tests.support.dtls_capture import CLIENT_HELLO, SERVER_HELLO, DtlsCapture
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_ADA, _FOX = 0x1D, 0xE2
_VERSION = {"1.2": "FEFD", "1.3": "FEFC"}
_AEAD_PROFILES = {0x0007, 0x0008}  # RFC 7714 14.2
_CM_SHA1_80 = 0x0001


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["1.2", "1.3"])
async def versioned(
    request: pytest.FixtureRequest, network: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, Server]]:
    """A node that speaks up to this version of DTLS; 1.2 without saying so, as it is the default."""
    settings = {} if request.param == "1.2" else {"HEADWATER_DTLS": request.param}
    async with Server.start(tmp_path_factory.mktemp("dtls"), settings=settings) as server:
        yield request.param, server


async def test_both_engines_end_on_aead(
    versioned: tuple[str, Server], alice_browser: Browser, firefox: Browser
) -> None:
    """Every transport of both browsers has an AEAD profile, and Firefox the version that was set.

    Chromium lists AES-CM first; where the library takes a client's first profile (DTLS 1.3), the
    server may answer it with 1.2 instead, but never with AES-CM.
    """
    version, server = versioned
    ada, fox = await _call(server, alice_browser, firefox)
    for page in (ada, fox):
        rows = await expect_rows(
            page, "transport", "row.srtpCipher && row.dtlsState === 'connected'", what="secured transports"
        )
        assert len(rows) == 2, "one transport to publish, one to subscribe"
        for row in rows:
            versions = {_VERSION[version]} if page is fox else {_VERSION["1.2"], _VERSION[version]}
            assert row["tlsVersion"] in versions, row
            assert "GCM" in row["srtpCipher"], row
            assert "SHA1" not in row["srtpCipher"], row


async def test_split_client_hello_is_put_together(
    network: str, server: Server, alice_browser: Browser, firefox: Browser
) -> None:
    """Each browser's ClientHello really comes in two datagrams, offers AES-CM too, and gets AEAD."""
    with DtlsCapture.on(server.port) as capture:
        await _call(server, alice_browser, firefox)
        hellos = capture.hellos()
    asked = [hello for hello in hellos if hello.kind == CLIENT_HELLO and hello.body is not None]
    split = [hello for hello in asked if hello.datagrams >= 2]
    assert len({hello.source_port for hello in split}) >= 4, "two transports of two browsers"
    assert all(hello.length > 1_200 for hello in split)
    assert all(_CM_SHA1_80 in hello.srtp_profiles() for hello in split)
    chosen = [hello.srtp_profiles() for hello in hellos if hello.kind == SERVER_HELLO]
    assert chosen
    assert all(len(profiles) == 1 and profiles[0] in _AEAD_PROFILES for profiles in chosen)


async def _call(server: Server, left: Browser, right: Browser) -> list[Page]:
    meeting = await server.new_meeting()
    ada, fox = await asyncio.gather(
        join(left, server, meeting, name="ada", number=_ADA),
        join(right, server, meeting, name="fox", number=_FOX),
    )
    await asyncio.gather(expect_marker(ada, video_of("fox"), _FOX), expect_marker(fox, video_of("ada"), _ADA))
    return [ada, fox]
