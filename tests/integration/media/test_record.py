"""A recorded run, real packets and all, is decided again by ``headwater replay``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headwater import Decision, Subscriber, Worker
from headwater.cli import main
from headwater.media.decision import replay
from tests.integration.media.test_calls import publish
from tests.support.peer import Camera, Microphone, Peer


def ended_with(command: list[str]) -> int | str | None:
    """Run a command; its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(command)
    return ended.value.code


async def watched(worker: Worker, peer: Callable[[], Peer], packets: int) -> Subscriber:
    """A camera on its way to one viewer, who has had so many packets."""
    router = await worker.create_router()
    alice, bob = peer(), peer()
    ids = await publish(router, alice, Camera(90))
    transport = await router.create_subscribe_transport()
    subscriber, offer = await transport.subscribe(ids[0])
    await bob.answer(transport, offer)
    assert subscriber.mid is not None
    await bob.received(subscriber.mid, packets)
    return subscriber


async def act(viewer: Peer, video: Subscriber) -> tuple[Decision, ...]:
    """Give the core something to decide; the journal of it."""
    assert video.mid is not None
    await viewer.received(video.mid, 10)
    await video.set_preferences(max_fps=5, content="motion")
    await video.pause()
    await video.resume()
    await viewer.received(video.mid, 30)
    return await video.journal()


@pytest.mark.parametrize("spread", [50, 0], ids=["one-thread", "two-threads"])
async def test_a_run_is_decided_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], peer: Callable[[], Peer], spread: int
) -> None:
    """A call with pauses, wishes and a late joiner: replay, record and journal agree."""
    file = tmp_path / "run.hwr"
    async with Worker(threads=2, addresses=["127.0.0.1"], spread=spread, record=file) as worker:
        router = await worker.create_router()
        alice = peer()
        ids = await publish(router, alice, Microphone(), Camera(90))
        journal: tuple[Decision, ...] = ()
        for _ in range(2):
            viewer = peer()
            transport = await router.create_subscribe_transport()
            subscribers, offer = await transport.subscribe_many(ids)
            await viewer.answer(transport, offer)
            journal = await act(viewer, subscribers[1])
            await transport.close()
    assert file.stat().st_mode & 0o077 == 0
    outcome = replay(file)
    assert outcome.difference is None
    assert outcome.cut == ()
    told = [(each.kind, each.facts) for each in journal]
    assert {kind for kind, _ in told} >= {"gate", "target", "current", "key_frame_arrived", "estimate"}
    replayed = [(step.kind, step.facts) for step in outcome.steps]
    assert all(each in replayed for each in told)

    assert ended_with(["replay", str(file), "--plot", str(tmp_path / "run.svg")]) == 0
    assert "The same:" in capsys.readouterr().out
    assert (tmp_path / "run.svg").read_text().startswith("<svg")


async def test_an_altered_record_is_found_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], peer: Callable[[], Peer]
) -> None:
    """One wish that was another: the command says where replay and record part, and ends with 1."""
    file = tmp_path / "run.hwr"
    async with Worker(threads=1, addresses=["127.0.0.1"], record=file) as worker:
        subscriber = await watched(worker, peer, 5)
        await subscriber.set_preferences(min_spatial=0, width=1234, priority=77)
    wish = bytes([0, 0, 1, 0, 0, 0, 0, 1, 0xD2, 0x09, 0, 0, 77, 0])
    record = file.read_bytes()
    assert record.count(wish) == 1
    file.write_bytes(record.replace(wish, bytes([0, 0, 1, 7, 0, 0, 0, 1, 0xD2, 0x09, 0, 0, 77, 0])))
    assert ended_with(["replay", str(file)]) == 1
    assert "differs" in capsys.readouterr().out


async def test_a_record_has_its_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], peer: Callable[[], Peer]
) -> None:
    """Beyond its bytes nothing is written, what is there can be played, and the reader is told."""
    file = tmp_path / "run.hwr"
    async with Worker(threads=1, addresses=["127.0.0.1"], record=file, record_limit=10_000) as worker:
        await watched(worker, peer, 100)
    assert file.stat().st_size <= 10_000 + 16
    outcome = replay(file)
    assert (outcome.difference, outcome.cut) == (None, (0,))
    assert outcome.inputs > 0
    assert ended_with(["replay", str(file)]) == 0
    assert "ends before the run did" in capsys.readouterr().out
