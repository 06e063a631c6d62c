"""Fixtures of the browser tests.

One network namespace, one driver and a few browsers serve the whole package: starting a browser costs
seconds, opening a context in it does not. Each test gets fresh contexts. On failure the screenshot,
console and getStats of every open page, and the end of the server's log, go to test-results/e2e/.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.browser import ROOT, Browser, Driver
from tests.support.markers import write_marker_video, write_speech
from tests.support.network import own_network
from tests.support.server import Server

RESULTS = ROOT / "test-results/e2e"
MARKERS = {"alice": 0xA5, "bob": 0x3C, "carol": 0x6A}
"""The number each Chromium's camera shows."""


@pytest.fixture(scope="package")
def network() -> Iterator[str]:
    """The network namespace of this package; yields its interface address."""
    with own_network() as address:
        yield address


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def driver(network: str) -> AsyncIterator[Driver]:
    """The process that holds the browsers."""
    async with Driver.start() as driver:
        yield driver


async def _camera_browser(driver: Driver, folder: Path, name: str) -> Browser:
    return await driver.launch_chromium(
        "--auto-select-desktop-capture-source=Entire screen",
        video=write_marker_video(folder / f"{name}.y4m", MARKERS[name]),
        audio=write_speech(
            folder / f"{name}.wav", f"this is {name} speaking, one two three four five six seven"
        ),
    )


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def alice_browser(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium whose camera shows alice's marker."""
    return await _camera_browser(driver, tmp_path_factory.mktemp("alice"), "alice")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def bob_browser(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium whose camera shows bob's marker."""
    return await _camera_browser(driver, tmp_path_factory.mktemp("bob"), "bob")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def carol_browser(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium whose camera shows carol's marker."""
    return await _camera_browser(driver, tmp_path_factory.mktemp("carol"), "carol")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def firefox(driver: Driver) -> Browser:
    """Firefox ESR with its built-in fake devices."""
    return await driver.launch_firefox()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def server(network: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A development node with one media thread."""
    async with Server.start(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def clean_pages(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Report on the open pages of a failed test, then close them."""
    yield
    driver = next((value for value in _fixture_values(request) if isinstance(value, Driver)), None)
    if driver is None:
        return
    pages = list(driver.pages)
    if request.node.stash.get(_FAILED, False):
        folder = _results(request.node)
        await _report(pages, folder)
    for page in pages:
        await page.close()


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember failures for `clean_pages`; show what the servers said."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Server):
                report.sections.append(("server log", value.tail()))
    return report


def _fixture_values(request: pytest.FixtureRequest) -> Iterator[Any]:
    for name in ("driver",):
        if name in request.fixturenames:
            yield request.getfixturevalue(name)


def _results(item: pytest.Item) -> Path:
    folder: Path = RESULTS / item.name.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _report(pages: list[Any], folder: Path) -> None:
    for number, page in enumerate(pages, start=1):
        stem = f"{number}-{page.name}-{page.browser.kind}"
        try:
            (folder / f"{stem}.log").write_text("\n".join(await page.console()) + "\n")
            stats = await page.run("() => kit.stats()", timeout=10)
            (folder / f"{stem}-stats.json").write_text(json.dumps(stats, indent=1))
            await page.screenshot(folder / f"{stem}.png")
        except Exception as error:  # the page may be the thing that broke
            (folder / f"{stem}-report-failed.txt").write_text(repr(error))
