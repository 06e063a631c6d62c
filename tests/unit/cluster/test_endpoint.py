"""Connections have ids that name their node, and there is an end to how many."""

from __future__ import annotations

import pytest

from headwater.cluster import Endpoints
from headwater.cluster.endpoint import node_of
from headwater.errors import LimitReached, NotFound


def test_an_endpoint_is_found_by_its_connection_until_it_closes() -> None:
    endpoints = Endpoints(node="berlin-1")
    endpoint = endpoints.open(room_id="r", peer_id="p", protocol="webrtc")
    assert node_of(endpoint.conn_id) == "berlin-1"
    assert endpoints.get(endpoint.conn_id) is endpoint
    assert list(endpoints.in_room("r")) == [endpoint]
    endpoints.close(endpoint.conn_id)
    endpoints.close(endpoint.conn_id)
    with pytest.raises(NotFound):
        endpoints.get(endpoint.conn_id)
    assert len(endpoints) == 0


def test_a_connection_id_cannot_be_guessed() -> None:
    endpoints = Endpoints(node="n")
    ids = {endpoints.open(room_id="r", peer_id="p", protocol="whip").conn_id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(i.partition(".")[2]) >= 22 for i in ids)  # 128 bits in base64


def test_a_full_node_refuses_and_takes_again_when_somebody_left() -> None:
    endpoints = Endpoints(limit=1)
    first = endpoints.open(room_id="r", peer_id="p", protocol="whep")
    with pytest.raises(LimitReached):
        endpoints.open(room_id="r", peer_id="q", protocol="whep")
    endpoints.close(first.conn_id)
    endpoints.open(room_id="r", peer_id="q", protocol="whep")
