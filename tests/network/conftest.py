"""Fixtures of the network tests: a server and a publisher on a good line, a watcher on a bad one.

One far network, one server and two Chromiums serve the whole package. Every test gets fresh pages and a
clean link, and is void, not failed, on a machine too busy to keep the link's time: it is skipped with the
reason "machine too busy", which the summary counts.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
import pytest_asyncio

from tests.network.call import Call
from tests.support.browser import Browser, Driver
from tests.support.lab import Lab, LabUnavailable
from tests.support.network import own_network
from tests.support.programs import built
from tests.support.server import Server


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """The far network."""
    os.environ.setdefault("HEADWATER_LAB", str(built("headwater-lab")))
    with own_network():
        try:
            with Lab.start() as lab:
                yield lab
        except LabUnavailable as error:
            pytest.skip(str(error))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A development node, reachable from the far network over the link."""
    async with Server.start(tmp_path_factory.mktemp("server")) as server, lab.bringing(server.port):
        yield server


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def near_browser(server: Server) -> AsyncIterator[Browser]:
    """Chromium beside the server."""
    async with Driver.start() as driver:
        yield await driver.launch_chromium()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def far_browser(lab: Lab, server: Server) -> AsyncIterator[Browser]:
    """Chromium behind the link."""
    starting = Driver.start()
    with lab.inside():
        driver = await starting.__aenter__()
        browser = await driver.launch_chromium()
    try:
        yield browser
    finally:
        await starting.__aexit__(None, None, None)


@pytest_asyncio.fixture(loop_scope="session")
async def call(lab: Lab, server: Server, near_browser: Browser, far_browser: Browser) -> AsyncIterator[Call]:
    """A call under way: ada publishes near, bob watches far over a clean link of 40 ms each way."""
    trust = lab.check()
    if trust.void:
        pytest.skip(trust.void)
    lab.clean(delay_ms=40)
    call = await Call.start(lab, server, near_browser, far_browser)
    try:
        yield call
    finally:
        lab.clean()
        for page in [*near_browser.driver.pages, *far_browser.driver.pages]:
            await page.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was measured while the link was late counts for nothing, whichever way it came out."""
    report = yield
    lab = item.funcargs.get("lab")
    if call.when == "call" and isinstance(lab, Lab) and (reason := lab.trust().void):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {reason}")
    return report
