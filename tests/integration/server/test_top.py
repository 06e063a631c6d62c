"""``headwater top`` against a running node, and what it asks it for."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from headwater.app import Node
from headwater.cli.top import top
from headwater.errors import ConfigurationError, HeadwaterError
from headwater.testing import client_offer

SDP = {"content-type": "application/sdp"}


async def publish(node: Node, room: str) -> None:
    """Somebody sends a camera into a room."""
    async with httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http:
        answer = await http.post(f"/whip/{room}", content=client_offer(video="v"), headers=SDP)
        assert answer.status_code == 201, answer.text


async def test_who_is_in_a_meeting_is_told_with_tracks_and_connections(dev: Node) -> None:
    await publish(dev, "demo")
    async with httpx.AsyncClient(base_url=dev.url, trust_env=False, timeout=60) as http:
        [person] = (await http.get("/meetings/demo/participants")).json()
        [meeting] = (await http.get("/meetings")).json()
        why = await http.get(f"/meetings/demo/participants/{person['id']}/why")
    assert (meeting["id"], meeting["participants"]) == ("demo", 1)
    assert (person["name"], person["protocol"], person["quality"]) == ("WHIP", "whip", None)
    assert [(track["kind"], track["muted"]) for track in person["tracks"]] == [("video", False)]
    assert person["sending"] == {
        "state": "new", "bytes_received": 0, "bytes_sent": 0,
        "round_trip_time_ms": None, "available_outgoing_bitrate": None,
    }  # fmt: skip
    assert person["receiving"] is None
    assert why.status_code == 200
    assert why.json() == []


async def test_one_picture_has_the_node_its_meetings_and_its_people(
    dev: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(dev, "demo")
    await asyncio.to_thread(top, dev.url, interval=0.01, once=True)
    printed = capsys.readouterr().out
    assert f"Headwater {dev.url}" in printed
    assert "busiest media thread" in printed
    rows = [line.split() for line in printed.splitlines()]
    assert ["demo", "1", "1", "0", "kbit/s", "0", "kbit/s", "not", "known"] in rows
    assert ["WHIP", "demo", "whip", "0", "kbit/s", "0", "kbit/s", "not", "known"] in rows


async def test_a_closed_door_and_a_dead_port_are_one_line_each(production: Node) -> None:
    with pytest.raises(HeadwaterError, match="give its API key"):
        await asyncio.to_thread(top, production.url, interval=0.01, once=True)
    await asyncio.to_thread(top, production.url, api_key=production.new_api_key, interval=0.01, once=True)
    with pytest.raises(HeadwaterError, match="no node answers"):
        await asyncio.to_thread(top, "http://127.0.0.1:9", interval=0.01, once=True)
    with pytest.raises(ConfigurationError, match="not the address"):
        top("ftp://host", once=True)
