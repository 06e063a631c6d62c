"""Signalling over a real WebSocket: what a client may say, and what it hears for saying something else."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest
from websockets.exceptions import InvalidStatus

from headwater.app import Node
from headwater.testing import client_offer
from tests.support.signaling import SignalingClient

ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
join = SignalingClient.join


async def test_joining_is_answered_and_an_offer_with_a_data_channel_follows(dev: Node) -> None:
    async with join(dev.url, "demo", name="Ada") as ada:
        assert ada.joined["id"] == "join"
        assert ada.joined["name"] == "Ada"
        assert ada.joined["participants"] == []
        assert ada.joined["connection_id"].startswith(f"{dev.rooms._endpoints.node}.")
        offer = await ada.expect("offer")
        assert offer["tracks"] == []
        assert "m=application" in offer["sdp"]


async def test_the_first_message_may_lack_its_type(dev: Node) -> None:
    async with SignalingClient.open(dev.url) as ada:
        await ada.send(meeting_id="demo", token=None)
        await ada.expect("joined")


async def test_two_people_hear_of_each_other_and_of_tracks(dev: Node) -> None:
    async with join(dev.url, "demo", name="Ada") as ada, join(dev.url, "demo", name="Bob") as bob:
        assert [p["name"] for p in bob.joined["participants"]] == ["Ada"]
        await ada.expect("participant_joined")
        await ada.expect("offer")
        await bob.expect("offer")
        await bob.send(type="answer", sdp=ANSWER)
        tracks = [{"mid": "0", "source": "microphone"}, {"mid": "1", "source": "camera", "muted": True}]
        answer = await ada.request("offer", sdp=client_offer(audio="a", video="v"), tracks=tracks)
        assert answer["type"] == "answer"
        published = {t["mid"]: t["publisher_id"] for t in answer["tracks"]}
        told = await bob.expect("track_published")
        assert told["track"]["publisher_id"] == published["0"]
        offer = await bob.expect("offer")
        assert {t["publisher_id"]: t["source"] for t in offer["tracks"]} == {
            published["0"]: "microphone",
            published["1"]: "camera",
        }
        assert all(t["mid"] for t in offer["tracks"])
        await bob.send(type="answer", sdp=ANSWER, transport="subscribe")
        assert (await ada.request("mute", publisher_id=published["0"], muted=True))["type"] == "pong"
        assert (await bob.expect("track_updated"))["track"]["muted"] is True
        assert (await bob.request("set_subscription", publisher_id=published["1"], paused=True))[
            "type"
        ] == "pong"
        assert (await bob.request("request_key_frame", publisher_id=published["1"]))["type"] == "pong"
        assert (await ada.request("update", name="Countess"))["type"] == "pong"
        assert (await bob.expect("participant_updated"))["participant"]["name"] == "Countess"
        assert (await ada.request("leave"))["type"] == "left"
        assert (await bob.expect("participant_left"))["participant_id"] == ada.joined["participant_id"]
        assert await ada.close_code() == 1000


async def test_a_browser_candidate_is_taken_as_line_or_as_object(dev: Node) -> None:
    line = "candidate:1 1 udp 1 192.0.2.1 9 typ host"
    async with join(dev.url, "demo") as ada:
        assert (await ada.request("candidate", candidate=line))["type"] == "pong"  # early: no loss
        await ada.request("offer", sdp=client_offer(audio="a"))
        for candidate in (line, {"candidate": line, "sdpMid": "0"}, "", None, {}):
            assert (await ada.request("candidate", candidate=candidate))["type"] == "pong"
        refused = await ada.request("candidate", candidate="nonsense")
        assert refused["problem"]["code"] == "invalid_candidate"


@pytest.mark.parametrize(
    "first",
    ["", "{", "[]", "null", "1", '"join"', "{}", '{"type":"offer","sdp":"v=0"}', '{"meeting_id":1}',
     '{"type":"join"}', '{"meeting_id":"demo","token":5}', '{"a":' * 10_000],
)  # fmt: skip
async def test_a_first_message_that_is_no_join_is_refused(dev: Node, first: str) -> None:
    async with SignalingClient.open(dev.url) as client:
        await client.socket.send(first)
        message = await client.receive()
        assert (message["type"], message["problem"]["code"]) == ("error", "invalid_message")
        assert await client.close_code() == 1008


async def test_bad_messages_are_answered_and_the_call_goes_on(dev: Node) -> None:
    async with join(dev.url, "demo") as ada:
        bad = [
            "", "{", "[]", "null", "{}", "nope", '{"type":"nope"}',
            '{"type":"mute"}', '{"type":"mute","publisher_id":1}',
            '{"type":"join","meeting_id":"demo"}', '{"type":"offer","sdp":"v=0","transport":"subscribe"}',
            '{"type":"answer","sdp":"x","transport":"publish"}', '{"type":"candidate","candidate":[1]}',
            '{"type":"ping","id":{}}', '{"a":' * 10_000, "\u0000",
        ]  # fmt: skip
        for text in bad:
            await ada.socket.send(text)
            problem = (await ada.expect("error"))["problem"]
            assert problem["status"] == 400, text
            assert problem["code"] == "invalid_message"
        await ada.socket.send(b"\x00\x01binary")
        assert (await ada.expect("error"))["problem"]["code"] == "invalid_message"
        assert (await ada.request("ping"))["type"] == "pong"


async def test_errors_name_the_request_and_the_reason(dev: Node) -> None:
    async with join(dev.url, "demo") as ada:
        await ada.expect("offer")
        for kind, fields, code in (
            ("mute", {"publisher_id": "pub_x", "muted": True}, "not_found"),
            ("set_subscription", {"publisher_id": "pub_x", "paused": True}, "not_found"),
            ("request_key_frame", {"publisher_id": "pub_x"}, "publisher_not_found"),
            ("offer", {"sdp": "nonsense"}, "invalid_sdp"),
            ("answer", {"sdp": "nonsense"}, "invalid_sdp"),
        ):
            reply = await ada.request(kind, **fields)
            assert (reply["type"], reply["problem"]["code"]) == ("error", code), kind


async def test_an_answer_without_an_open_offer_is_a_conflict(dev: Node) -> None:
    async with join(dev.url, "demo") as ada:
        await ada.expect("offer")
        assert (await ada.request("answer", sdp=ANSWER))["type"] == "pong"
        reply = await ada.request("answer", sdp=ANSWER)
        assert (reply["problem"]["code"], reply["problem"]["status"]) == ("no_offer", 409)


async def test_a_frame_beyond_the_limit_closes_with_1009_and_nobody_else_notices(dev: Node) -> None:
    async with join(dev.url, "demo") as ada, join(dev.url, "demo") as bob:
        await bob.socket.send("x" * 70_000)
        assert await bob.close_code() == 1009
        assert (await ada.request("ping"))["type"] == "pong"


async def test_only_an_answer_may_be_longer_than_a_frame(dev: Node) -> None:
    """A room of forty makes a browser's answer longer than 64 KiB; nothing else may be that long."""
    long = "v=0\r\n" + "a=x\r\n" * 20_000
    async with join(dev.url, "demo") as ada, join(dev.url, "demo") as bob:
        await ada.expect("offer")
        assert (await ada.request("answer", sdp=long))["type"] == "pong"
        await bob.socket.send(json.dumps({"type": "offer", "sdp": long}))
        assert await bob.close_code() == 1009
    async with SignalingClient.open(dev.url) as client:
        await client.socket.send(json.dumps({"type": "join", "meeting_id": "demo", "name": long}))
        assert (await client.receive())["problem"]["code"] == "invalid_message"
        assert await client.close_code() == 1008


async def test_silence_at_the_start_is_ended(dev: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.api.signaling.FIRST_MESSAGE_SECONDS", 0.1)
    async with SignalingClient.open(dev.url) as client:
        assert (await client.receive())["problem"]["code"] == "invalid_message"
        assert await client.close_code() == 1008


async def test_a_lost_connection_is_resumed_with_its_tracks(dev: Node) -> None:
    async with join(dev.url, "demo") as bob:
        async with join(dev.url, "demo") as ada:
            answer = await ada.request("offer", sdp=client_offer(audio="a"))
            ada.socket.transport.abort()
        who = ada.joined["participant_id"]
        async with join(dev.url, "demo", resume=ada.joined["connection_id"]) as again:
            assert again.joined["participant_id"] == who
            assert again.joined["resumed"] is True
            assert again.joined["connection_id"] != ada.joined["connection_id"]
            await again.expect("offer")
            publisher = answer["tracks"][0]["publisher_id"]
            assert (await again.request("mute", publisher_id=publisher, muted=True))["type"] == "pong"
            await again.request("leave")
        heard = []
        while (message := await bob.receive())["type"] != "participant_left":
            heard.append(message["type"])
        assert message.get("reason", "left") == "left"
        assert heard.count("participant_joined") == 1


def spoilt(connection_id: str) -> list[str]:
    """Resume values that are close, and not it: another last letter, a prefix, the node's part alone."""
    node, _, secret = connection_id.rpartition(".")
    return [f"{node}.{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}", connection_id[:-1], f"{node}.", node]


async def test_a_place_needs_its_secret_and_not_what_the_room_knows(dev: Node) -> None:
    """Guests of one link differ by nothing but the connection id, so nothing else may prove them."""
    async with join(dev.url, "demo") as bob:
        async with join(dev.url, "demo", name="Ada") as ada:
            ada.socket.transport.abort()
        who, secret = ada.joined["participant_id"], ada.joined["connection_id"]
        assert bob.joined["connection_id"] != secret
        for attempt in (who, "", bob.joined["participant_id"], *spoilt(secret)):
            async with join(dev.url, "demo", resume=attempt) as thief:
                assert thief.joined["participant_id"] != who, attempt
                assert thief.joined.get("resumed", False) is False
                assert who in {p["id"] for p in thief.joined["participants"]}
                await thief.request("leave")
        async with join(dev.url, "demo", resume=secret) as again:
            assert again.joined["participant_id"] == who


async def test_the_same_identity_with_a_wrong_secret_is_somebody_else(production: Node) -> None:
    meeting = production.rooms.create_meeting()
    token = production.authority.mint(room=meeting.id, identity="ada")
    async with join(production.url, meeting.id, token=token, tls=insecure()) as ada:
        for attempt in (ada.joined["participant_id"], *spoilt(ada.joined["connection_id"])):
            async with join(production.url, meeting.id, token=token, resume=attempt, tls=insecure()) as other:
                assert other.joined["participant_id"] != ada.joined["participant_id"]
                await other.request("leave")
        assert (await ada.request("ping"))["type"] == "pong"  # nobody took over


async def test_nobody_hears_the_connection_id_of_another(dev: Node) -> None:
    """Whatever the others are told while somebody comes, publishes, is lost, returns and leaves."""
    async with join(dev.url, "demo") as bob:
        heard = [str(bob.joined)]
        secrets = []
        async with join(dev.url, "demo", name="Ada") as ada:
            secrets.append(ada.joined["connection_id"])
            answer = await ada.request("offer", sdp=client_offer(audio="a"))
            publisher = answer["tracks"][0]["publisher_id"]
            await ada.request("mute", publisher_id=publisher, muted=True)
            await ada.request("update", name="Countess")
            async with join(dev.url, "demo") as eve:
                heard.append(str(eve.joined))
                await eve.request("leave")
            ada.socket.transport.abort()
        async with join(dev.url, "demo", resume=secrets[0]) as again:
            secrets.append(again.joined["connection_id"])
            assert again.joined["participant_id"] == ada.joined["participant_id"]
            await again.request("leave")
        who, message = ada.joined["participant_id"], bob.joined
        while (message["type"], message.get("participant_id")) != ("participant_left", who):
            message = await bob.receive()
            heard.append(str(message))
        assert {"Countess" in text for text in heard} == {True, False}
        for secret in secrets:
            assert not any(secret.rpartition(".")[2] in text for text in heard)


async def test_a_connection_that_is_not_resumed_leaves_after_the_grace(forgetful: Node) -> None:
    url = forgetful.url
    async with join(url, "demo") as bob:
        async with join(url, "demo") as ada:
            ada.socket.transport.abort()
        left = await bob.expect("participant_left")
        assert left == {
            "type": "participant_left",
            "participant_id": ada.joined["participant_id"],
            "reason": "connection_lost",
        }


async def test_a_second_connection_takes_over_and_the_first_is_told(dev: Node) -> None:
    async with (
        join(dev.url, "demo") as ada,
        join(dev.url, "demo", resume=ada.joined["connection_id"]) as again,
    ):
        bye = await ada.expect("bye")
        assert (bye["reason"], bye.get("reconnect", False)) == ("resumed_elsewhere", False)
        assert await ada.close_code() == 1000
        assert (await again.request("ping"))["type"] == "pong"


async def test_a_client_that_never_reads_is_closed_and_others_go_on(dev: Node) -> None:
    async with join(dev.url, "demo") as ada, join(dev.url, "demo") as slow:
        slow.socket.transport.pause_reading()
        room = dev.rooms.room("demo")
        assert room is not None
        stuck = room.get(slow.joined["participant_id"])
        names = 0
        while stuck.events is not None and not stuck.events.overflowed:
            names += 1
            await ada.send(type="update", name=f"{names:05d}" + "x" * 250)
            if names % 50 == 0:
                await ada.request("ping")
            assert names < 50_000, "the queue never filled"
        assert (await ada.request("ping"))["type"] == "pong"
        slow.socket.transport.resume_reading()
        assert await slow.close_code() == 1013


async def test_leaving_and_losing_everybody_frees_everything(forgetful: Node) -> None:
    dev, worker = forgetful, forgetful.worker
    for _ in range(10):
        async with join(dev.url, "demo") as ada, join(dev.url, "demo") as bob:
            await ada.request("offer", sdp=client_offer(audio="a", video="v", data=True))
            await bob.request("leave")
    async with asyncio.timeout(30):
        while worker.core.objects:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert dev.rooms.counts() | {"meetings": 0} == {
        "meetings": 0, "rooms": 0, "participants": 0, "connections": 0, "tracks_published": 0,
    }  # fmt: skip


async def test_the_offer_path_takes_an_sdp_without_a_type(dev: Node) -> None:
    async with SignalingClient.open(dev.url, path="/signaling/offer") as ada:
        await ada.send(meeting_id="demo")
        await ada.expect("joined")
        await ada.send(sdp=client_offer(audio="a"))
        assert len((await ada.expect("answer"))["tracks"]) == 1
        await ada.send(nonsense=1)
        assert (await ada.expect("error"))["problem"]["code"] == "invalid_message"


async def test_under_dev_pages_of_other_hosts_cannot_connect(dev: Node) -> None:
    async with SignalingClient.open(dev.url, origin="http://localhost:5173"):
        pass
    with pytest.raises(InvalidStatus) as refused:
        async with SignalingClient.open(dev.url, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


def insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_production_needs_a_token_for_this_room(production: Node) -> None:
    meeting = production.rooms.create_meeting()
    tokens = {
        None: "unauthorized",
        "x.y.z": "unauthorized",
        production.authority.mint(room="other", identity="ada"): "forbidden",
    }
    for token, code in tokens.items():
        async with SignalingClient.open(production.url, tls=insecure()) as client:
            await client.send(type="join", meeting_id=meeting.id, token=token, id=7)
            message = await client.receive()
            assert (message["type"], message["id"], message["problem"]["code"]) == ("error", 7, code)
            assert await client.close_code() == 1008
    token = production.authority.mint(room=meeting.id, identity="ada", name="Ada")
    async with join(production.url, meeting.id, token=token, name="Mallory", tls=insecure()) as ada:
        assert ada.joined["name"] == "Ada"
        refused = await ada.request("update", name="Mallory")
        assert refused["problem"]["code"] == "forbidden"


async def test_production_lets_only_its_own_pages_connect(production: Node) -> None:
    own = production.url
    async with SignalingClient.open(own, origin=own, tls=insecure()):
        pass
    with pytest.raises(InvalidStatus):
        async with SignalingClient.open(own, origin="http://localhost:5173", tls=insecure()):
            pass


async def test_a_viewer_cannot_publish(production: Node) -> None:
    meeting = production.rooms.create_meeting()
    token = production.authority.mint(room=meeting.id, identity="v", role="viewer")
    async with join(production.url, meeting.id, token=token, tls=insecure()) as viewer:
        await viewer.expect("offer")
        refused = await viewer.request("offer", sdp=client_offer(audio="a"))
        assert (refused["problem"]["status"], refused["problem"]["code"]) == (403, "forbidden")


async def test_a_token_is_refreshed_before_it_expires(production: Node) -> None:
    meeting = production.rooms.create_meeting()
    token = production.authority.mint(room=meeting.id, identity="ada", ttl=3)
    async with join(production.url, meeting.id, token=token, tls=insecure()) as ada:
        fresh = await ada.expect("token")
        claims = production.authority.verify(fresh["token"])
        assert claims.expires_at == fresh["expires_at"] > production.authority.verify(token).expires_at
        assert (claims.identity, claims.room) == ("ada", meeting.id)


async def test_a_full_room_says_so_and_to_try_again_later(dev: Node) -> None:
    from headwater.meetings.rooms import MeetingSettings

    meeting = dev.rooms.create_meeting(MeetingSettings(max_participants=1))
    async with join(dev.url, meeting.id), SignalingClient.open(dev.url) as late:
        await late.send(meeting_id=meeting.id)
        assert (await late.receive())["problem"]["code"] == "limit_reached"
        assert await late.close_code() == 1013


async def test_ending_the_node_tells_people_to_come_back(dev: Node) -> None:
    async with join(dev.url, "demo") as ada:
        started = asyncio.get_running_loop().time()
        closing = asyncio.create_task(dev.close())
        bye = await ada.expect("bye")
        assert (bye["reason"], bye["reconnect"]) == ("server_shutdown", True)
        assert await ada.close_code() == 1012
        await closing
        assert asyncio.get_running_loop().time() - started < 5


async def test_messages_are_counted(dev: Node) -> None:
    async with join(dev.url, "demo") as ada:
        await ada.request("ping")
        await ada.request("mute", publisher_id="x", muted=True)
    text = dev.metrics.render().decode()
    assert 'headwater_signaling_messages_total{type="ping"} 1.0' in text
    assert 'headwater_problems_total{code="not_found"} 1.0' in text
    assert 'headwater_joins_total{protocol="webrtc"} 1.0' in text
