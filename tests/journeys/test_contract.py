"""The public contract to the letter: its endpoints, examples, headers, errors and messages, in its own order.

The examples stand here as shapes: the keys and types that must be there, however many others are there as well.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import yaml
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests import canary
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.people import bearer
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("contract")

SECONDS = 30
KEY = canary.provider_key("contract")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
TASK_TYPES = [
    "question_answer",
    "summarization",
    "code_generation",
    "creative_writing",
    "translation",
    "analysis",
    "chat",
    "general",
]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        fake.model_names = ["llama2", "anthropic/claude-3.5-sonnet", *(f"model-{number}" for number in range(198))]
        yield fake


@pytest.fixture(scope="module")
def live(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveOxide]:
    """One process for all, with the two services of the examples."""
    oxide = LiveOxide(tmp_path_factory.mktemp("contract"))
    oxide.declare(
        "ollama_local",
        provider.base_url("ollama", service="ollama_local"),
        api="ollama",
        model="llama2",
        # As in the configuration that comes with Oxide: without a price, a cost would not be known.
        price={"input_per_million": 0, "output_per_million": 0},
    )
    oxide.declare(
        "openrouter",
        provider.base_url("openai", service="openrouter"),
        default=False,
        api="openai",
        model="anthropic/claude-3.5-sonnet",
        api_key_env="CONTRACT_JOURNEY_KEY",
        api_key=KEY,
    )
    yield from _running(oxide)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveOxide]:
    """A process with nothing set but what the contract says to set."""
    oxide = LiveOxide(tmp_path_factory.mktemp("guarded"))
    oxide.environment = {"OXIDE_AUTH_ENABLED": "true"}
    yield from _running(oxide)


def _running(oxide: LiveOxide) -> Iterator[LiveOxide]:
    try:
        yield oxide.start()
    finally:
        oxide.kill()


def departures(found: Any, shape: Any, place: str = "") -> Iterator[str]:
    """Where an answer departs from a shape: one of keys, of items, a type, a pattern of a text, or a plain value."""
    if isinstance(shape, dict) and isinstance(found, dict):
        yield from (f"{place}.{key} is missing" for key in shape.keys() - found.keys())
        for key in shape.keys() & found.keys():
            yield from departures(found[key], shape[key], f"{place}.{key}")
    elif isinstance(shape, list) and isinstance(found, list):
        yield from [] if found else [f"{place} is empty"]
        for number, item in enumerate(found):
            yield from departures(item, shape[0], f"{place}[{number}]")
    elif not _fits(found, shape):
        yield f"{place} is {found!r}, not {shape}"


def _fits(found: Any, shape: Any) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(found, str) and bool(shape.fullmatch(found))
    if shape in (int, float):
        # JSON has one kind of number, but true and false are none.
        return isinstance(found, (int, float) if shape is float else int) and not isinstance(found, bool)
    return isinstance(found, shape) if isinstance(shape, type) else bool(found == shape)


def assert_like(found: Any, shape: Any) -> None:
    assert list(departures(found, shape)) == []


def answered(answer: requests.Response, status: int = 200) -> Any:
    """The body of an answer that came with this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def test_a_shape_tells_what_departs_from_it() -> None:
    shape = {"a": int, "b": [{"c": float}], "d": re.compile("x+"), "e": True}
    assert list(departures({"a": 1, "b": [{"c": 2, "more": 3}], "d": "xx", "e": True, "more": 1}, shape)) == []
    wrongs: list[dict[str, Any]] = [{"a": True}, {"a": 1.5}, {"b": []}, {"b": [{}]}, {"b": {}}, {"d": "y"}, {"d": None}]
    for wrong in (*wrongs, {"e": False}):
        assert len(list(departures({"a": 1, "b": [{"c": 2}], "d": "x", "e": True} | wrong, shape))) == 1, wrong


# Base URL


def test_the_port_is_8000_where_none_is_named(live: LiveOxide) -> None:
    assert re.search(r"--port PORT\s[^-]*8000", live.run("serve", "--help").stdout)


# Authentication


def test_authentication_is_off_by_default(live: LiveOxide) -> None:
    answered(live.get("/api/services/"))
    answered(live.post("/api/config/reload/"))


def log_in(oxide: LiveOxide) -> requests.Response:
    return oxide.post("/auth/login", json={"username": "admin", "password": oxide.admin_password})


def test_a_token_is_obtained(guarded: LiveOxide) -> None:
    body = answered(log_in(guarded))
    # The beginning of the example is that of {"typ":"JWT","alg":…; fields in another order make another one.
    assert_like(body, {"access_token": re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "token_type": "bearer"})


def test_the_token_is_used(guarded: LiveOxide) -> None:
    token = log_in(guarded).json()["access_token"]
    answered(guarded.get("/api/services/", headers={"Authorization": f"Bearer {token}"}))
    answered(guarded.get("/api/services/"), 401)


# Rate limiting


def test_strangers_have_100_requests_a_minute_and_users_1000(guarded: LiveOxide) -> None:
    mine = bearer(log_in(guarded).json()["access_token"])
    for headers, limit in (({}, 100), (mine, 1000)):
        first, second = (guarded.get("/api/services/", headers=headers).headers for _ in range(2))
        assert first["X-RateLimit-Limit"] == second["X-RateLimit-Limit"] == str(limit)
        assert 0 <= int(second["X-RateLimit-Remaining"]) < limit
        assert 0 < int(second["X-RateLimit-Reset"]) - time.time() + SECONDS < 60 + 2 * SECONDS
        if first["X-RateLimit-Reset"] == second["X-RateLimit-Reset"]:
            assert int(first["X-RateLimit-Remaining"]) - int(second["X-RateLimit-Remaining"]) == 1


# Services

SUMMARY = {"enabled": True, "healthy": True, "info": {"type": "http", "base_url": str, "model": "llama2"}}


def make_well(live: LiveOxide, service: str = "ollama_local") -> None:
    live.post(f"/api/services/{service}/test/")
    wait_until(lambda: live.get(f"/api/services/{service}/").json()["healthy"])


def test_services_are_listed(live: LiveOxide) -> None:
    make_well(live)
    body = answered(live.get("/api/services/"))
    assert_like(body, {"total": 3, "healthy": int, "enabled": 3, "services": {"ollama_local": SUMMARY}})
    assert body["services"].keys() == {"echo", "ollama_local", "openrouter"}
    assert body["healthy"] == sum(service["healthy"] for service in body["services"].values())


def test_the_details_of_a_service(live: LiveOxide) -> None:
    make_well(live)
    assert_like(answered(live.get("/api/services/ollama_local/")), SUMMARY)


# Tasks

EXECUTED = {
    "task_id": str,
    "status": "completed",
    "result": TEXT,
    "execution_time": float,
    "service_used": "ollama_local",
    "model_used": "llama2",
    "tokens_used": int,
    "cost": float,
}
EXAMPLE = {
    "prompt": "Explain quantum computing",
    "task_type": "question_answer",
    "max_tokens": 500,
    "temperature": 0.7,
    "service": "auto",
}


@pytest.mark.parametrize("left_out", [[], ["service"], ["service", "task_type", "max_tokens", "temperature"]])
def test_a_task_is_executed(live: LiveOxide, provider: FakeProvider, left_out: list[str]) -> None:
    make_well(live)
    body = {name: value for name, value in EXAMPLE.items() if name not in left_out}
    done = answered(live.post("/api/tasks/execute/", json=body))
    assert_like(done, EXECUTED)
    assert (done["tokens_used"], done["cost"]) == (27, 0.0)
    asked = provider.requests_to("ollama_local")[-1].json
    assert asked["messages"][-1]["content"] == "Explain quantum computing"
    if not left_out:
        assert (asked["options"]["num_predict"], asked["options"]["temperature"]) == (500, 0.7)


LISTED = {
    "id": str,
    "prompt": "Explain quantum computing",
    "status": "completed",
    "created_at": MOMENT,
    "completed_at": MOMENT,
}


def test_the_history_of_tasks(live: LiveOxide) -> None:
    make_well(live)
    made = [live.post("/api/tasks/execute/", json=EXAMPLE).json()["task_id"] for _ in range(2)]
    body = answered(live.get("/api/tasks/history/?limit=10&offset=0"))
    assert_like(body | {"tasks": body["tasks"][:2]}, {"total": int, "tasks": [LISTED]})
    assert [task["id"] for task in body["tasks"][:2]] == made[::-1]
    assert len(body["tasks"]) == min(10, body["total"])
    second = answered(live.get("/api/tasks/history/?limit=1&offset=1"))
    assert [task["id"] for task in second["tasks"]] == made[:1]


def test_a_task_by_its_id(live: LiveOxide) -> None:
    make_well(live)
    task_id = live.post("/api/tasks/execute/", json=EXAMPLE).json()["task_id"]
    body = answered(live.get(f"/api/tasks/{task_id}/"))
    assert_like(body, {**EXECUTED, **LISTED, "id": task_id, "task_id": task_id})


# Monitoring

METRICS = {
    "services": {"total": int, "healthy": int, "unhealthy": int},
    "tasks": {"total": int, "running": int, "completed": int, "failed": int},
    "system": {"cpu_percent": float, "memory_percent": float, "memory_used_mb": int, "memory_total_mb": int},
}


def test_the_metrics(live: LiveOxide) -> None:
    assert_like(answered(live.get("/api/monitoring/metrics/")), METRICS)


def test_the_stats(live: LiveOxide) -> None:
    assert_like(answered(live.get("/api/monitoring/stats/")), {"system": METRICS["system"], "tasks": {"total": int}})


# Routing

RULE = {
    "task_type": "code_generation",
    "service": "openrouter",
    "model": "anthropic/claude-3.5-sonnet",
    "priority": 1,
}


def test_a_routing_rule_is_created_listed_and_followed(live: LiveOxide) -> None:
    made = answered(live.post("/api/routing/rules/", json=RULE), 201)
    assert_like(made, {"id": str, **RULE})
    try:
        assert_like(answered(live.get("/api/routing/rules/")), {"rules": [{"id": made["id"], **RULE}]})
        make_well(live, "openrouter")
        body = {**EXAMPLE, "task_type": "code_generation"}
        done = answered(live.post("/api/tasks/execute/", json=body))
        assert (done["service_used"], done["model_used"]) == ("openrouter", "anthropic/claude-3.5-sonnet")
    finally:
        live.session.delete(f"{live.url}/api/routing/rules/{made['id']}/", timeout=60)


# API keys


def test_the_status_of_an_api_key(live: LiveOxide) -> None:
    make_well(live, "openrouter")
    body = answered(live.get("/api/api-keys/status/openrouter/"))
    assert_like(body, {"service": "openrouter", "configured": True, "valid": True, "key_preview": "sk-o...xyz"})


@pytest.mark.parametrize("given", [{"api_key": canary.provider_key("tried")}, {}], ids=["given", "configured"])
def test_an_api_key_is_tested(live: LiveOxide, provider: FakeProvider, given: dict[str, str]) -> None:
    body = answered(live.post("/api/api-keys/test/", json={"service": "openrouter", **given}))
    shape = {
        "success": True,
        "valid": True,
        "message": "API key is valid. 200+ models available.",
        "details": {"model_count": 200, "service": "openrouter"},
    }
    assert_like(body, shape)
    keys = [request.headers["authorization"] for request in provider.requests_to("openrouter")]
    assert f"Bearer {given.get('api_key', KEY)}" in keys


def test_an_api_key_is_updated_in_plain_text(live: LiveOxide) -> None:
    other = canary.provider_key("updated")
    try:
        answered(live.post("/api/api-keys/update/", json={"service": "openrouter", "api_key": other}))
        file = yaml.safe_load((live.folder / "oxide.yaml").read_text())
        assert file["services"]["openrouter"]["api_key"] == other
    finally:
        answered(live.post("/api/api-keys/update/", json={"service": "openrouter", "api_key": KEY}))


# Configuration


def test_the_configuration(live: LiveOxide) -> None:
    body = answered(live.get("/api/config/"))
    assert_like(body, {"services": {"ollama_local": dict}, "routing": dict, "security": {"auth_enabled": False}})
    assert KEY not in json.dumps(body)


def test_the_configuration_is_reloaded_without_a_restart(live: LiveOxide) -> None:
    live.config["services"]["new"] = {"type": "builtin"}
    live.write_config()
    try:
        answered(live.post("/api/config/reload/"))
        assert "new" in answered(live.get("/api/config/"))["services"]
        assert live.process.poll() is None
    finally:
        del live.config["services"]["new"]
        live.write_config()
        answered(live.post("/api/config/reload/"))
    assert "new" not in answered(live.get("/api/services/"))["services"]


# WebSocket


@contextmanager
def client(live: LiveOxide) -> Iterator[ClientConnection]:
    """As a page of Oxide's own connects: with an origin."""
    with connect(live.url.replace("http://", "ws://") + "/ws", origin=Origin(live.url), proxy=None) as connection:
        yield connection


def hear(connection: ClientConnection, **what: Any) -> dict[str, Any]:
    """The next message with these values."""
    deadline = time.monotonic() + SECONDS
    while True:
        heard: dict[str, Any] = json.loads(connection.recv(deadline - time.monotonic()))
        if what.items() <= heard.items():
            return heard


def test_a_service_status_update_is_heard(live: LiveOxide, provider: FakeProvider) -> None:
    make_well(live)
    with client(live) as connection:
        provider.misbehave("refuse", service="ollama_local", why="auth")
        assert live.execute(service="ollama_local").status_code == 502
        shape = {"type": "service_status", "service": "ollama_local", "data": {"healthy": False, "enabled": True}}
        assert_like(hear(connection, type="service_status", service="ollama_local"), shape)
        provider.behave("ollama_local")
        assert live.execute(service="ollama_local").status_code == 200
        shape["data"] = {"healthy": True, "enabled": True}
        assert_like(hear(connection, type="service_status", service="ollama_local"), shape)


def test_a_metrics_update_is_heard(live: LiveOxide) -> None:
    with client(live) as connection:
        assert_like(hear(connection, type="metrics"), {"type": "metrics", "data": METRICS})


def test_the_progress_of_a_task_is_heard(live: LiveOxide, provider: FakeProvider) -> None:
    make_well(live)
    provider.misbehave("slow", service="ollama_local", times=1, seconds=1)
    with client(live) as connection:
        live.post("/api/tasks/execute/", json={**EXAMPLE, "service": "ollama_local", "background": True})
        shape = {"type": "task_progress", "task_id": str, "status": "running", "progress": int}
        running = hear(connection, type="task_progress", status="running")
        assert_like(running, shape)
        assert 0 <= running["progress"] < 100
        ended = hear(connection, type="task_progress", task_id=running["task_id"], status="completed")
        assert ended["progress"] == 100


def test_a_ping_is_answered(live: LiveOxide) -> None:
    with client(live) as connection:
        connection.send("ping")
        assert hear(connection, type="pong") == {"type": "pong"}


# Task types


@pytest.mark.parametrize("task_type", TASK_TYPES)
def test_a_task_type_is_recognized(live: LiveOxide, task_type: str) -> None:
    done = answered(live.execute(service="echo", task_type=task_type))
    assert answered(live.get(f"/api/tasks/{done['task_id']}/"))["task_type"] == task_type


def test_there_are_no_other_task_types(live: LiveOxide) -> None:
    refused = answered(live.execute(service="echo", task_type="telepathy"), 400)
    assert all(task_type in refused["detail"] for task_type in TASK_TYPES)


# Errors


def error(code: str, title: str | type[str] = str, detail: str = ".+") -> dict[str, Any]:
    """An error of the contract; its detail may say more than the example, such as what to do."""
    return {"error": title, "detail": re.compile(f"{detail}.*", re.DOTALL), "code": code}


def test_400_bad_request(live: LiveOxide) -> None:
    for body in (b"{", b"[]", b'{"prompt": 1}', b'{"prompt": "x", "task_tipe": "chat"}', b""):
        answer = live.post("/api/tasks/execute/", data=body, headers={"Content-Type": "application/json"})
        assert_like(answered(answer, 400), error("VALIDATION_ERROR"))


def test_401_unauthorized(guarded: LiveOxide) -> None:
    for answer in (
        guarded.get("/api/services/"),
        guarded.get("/api/services/", headers=bearer("wrong")),
        guarded.post("/auth/login", json={"username": "nobody", "password": "wrong"}),
    ):
        assert_like(answered(answer, 401), error("UNAUTHORIZED"))


def test_403_forbidden(guarded: LiveOxide) -> None:
    mine = bearer(log_in(guarded).json()["access_token"])
    made = guarded.post("/api/api-keys/clients/", json={"name": "reader", "scopes": ["read"]}, headers=mine)
    reader = bearer(answered(made, 201)["key"])
    answered(guarded.get("/api/services/", headers=reader))
    refused = guarded.post("/api/tasks/execute/", json=EXAMPLE, headers=reader)
    assert_like(answered(refused, 403), error("FORBIDDEN"))


@pytest.mark.parametrize(
    "path",
    [
        "/api/services/missing/",
        "/api/tasks/abc123/",
        "/api/tasks/00000000-0000-4000-8000-000000000000/",
        "/api/api-keys/status/missing/",
        "/api/missing/",
    ],
)
def test_404_not_found(live: LiveOxide, path: str) -> None:
    assert_like(answered(live.get(path), 404), error("NOT_FOUND"))


@contextmanager
def ill(live: LiveOxide, provider: FakeProvider) -> Iterator[None]:
    provider.misbehave("status", service="ollama_local", status=503)
    try:
        answered(live.post("/api/services/ollama_local/test/"))
        yield
    finally:
        provider.behave("ollama_local")
        make_well(live)


def test_a_service_that_is_not_available(live: LiveOxide, provider: FakeProvider) -> None:
    with ill(live, provider):
        refused = answered(live.execute(service="ollama_local"), 503)
    said = error("SERVICE_UNAVAILABLE", "Service not available", "ollama_local is currently unhealthy")
    assert_like(refused, said)


def test_an_api_key_that_the_provider_does_not_take(live: LiveOxide, provider: FakeProvider) -> None:
    make_well(live, "openrouter")
    provider.misbehave("refuse", service="openrouter", times=1, why="auth")
    refused = answered(live.execute(service="openrouter"), 502)
    said = error("INVALID_API_KEY", "Authentication failed", "Invalid API key for service openrouter")
    assert_like(refused, said)
    assert KEY not in json.dumps(refused)


def test_more_requests_than_the_limit_lets_through(tmp_path_factory: pytest.TempPathFactory) -> None:
    oxide = LiveOxide(tmp_path_factory.mktemp("limited"))
    oxide.environment = {"OXIDE_RATE_LIMIT_ANON": "3/h"}  # an hour, so that none ends in the middle
    for running in _running(oxide):
        answers = [running.get("/api/services/") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        said = error("RATE_LIMIT_EXCEEDED", "Rate limit exceeded", r"Too many requests\. Retry after \d+ seconds\.")
        assert_like(answered(answers[3], 429), said)
        assert f"Retry after {answers[3].headers['Retry-After']} seconds." in answers[3].json()["detail"]


# Interactive documentation


@pytest.mark.parametrize(("path", "sign"), [("/docs", "swagger-ui"), ("/redoc", "redoc")])
def test_the_interactive_documentation(live: LiveOxide, path: str, sign: str) -> None:
    page = live.get(path)
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
    assert sign in page.text
    own = re.findall(r'src="(/docs\?[^"]+)"', page.text)  # the script with its settings
    assert "/openapi.json" in page.text + "".join(live.get(html.unescape(address)).text for address in own)


CONTRACT = {
    ("post", "/auth/login"),
    ("get", "/api/services/"),
    ("get", "/api/services/{}/"),
    ("post", "/api/tasks/execute/"),
    ("get", "/api/tasks/history/"),
    ("get", "/api/tasks/{}/"),
    ("get", "/api/monitoring/metrics/"),
    ("get", "/api/monitoring/stats/"),
    ("get", "/api/routing/rules/"),
    ("post", "/api/routing/rules/"),
    ("get", "/api/api-keys/status/{}/"),
    ("post", "/api/api-keys/test/"),
    ("post", "/api/api-keys/update/"),
    ("get", "/api/config/"),
    ("post", "/api/config/reload/"),
}


def test_the_openapi_document_describes_every_endpoint(live: LiveOxide) -> None:
    document = live.get("/openapi.json").json()
    described = {
        (method, re.sub("{.*?}", "{}", path).rstrip("/"))
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert document["openapi"].startswith("3.")
    assert {(method, path.rstrip("/")) for method, path in CONTRACT} <= described
