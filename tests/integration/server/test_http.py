"""The HTTP interface: meetings, tokens, operation, pages, and what every answer has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from headwater.app import Node
from headwater.auth import digest
from tests.integration.server.conftest import PortedFakeWorker, settings


def problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = response.json()
    assert (body["code"], body["status"]) == (code, status)
    assert body["title"]
    assert str(body["type"]).endswith(code)
    return body


@pytest.mark.parametrize("body", [None, {}, {"settings": {}}, {"settings": {"title": "Monday"}}])
async def test_a_meeting_is_made_and_looked_at(http: httpx.AsyncClient, body: object) -> None:
    made = await (http.post("/meetings") if body is None else http.post("/meetings", json=body))
    assert made.status_code == 201, made.text
    meeting = made.json()
    assert meeting["id"].startswith("mtg_")
    assert meeting["url"] == f"{http.base_url}/m/{meeting['id']}".replace("//m", "/m")
    seen = await http.get(f"/meetings/{meeting['id']}")
    assert seen.json() == meeting


@pytest.mark.parametrize(
    "body",
    ["[]", "{", "1", '"x"', '{"settings": 5}', '{"colour": 1}', '{"settings": {"max_participants": 0}}',
     '{"settings": {"title": "' + "x" * 300 + '"}}'],
)  # fmt: skip
async def test_a_body_that_does_not_fit_is_a_problem(http: httpx.AsyncClient, body: str) -> None:
    response = await http.post("/meetings", content=body, headers={"content-type": "application/json"})
    problem(response, 422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [b"[" * 900_000, b'{"settings":' * 50_000, b"\xff\xfe", b'{"settings":{"title":"\xed\xa0\x80"}}',
     b'{"settings":{"title":"\\ud800"}}', b'{"settings":{"max_participants":1e999}}',
     b'{"settings":{"max_participants":NaN}}', b'{"settings":{"max_participants":' + b"9" * 6000 + b"}}"],
    ids=["list", "object", "no UTF-8", "raw surrogate", "surrogate", "infinity", "NaN", "long number"],
)  # fmt: skip
async def test_a_hostile_body_is_the_clients_fault_and_makes_nothing(
    http: httpx.AsyncClient, dev: Node, body: bytes
) -> None:
    before = dev.rooms.counts()["meetings"]
    for path in ("/meetings", "/meetings/demo/tokens"):
        response = await http.post(path, content=body, headers={"content-type": "application/json"})
        assert response.status_code in (400, 422), response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert len(response.content) < 10_000, "the answer repeats the body"
    assert dev.rooms.counts()["meetings"] == before


async def test_an_unknown_meeting_is_not_found_and_not_made(http: httpx.AsyncClient, dev: Node) -> None:
    before = dev.rooms.counts()["meetings"]
    problem(await http.get("/meetings/nowhere"), 404, "not_found")
    assert dev.rooms.counts()["meetings"] == before


async def test_production_makes_meetings_for_the_api_key_alone(
    production: Node, https: httpx.AsyncClient
) -> None:
    key = production.new_api_key
    assert key is not None
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        response = await https.post("/meetings", headers=headers)
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
    join_token = production.authority.mint(room="r", identity="i", role="host")
    problem(
        await https.post("/meetings", headers={"Authorization": f"Bearer {join_token}"}), 403, "forbidden"
    )
    owner = {"Authorization": f"Bearer {key}"}
    meeting = (await https.post("/meetings", headers=owner)).json()["id"]
    minted = await https.post(
        f"/meetings/{meeting}/tokens", headers=owner, json={"identity": "ada", "ttl": 60}
    )
    assert minted.status_code == 201
    token = minted.json()["token"]
    claims = production.authority.verify(token)
    assert (claims.room, claims.identity, claims.expires_at) == (meeting, "ada", minted.json()["expires_at"])
    assert minted.json()["url"] == f"{production.url}/m/{meeting}#token={token}"
    for path in ("/meetings", f"/meetings/{meeting}/participants"):
        problem(await https.get(path), 401, "unauthorized")
        problem(await https.get(path, headers={"Authorization": f"Bearer {token}"}), 403, "forbidden")
    assert (await https.get(f"/meetings/{meeting}/participants", headers=owner)).json() == []
    assert [each["id"] for each in (await https.get("/meetings", headers=owner)).json()] == [meeting]
    why = f"/meetings/{meeting}/participants/nobody/why"
    problem(await https.get(why), 401, "unauthorized")
    problem(await https.get(why, headers=owner), 404, "not_found")
    assert (await https.get(f"/meetings/{meeting}", headers=owner)).status_code == 200
    member = {"Authorization": f"Bearer {token}"}
    assert (await https.get(f"/meetings/{meeting}", headers=member)).status_code == 200
    problem(await https.get(f"/meetings/{meeting}"), 401, "unauthorized")
    problem(await https.get("/meetings/other", headers=member), 403, "forbidden")
    problem(
        await https.post(f"/meetings/{meeting}/tokens", headers=member, json={"identity": "x"}),
        403,
        "forbidden",
    )
    bad = await https.post(
        f"/meetings/{meeting}/tokens", headers=owner, json={"identity": "x", "grants": ["fly"]}
    )
    problem(bad, 422, "invalid_request")


async def test_a_body_beyond_the_limit_is_refused_while_it_comes(http: httpx.AsyncClient) -> None:
    problem(await http.post("/meetings", content=b"x" * 1_100_000), 413, "request_entity_too_large")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 10_000

    response = await http.post("/meetings", content=endless(), headers={"content-type": "application/json"})
    assert response.status_code == 413


async def test_every_answer_protects_the_browser(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/", "/m/x", "/nothing", "/meetings/x", "/docs", "/openapi.json"):
        headers = (await http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
        assert "strict-transport-security" not in headers


async def test_production_stays_with_tls(https: httpx.AsyncClient) -> None:
    assert "max-age" in (await https.get("/healthz")).headers["strict-transport-security"]


async def test_health_and_readiness_need_no_token(https: httpx.AsyncClient, production: Node) -> None:
    assert (await https.get("/healthz")).json() == {"status": "ok"}
    assert (await https.get("/readyz")).status_code == 200
    await production.worker.close()
    assert (await https.get("/readyz")).status_code == 503
    assert (await https.get("/healthz")).status_code == 200


async def test_metrics_are_for_this_machine_or_the_api_key(
    http: httpx.AsyncClient, https: httpx.AsyncClient, production: Node
) -> None:
    response = await http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert "headwater_media_packets_received_total" in response.text
    assert "headwater_participants 0.0" in response.text
    assert (await https.get("/metrics")).status_code == 200
    through_proxy = {"X-Forwarded-For": "203.0.113.9"}
    for headers in (through_proxy, {"Forwarded": "for=203.0.113.9"}, {"Host": "media.example"}):
        problem(await https.get("/metrics", headers=headers), 401, "unauthorized")
    with_key = {**through_proxy, "Authorization": f"Bearer {production.new_api_key}"}
    assert (await https.get("/metrics", headers=with_key)).status_code == 200


async def test_the_interface_documents_itself_without_foreign_help(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert {"/meetings", "/whip/{room}", "/whep/{room}/{session}", "/metrics"} <= document["paths"].keys()
    page = (await http.get("/docs")).text
    for path in document["paths"]:
        assert path in page
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert "422" not in operation["responses"], "FastAPI's own error is never sent"
    created = document["paths"]["/whip/{room}"]["post"]["responses"]["201"]
    assert list(created["content"]) == ["application/sdp"]
    assert "<script" not in page
    assert "cdn" not in page


async def test_a_missing_web_app_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, built = tmp_path / "empty", tmp_path / "built"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html><title>built</title>")
    (built / "assets" / "app-1a2b.js").write_text("export {};")
    for root, status, says in ((empty, 503, "npm run build"), (built, 200, "<title>built")):
        monkeypatch.setattr("headwater.api.pages.install_pages.__kwdefaults__", {"root": root})
        async with (
            Node(settings(tmp_path, dev=True), worker_type=PortedFakeWorker, allow_several=True) as node,
            httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as client,
        ):
            for page in ("/", "/m/mtg_abc", "/watch/chn_abc"):
                response = await client.get(page)
                assert (response.status_code, says in response.text) == (status, True), page
            asset = await client.get("/assets/app-1a2b.js")
            assert (asset.status_code == 200) is (status == 200)
            problem(await client.get("/../../etc/passwd"), 404, "not_found")
            problem(await client.get("/assets/%2e%2e/%2e%2e/secret"), 404, "not_found")


async def test_a_wrong_method_is_a_problem_too(http: httpx.AsyncClient) -> None:
    problem(await http.put("/meetings"), 405, "method_not_allowed")
    problem(await http.delete("/healthz"), 405, "method_not_allowed")


async def test_a_failure_of_ours_is_500_and_tells_nothing(
    http: httpx.AsyncClient, dev: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a path, a password")

    monkeypatch.setattr(dev.rooms, "create_meeting", fail)
    response = await http.post("/meetings")
    body = problem(response, 500, "error")
    assert "password" not in str(body)


async def test_the_certificate_is_self_signed_and_its_fingerprint_known(production: Node) -> None:
    assert production.certificate is not None
    assert production.certificate.self_signed
    assert production.url.startswith("https://127.0.0.1:")


async def test_what_the_first_start_made_is_kept_and_private(production: Node) -> None:
    data = production.settings.data
    assert production.new_secret
    kept = [p for p in data.iterdir() if not p.name.endswith(("-wal", "-shm"))]  # SQLite's, like the file
    assert {p.name: p.stat().st_mode & 0o777 for p in kept} == {
        "headwater.db": 0o600, "secret": 0o600, "api-key.sha256": 0o600, "tls-key.pem": 0o600,
        "tls-cert.pem": 0o644, "node": 0o644, "hls": 0o700,
    }  # fmt: skip
    assert production.new_api_key is not None
    assert (data / "api-key.sha256").read_text().strip() == digest(production.new_api_key).hex()
