"""Every failure of the core arrives as the Python class that says who erred."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headwater import errors
from headwater._core import native
from tests.seam.conftest import open_worker, outcome

ROOT = Path(__file__).parents[2]

EXPECTED: dict[str, type[Exception]] = {
    "NotFound": errors.NotFound,
    "NotFound.publisher": errors.PublisherNotFound,
    "WrongTransport": errors.WrongTransport,
    "InvalidSdp": errors.InvalidSdp,
    "InvalidCandidate": errors.InvalidCandidate,
    "NegotiationPending": errors.InvalidState,
    "HandleInUse": errors.InvalidState,
    "NoOffer": errors.NoOffer,
    "TrackNotFound": errors.TrackNotFound,
    "DataChannelNotFound": errors.DataChannelNotFound,
    "UnsupportedCodec": errors.UnsupportedCodec,
    "Limit": errors.LimitReached,
    "BufferFull": errors.BufferFull,
    "InvalidState": errors.InvalidState,
    "InvalidParameters": errors.ConfigurationError,
    "Socket": errors.ResourceError,
    "PortInUse": errors.PortInUse,
    "Configuration": errors.ConfigurationError,
    "System": PermissionError,
    "Closed": errors.WorkerClosed,
    "NoSuchThread": errors.NotFound,
    "Busy": errors.LimitReached,
}


def variants(file: str, name: str) -> set[str]:
    """Names of an enum's variants, read from its source."""
    source = (ROOT / "crates" / file).read_text()
    body = re.search(rf"pub enum {name} {{\n(.*?)\n}}", source, re.DOTALL)
    assert body is not None
    return set(re.findall(r"^    ([A-Z]\w+)", body[1], re.MULTILINE))


@pytest.mark.parametrize("name", EXPECTED)
def test_error_has_its_class_and_text(name: str) -> None:
    """Each Rust error becomes exactly its Python class, with its text."""
    sample = native.error_samples()[name]
    assert type(sample) is EXPECTED[name]
    assert str(sample)


def test_no_error_is_without_a_class() -> None:
    """A variant that is added in Rust must be mapped here before this passes again."""
    in_rust = (
        variants("core/src/error.rs", "Error")
        | variants("worker/src/worker.rs", "OpenError")
        | variants("worker/src/worker.rs", "SendError")
    )
    samples = native.error_samples().keys()
    assert {name.partition(".")[0] for name in samples} == in_rust
    assert samples == EXPECTED.keys()


def test_a_command_for_something_unknown_fails_as_not_found(worker: native.Worker) -> None:
    """A failure inside a media thread arrives as an event that carries the exception."""
    failed = outcome(worker, worker.close_router(worker.allocate_router()))
    assert isinstance(failed, native.Failed)
    assert type(failed.error) is errors.NotFound
    assert "router" in str(failed.error)


def test_a_failing_recording_socket_arrives_as_resource_error(worker: native.Worker) -> None:
    """What the worker finds out before the core is asked arrives like any other outcome."""
    router = worker.allocate_router()
    outcome(worker, worker.create_router(router, ["opus"]))
    transport = worker.allocate(router)
    failed = outcome(worker, worker.create_recording_transport(router, transport, "127.0.0.1", 65535))
    assert isinstance(failed, native.Failed)
    assert type(failed.error) is errors.ResourceError
    assert isinstance(outcome(worker, worker.close_transport(transport)), native.Failed)


def test_bad_sdp_is_the_remotes_fault(worker: native.Worker) -> None:
    """What a peer got wrong arrives as a RemoteError, with a reason in it."""
    router = worker.allocate_router()
    transport = worker.allocate(router)
    outcome(worker, worker.create_router(router, ["opus"]))
    outcome(worker, worker.create_publish_transport(router, transport, dtls="1.2"))
    failed = outcome(worker, worker.accept_offer(transport, "this is no SDP"))
    assert isinstance(failed, native.Failed)
    assert type(failed.error) is errors.InvalidSdp
    assert isinstance(failed.error, errors.RemoteError)


def test_misuse_is_refused_at_once(worker: native.Worker) -> None:
    """What can be known to be wrong without asking a media thread raises in the call."""
    router = worker.allocate_router()
    transport = worker.allocate(router)
    with pytest.raises(errors.ConfigurationError, match="codec"):
        worker.create_router(router, ["opus", "mp3"])
    with pytest.raises(errors.ConfigurationError, match="DTLS"):
        worker.create_publish_transport(router, transport, dtls="1.1")
    with pytest.raises(errors.ConfigurationError, match="failed_timeout"):
        worker.create_subscribe_transport(router, transport, dtls="1.2", failed_timeout=0.0)
    with pytest.raises(errors.ConfigurationError, match="IP address"):
        worker.create_recording_transport(router, transport, "example.org", 5004)
    with pytest.raises(errors.ConfigurationError, match="statistics"):
        worker.get_stats("weather", transport)
    with pytest.raises(errors.NotFound, match="media thread"):
        worker.close_router(0xFFFF << 48)
    with pytest.raises(TypeError):
        worker.send_data(transport, 5)  # type: ignore[arg-type]


def test_a_worker_that_cannot_be_is_refused() -> None:
    """Settings that make no sense raise ConfigurationError, and nothing stays open."""
    settings = {"threads": 1, "port": 0, "addresses": [], "announce": [], "announce_only": False, "tcp": []}
    for wrong in ({"threads": 0}, {"addresses": ["nonsense"]}, {"announce": ["1.2.3"]}):
        with pytest.raises(errors.ConfigurationError):
            native.Worker(**(settings | wrong))  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="no address"):
        native.Worker(threads=1, port=0, addresses=["10.0.0.1"], announce=[], announce_only=True, tcp=[])


def test_a_taken_port_is_said_to_be_taken() -> None:
    """Two Workers never share a port by accident, although their threads do on purpose."""
    first = open_worker(threads=2)
    try:
        with pytest.raises(errors.PortInUse, match=str(first.port)):
            open_worker(threads=2, port=first.port)
    finally:
        first.close()
    open_worker(port=first.port).close()


def test_a_closed_worker_refuses_commands() -> None:
    """After close every command raises WorkerClosed; what it knew can still be read."""
    worker = open_worker()
    router = worker.allocate_router()
    worker.close()
    worker.close()
    for call in (worker.fileno, worker.allocate_router, lambda: worker.close_router(router)):
        with pytest.raises(errors.WorkerClosed):
            call()
    assert worker.port
    assert worker.candidates()
    assert worker.counters()["thread_panics"] == 0
    assert worker.drain_events() == []
