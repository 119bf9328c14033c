"""How a task gets its answer when services misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from services import health
from services.availability import states
from services.breaker import breakers
from services.models import Service
from tasks.models import Attempt, Task
from tests import canary
from tests.fake_provider import FakeProvider, Tokens
from tests.tasks.conftest import Execute
from tests.waiting import wait_until

MakeService = Callable[..., Service]
Order = Callable[..., None]


@pytest.mark.parametrize(
    ("fault", "details", "kind"),
    [
        ("reset", {}, "connect"),
        ("hang", {}, "timeout"),
        ("status", {"status": 408}, "server"),
        ("status", {"status": 409}, "server"),
        ("status", {"status": 425}, "server"),
        ("status", {"status": 429}, "rate_limited"),
        ("status", {"status": 500}, "server"),
        ("status", {"status": 503}, "server"),
        ("html", {}, "malformed"),
        ("empty", {}, "malformed"),
        ("bad_json", {}, "malformed"),
        ("truncate", {}, "broken"),
        ("refuse", {"why": "auth"}, "auth"),
        ("refuse", {"why": "quota"}, "quota"),
        ("refuse", {"why": "model"}, "model_not_found"),
    ],
)
def test_another_service_takes_over(
    service: MakeService,
    execute: Execute,
    provider: FakeProvider,
    default_order: Order,
    fault: str,
    details: dict[str, Any],
    kind: str,
) -> None:
    default_order(service("first", timeout_seconds=1), service("second", "ollama"))
    provider.misbehave(fault, service="first", **details)
    body = execute().json()
    assert (body["status"], body["service_used"]) == ("completed", "second"), body
    story = list(Attempt.objects.values_list("service", "status", "error_kind"))
    assert story[0][:2] == ("first", "failed")
    assert story[0][2] == kind
    assert story[1] == ("second", "completed", "")


def test_a_refused_connection_falls_back(service: MakeService, execute: Execute, default_order: Order) -> None:
    default_order(service("gone", base_url="http://127.0.0.1:9/v1"), service("there"))
    assert execute().json()["service_used"] == "there"
    assert list(Attempt.objects.values_list("service", "error_kind")) == [("gone", "connect"), ("there", "")]


def test_a_task_that_failed_everywhere_tells_of_each_service_once(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("first"), service("gone", base_url="http://127.0.0.1:9/v1"), service("second"))
    provider.misbehave("status", status=500)
    detail = execute().json()["detail"]
    assert (detail.count("first"), detail.count("gone"), detail.count("second")) == (1, 1, 1), detail
    decisive, _, others = detail.partition(" (Other services: ")
    assert decisive.startswith("first answered")
    assert others.startswith("gone cannot be reached")


def test_the_callers_own_mistake_is_told_and_not_tried_elsewhere(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("first"), service("second"))
    provider.misbehave("refuse", service="first", why="bad_request")
    answer = execute()
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert not provider.requests_to("second")
    assert Task.objects.get().status == "failed"


@pytest.mark.parametrize(
    ("fault", "details", "status", "code"),
    [
        ("status", {"status": 500}, 502, "PROVIDER_ERROR"),
        ("html", {}, 502, "PROVIDER_ERROR"),
        ("refuse", {"why": "auth"}, 502, "INVALID_API_KEY"),
        ("refuse", {"why": "quota"}, 429, "PROVIDER_RATE_LIMITED"),
        ("refuse", {"why": "model"}, 404, "MODEL_NOT_FOUND"),
        ("refuse", {"why": "context"}, 400, "VALIDATION_ERROR"),
        ("hang", {}, 504, "TIMEOUT"),
        ("reset", {}, 503, "SERVICE_UNAVAILABLE"),
        ("truncate", {}, 502, "PROVIDER_ERROR"),
        ("status", {"status": 402}, 502, "PROVIDER_ERROR"),
        ("status", {"status": 409}, 502, "PROVIDER_ERROR"),
        ("status", {"status": 429, "headers": {"Retry-After": "7"}}, 429, "PROVIDER_RATE_LIMITED"),
        ("status", {"status": 501}, 502, "PROVIDER_ERROR"),
        ("status", {"status": 502}, 502, "PROVIDER_ERROR"),
        ("status", {"status": 503, "headers": {"Retry-After": "7"}}, 503, "SERVICE_UNAVAILABLE"),
        ("status", {"status": 504}, 504, "TIMEOUT"),
        ("status", {"status": 524}, 502, "PROVIDER_ERROR"),
        ("status", {"status": 529}, 529, "PROVIDER_OVERLOADED"),
    ],
)
def test_a_failed_task_is_answered_with_its_story_and_kept(
    service: MakeService,
    execute: Execute,
    provider: FakeProvider,
    fault: str,
    details: dict[str, Any],
    status: int,
    code: str,
) -> None:
    service("only", timeout_seconds=1)
    provider.misbehave(fault, **details)
    answer = execute(service="only")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert set(body) >= {"error", "detail", "code", "task_id", "attempts"}
    assert "only" in body["detail"]
    assert [attempt["service"] for attempt in body["attempts"]] == ["only"]
    task = Task.objects.get(pk=body["task_id"])
    assert (task.status, task.error_code) == ("failed", code)
    assert answer.headers.get("Retry-After") == ("7" if "headers" in details else None)


def test_the_key_is_in_no_answer_and_no_row(
    service: MakeService, execute: Execute, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", canary.provider_key("pipeline"))
    service("only", api_key_env="MY_KEY")
    provider.misbehave("refuse", why="auth")  # echoes the key that it refuses
    answer = execute(service="only")
    assert canary.provider_key("pipeline") in str(provider.requests[-1].headers)
    assert b"canary" not in answer.content
    assert "canary" not in str(list(Attempt.objects.values()) + list(Task.objects.values()))


def test_a_passing_failure_is_tried_again_on_the_same_service(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only", max_retries=2)
    provider.misbehave("status", status=503, times=2)
    assert execute(service="only").json()["status"] == "completed"
    assert list(Attempt.objects.values_list("status", flat=True)) == ["failed", "failed", "completed"]


def test_a_permanent_failure_is_not_tried_again(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("only", max_retries=5)
    provider.misbehave("refuse", why="auth")
    execute(service="only")
    assert len(provider.requests) == 1


def test_retry_after_is_obeyed(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("only", max_retries=1)
    provider.misbehave("status", status=429, headers={"Retry-After": "1"}, times=1)
    started = time.monotonic()
    assert execute(service="only").json()["status"] == "completed"
    assert time.monotonic() - started >= 1


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only", max_retries=3)
    provider.misbehave("status", status=429, headers={"Retry-After": "9999"})
    assert execute(service="only").status_code == 429
    assert len(provider.requests) == 1


def test_one_deadline_holds_for_all_attempts(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("first", max_retries=5), service("second", max_retries=5))
    provider.misbehave("hang")
    answer = execute(timeout_seconds=0.8)
    assert answer.status_code == 504
    assert len(provider.requests) == 1


def test_five_failures_in_a_row_open_the_breaker(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only")
    provider.misbehave("status", status=500)
    for _ in range(5):
        execute(service="only")
    assert breakers["only"].state == "open"
    assert "circuit breaker is open" in states()["only"].obstacle


def test_the_callers_mistakes_open_no_breaker(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("only")
    provider.misbehave("refuse", why="bad_request")
    for _ in range(6):
        execute(service="only")
    assert breakers["only"].state == "closed"


def test_an_unhealthy_service_is_called_last_with_that_reason(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("ill"), service("well"))
    provider.misbehave_in_checks("status", service="ill", status=401)
    health.check(states()["ill"].config)
    assert execute().json()["service_used"] == "well"
    last = Task.objects.get().decision["candidates"][-1]
    assert (last["service"], last["demoted"]) == ("ill", True)
    assert "ill is currently unhealthy: answered 401" in last["reason"]
    provider.misbehave("status", service="well", status=500)
    assert execute().json()["service_used"] == "ill"


def test_a_call_that_finds_no_server_or_a_rejected_key_has_the_next_task_ask_others_first(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    away = service("away", base_url="http://127.0.0.1:9/v1")
    default_order(away, service("locked"), service("well"))
    provider.misbehave("refuse", why="auth", service="locked", times=1)
    assert execute().json()["service_used"] == "well"
    assert execute().json()["service_used"] == "well"
    decision = Task.objects.order_by("created_at").last().decision  # type: ignore[union-attr]
    assert [each["service"] for each in decision["candidates"]] == ["well", "away", "locked"]
    assert (provider.calls_to("locked"), provider.calls_to("well")) == (1, 2)
    assert execute(service="locked").json()["status"] == "completed"
    assert states()["locked"].obstacle == ""


def test_a_service_without_its_key_says_which_variable_to_set(
    service: MakeService, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISSING_KEY", raising=False)
    service("only", api_key_env="MISSING_KEY")
    answer = execute(service="only")
    assert answer.status_code == 503
    assert "MISSING_KEY" in answer.json()["detail"]


def test_a_full_service_refuses_at_once_and_says_when_to_come_back(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only", max_concurrency=1)
    provider.misbehave("slow", seconds=1)
    first = threading.Thread(target=execute, kwargs={"service": "only"})
    first.start()
    wait_until(lambda: provider.requests)
    answer = execute(service="only")
    first.join()
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_BUSY")
    assert int(answer.headers["Retry-After"]) >= 1


def test_background_tasks_wait_for_a_free_place_instead(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only", max_concurrency=1)
    provider.misbehave("slow", seconds=0.2)
    for _ in range(3):
        execute(service="only", background=True)
    wait_until(lambda: Task.objects.filter(status="completed").count() == 3)


def test_a_defect_of_ours_leaves_no_task_running(
    service: MakeService, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service("only")
    monkeypatch.setattr("tasks.pipeline.adapter_for", lambda _config: None)
    client.raise_request_exception = False
    answer = client.post("/api/tasks/execute/", {"prompt": "Hm?", "service": "only"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert Task.objects.get().status == "failed"
    assert Task.objects.get().error_code == "INTERNAL_ERROR"


def test_a_model_that_nobody_offers_is_the_callers_mistake_and_not_recorded(
    execute: Execute, service: MakeService, default_order: Order
) -> None:
    default_order(service("only", allowed_models=["alpha"]))
    Service.objects.create(name="echo", type="builtin")
    service("unnamed", allowed_models=["beta"])
    answer = execute(model="no-such")
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "does not offer model no-such" in answer.json()["detail"]
    assert not Task.objects.exists()


def test_nonsense_from_a_provider_costs_no_answer(
    execute: Execute, service: MakeService, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("odd"), service("fine"))
    provider.misbehave("status", service="odd", status=500, body=b'{"error": {"message": "bro\\u0000ken"}}')
    health.check(states()["odd"].config)
    provider.say("fine", tokens=Tokens(prompt=10**30, completion=15))
    usage = execute(prompt="Four words, 24 letters..").json()["usage"]
    # The count of the prompt is absurd, so it is estimated, and the task says so.
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["reported"]) == (6, 15, False)
    assert "\x00" not in str(Task.objects.get().decision)


def test_an_address_where_nothing_lives_is_not_the_callers_mistake(
    execute: Execute, service: MakeService, provider: FakeProvider
) -> None:
    service("only")
    provider.misbehave("status", status=404, body={"detail": "Not Found"})
    answer = execute(service="only")
    assert (answer.status_code, answer.json()["code"]) == (502, "PROVIDER_ERROR")


def test_a_name_without_its_tag_is_asked_for_though_the_list_has_it_with_one(
    execute: Execute, service: MakeService, provider: FakeProvider
) -> None:
    service("ollama_local", "ollama")
    provider.model_names = ["mistral:latest"]
    health.check(states()["ollama_local"].config)
    assert execute(service="ollama_local", model="mistral").json()["status"] == "completed"


def test_a_model_that_the_list_does_not_have_is_asked_for_all_the_same(
    execute: Execute, service: MakeService, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("ollama_local", "ollama"))
    health.check(states()["ollama_local"].config)
    for named in ({"service": "ollama_local"}, {}):
        assert execute(model="my-fine-tune", **named).json()["model_used"] == "my-fine-tune"
    assert provider.last_call().json["model"] == "my-fine-tune"
