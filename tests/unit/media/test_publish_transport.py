"""Publishing: tracks as the client offers them, publishers by track id or track."""

from __future__ import annotations

import pytest

from headwater import (
    AmbiguousTrack,
    Closed,
    ConnectionStateChanged,
    DataChannelOpened,
    InvalidCandidate,
    InvalidSdp,
    PauseChanged,
    Router,
    TrackAdded,
    TrackNotFound,
    TrackRemoved,
)
from headwater.testing import FakeWorker, client_offer


async def test_tracks_come_and_go(router: Router) -> None:
    """Each offer says which tracks there are; a track that goes takes its publisher with it."""
    publishing = await router.create_publish_transport()
    events = publishing.events()
    assert (publishing.signaling_state, publishing.ice_gathering_state) == ("stable", "new")
    answer = await publishing.get_answer(offer := client_offer(audio="mic", video=["cam", "screen"]))
    assert (publishing.local_description, publishing.remote_description) == (answer, offer)
    assert publishing.ice_gathering_state == "complete"
    assert [track.track_id for track in publishing.tracks] == ["mic", "cam", "screen"]
    screen = await publishing.publish("screen")
    await publishing.get_answer(client_offer(audio="mic", video="cam"))
    assert await screen.wait_closed() == "remote_ended"
    seen = [await anext(events) for _ in range(6)]
    assert [event.track.track_id for event in seen if isinstance(event, TrackAdded)] == [
        "mic",
        "cam",
        "screen",
    ]
    assert [event.track.track_id for event in seen if isinstance(event, TrackRemoved)] == ["screen"]
    assert publishing.publishers == ()


async def test_publisher_keeps_the_browsers_track_id(router: Router) -> None:
    """A publisher has an id of ours and the track id of the browser; both find it."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video="cam"))
    publisher = await publishing.publish("cam")
    assert publisher.id.startswith("pub_")
    assert (publisher.track_id, publisher.kind, publisher.track.mid) == ("cam", "video", "0")
    assert router.publisher(publisher.id) is router.publisher("cam") is publisher
    assert router.publisher_ids == (publisher.id,)
    assert publishing.publishers == (publisher,)


async def test_wrong_tracks(router: Router) -> None:
    """Unknown, published and ambiguous tracks are refused by name; a track value is never ambiguous."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video=["cam", "same", "same"]))
    await publishing.publish("cam")
    with pytest.raises(TrackNotFound, match="published already"):
        await publishing.publish("cam")
    with pytest.raises(TrackNotFound, match="not offered"):
        await publishing.publish("other")
    with pytest.raises(AmbiguousTrack):
        await publishing.publish("same")
    first = await publishing.publish(publishing.tracks[1])
    assert first.track.mid == "1"
    assert (await publishing.publish("same")).track.mid == "2"


async def test_invalid_offer(router: Router) -> None:
    """An offer that is no SDP is the client's error and changes nothing."""
    publishing = await router.create_publish_transport()
    with pytest.raises(InvalidSdp):
        await publishing.get_answer("hello")
    assert publishing.remote_description is None
    assert publishing.signaling_state == "stable"


async def test_restart_ice_needs_new_credentials(router: Router) -> None:
    """An ICE restart is an offer with other credentials; the same ones are an error."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video="cam"))
    with pytest.raises(InvalidSdp, match="does not restart"):
        await publishing.restart_ice(client_offer(video="cam"))
    changed = client_offer(video="cam").replace("ice-ufrag:test", "ice-ufrag:other")
    assert await publishing.restart_ice(changed) == publishing.local_description


async def test_candidates(worker: FakeWorker, router: Router) -> None:
    """Candidates are passed on, the end of candidates is swallowed, nonsense is refused."""
    publishing = await router.create_publish_transport()
    await publishing.add_ice_candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host")
    await publishing.add_ice_candidate("")
    await publishing.add_ice_candidate("a=end-of-candidates")
    assert worker.core.commands.count("add_candidate") == 1
    with pytest.raises(InvalidCandidate):
        await publishing.add_ice_candidate("nonsense")


async def test_connection_state(worker: FakeWorker, router: Router) -> None:
    """The state follows the connection, and each change is an event."""
    publishing = await router.create_publish_transport()
    events = publishing.events()
    before = publishing.connection_state
    worker.core.connect(publishing)
    worker.core.disconnect(publishing)
    states = []
    async for event in events:
        assert isinstance(event, ConnectionStateChanged)
        states.append(event.state)
        if event.state == "disconnected":
            break
    assert states == ["connecting", "connected", "disconnected"]
    assert (before, publishing.connection_state) == ("new", "disconnected")


async def test_pause_and_resume(router: Router) -> None:
    """Pausing is state of the publisher, and told."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video="cam"))
    publisher = await publishing.publish("cam")
    events = publisher.events()
    await publisher.pause()
    paused = publisher.paused
    await publisher.resume()
    assert (paused, publisher.paused) == (True, False)
    assert [await anext(events), await anext(events)] == [
        PauseChanged(publisher.id, True),
        PauseChanged(publisher.id, False),
    ]
    await publisher.request_key_frame()


async def test_wait_active(worker: FakeWorker, router: Router) -> None:
    """The codec is the client's preference until the first packet says what it sends."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(audio="mic", video="cam"))
    publisher = await publishing.publish("cam")
    assert (publisher.codec.mime, publisher.active) == ("video/VP8", False)
    worker.core.packets(publisher, "video/VP9")
    assert (await publisher.wait_active()).encoding == "VP9"
    assert (await publisher.wait_active()).encoding == "VP9"
    silent = await publishing.publish("mic")
    worker.core.end(silent)
    with pytest.raises(Closed):
        await silent.wait_active()


async def test_data_channel_opened(worker: FakeWorker, router: Router) -> None:
    """A channel that the client opens is told with its label and its promises."""
    publishing = await router.create_publish_transport()
    events = publishing.events()
    worker.core.open_channel(publishing, "game", ordered=False)
    assert await anext(events) == DataChannelOpened(publishing.id, "game", False, None, None)
