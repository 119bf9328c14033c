"""Which service is called next after an error, and with which error a task ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from services.breaker import breakers
from services.models import Service
from services.pauses import pauses
from tasks.models import Attempt, Task
from tests.fake_provider import FakeProvider
from tests.tasks.conftest import Execute
from tests.waiting import wait_until

MakeService = Callable[..., Service]
Order = Callable[..., None]


def too_small(tokens: int = 8192) -> dict[str, Any]:
    message = f"This model's maximum context length is {tokens} tokens."
    return {"error": {"message": message, "code": "context_length_exceeded"}}


def refusal(message: str, **words: str) -> dict[str, Any]:
    return {"error": {"message": message, **words}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, too_small()),
        (400, refusal("API key not valid. Please pass a valid API key.")),
        (400, refusal("The model `old` has been decommissioned.", code="model_decommissioned")),
        (404, refusal("The API deployment for this resource does not exist.", code="DeploymentNotFound")),
        (400, refusal("Unsupported parameter: 'stop' is not supported with this model.", code="unsupported_parameter")),
        (400, refusal("Your credit balance is too low to access the API.")),
        (403, refusal("Country, region, or territory not supported", code="unsupported_country_region_territory")),
        (429, refusal("You exceeded your current quota.", code="insufficient_quota")),
        (501, refusal("This server does not support chat.")),
        (529, refusal("Overloaded")),
    ],
)
def test_an_error_about_the_service_is_answered_by_another(
    service: MakeService,
    execute: Execute,
    provider: FakeProvider,
    default_order: Order,
    status: int,
    body: dict[str, Any],
) -> None:
    default_order(service("first"), service("second"))
    provider.misbehave("status", service="first", status=status, body=body)
    assert execute().json()["service_used"] == "second"


def test_where_all_models_are_too_small_the_first_error_is_told(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("first"), service("second"))
    provider.misbehave("status", service="first", status=400, body=too_small(8192))
    provider.misbehave("status", service="second", status=400, body=too_small(4096))
    answer = execute()
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    told = answer.json()["provider_error"]
    assert (told["service"], told["maximum_tokens"], told["retryable"]) == ("first", 8192, False)
    assert told["prompt_tokens"] > 8192
    assert "4096" in answer.json()["detail"]


@pytest.mark.parametrize("option", [4096, {"alpha": 4096}])
def test_a_model_that_is_known_to_be_smaller_is_not_called(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order, option: Any
) -> None:
    small = service("small", options={"context_window": option})
    default_order(service("first"), small, service("third", options={"context_window": 8192}))
    provider.misbehave("status", service="first", status=400, body=too_small(8192))
    assert execute().json()["service_used"] == "third"
    assert not provider.requests_to("small")


def test_a_small_stand_in_does_not_hide_an_outage(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("first"), service("second"))
    provider.misbehave("status", service="first", status=503, headers={"Retry-After": "9"})
    provider.misbehave("status", service="second", status=400, body=too_small())
    answer = execute()
    assert (answer.status_code, answer.json()["provider_error"]["service"]) == (503, "first")
    assert answer.headers["Retry-After"] == "9"
    assert "maximum context length" in answer.json()["detail"]


def test_a_demoted_service_is_called_last_and_once_and_its_error_replaces_none(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("ill", max_retries=3), service("well"))
    for _ in range(5):
        breakers["ill"].record_failure()
    provider.misbehave("status", service="well", status=401)
    provider.misbehave("status", service="ill", status=503)
    answer = execute()
    assert (answer.status_code, answer.json()["code"]) == (502, "INVALID_API_KEY")
    assert list(Attempt.objects.values_list("service", flat=True)) == ["well", "ill"]


def test_a_service_tries_three_times_unless_it_says_otherwise(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    Service.objects.create(name="only", api="openai", base_url=provider.base_url("openai", service="only"), model="m")
    provider.misbehave("status", status=503)
    assert execute(service="only").status_code == 503
    assert provider.calls_to("only") == 3


def test_a_service_that_hangs_is_not_tried_again_where_there_is_another(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("first", max_retries=2, timeout_seconds=0.3), service("second"))
    provider.misbehave("hang", service="first")
    assert execute().json()["service_used"] == "second"
    assert provider.calls_to("first") == 1


# Rate limits


def test_a_rate_limit_falls_back_at_once_and_the_service_comes_last_for_so_long(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order
) -> None:
    default_order(service("first", max_retries=5), service("second"))
    provider.misbehave("status", service="first", status=429, headers={"Retry-After": "1800"})
    for _ in range(3):
        assert execute().json()["service_used"] == "second"
    assert provider.calls_to("first") == 1
    reasons = Task.objects.latest("created_at").decision["candidates"]
    assert [each["service"] for each in reasons] == ["second", "first"]
    assert "limits the rate" in reasons[1]["reason"]


def test_a_long_pause_is_told_without_a_call(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("only")
    provider.misbehave("status", times=1, status=429, headers={"Retry-After": "1800"})
    assert execute(service="only").headers["Retry-After"] == "1800"
    answer = execute(service="only")
    assert (answer.status_code, answer.json()["code"]) == (429, "PROVIDER_RATE_LIMITED")
    assert 1700 < int(answer.headers["Retry-After"]) <= 1800
    assert provider.calls_to("only") == 1
    assert execute(service="only", model="other").status_code == 200, "another model is not paused"


def test_a_short_pause_is_waited_for(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("only")
    pauses.pause("only", "alpha", 0.3)
    assert execute(service="only").status_code == 200
    assert pauses.is_empty


def test_a_pause_beyond_the_deadline_is_not_waited_for(service: MakeService, execute: Execute) -> None:
    service("only")
    pauses.pause("only", "alpha", 5)
    assert execute(service="only", timeout_seconds=2).status_code == 429


def test_a_task_that_waits_for_a_pause_can_be_cancelled(
    service: MakeService, execute: Execute, client: APIClient
) -> None:
    service("only")
    pauses.pause("only", "alpha", 60)
    task = execute(service="only", background=True).json()["task_id"]
    wait_until(lambda: Task.objects.get(pk=task).status == "running")
    client.post(f"/api/tasks/{task}/cancel/")
    wait_until(lambda: Task.objects.get(pk=task).status == "cancelled")


def test_a_changed_service_is_not_paused(service: MakeService, execute: Execute) -> None:
    only = service("only")
    assert execute(service="only").status_code == 200
    pauses.pause("only", "alpha", 1800)
    only.timeout_seconds = 77
    only.save()
    assert execute(service="only").status_code == 200


@pytest.mark.parametrize(
    ("status", "body"), [(429, None), (501, None), (400, None), (401, None), (402, None), (404, None), (409, None)]
)
def test_what_says_nothing_about_its_health_opens_no_breaker(
    service: MakeService, execute: Execute, provider: FakeProvider, status: int, body: Any
) -> None:
    service("only")
    provider.misbehave("status", status=status, body=body)
    for _ in range(10):
        pauses.clear()
        execute(service="only")
    assert breakers["only"].state == "closed"
    assert provider.calls_to("only") == 10


@pytest.mark.parametrize(("fault", "details"), [("status", {"status": 529}), ("html", {}), ("reset", {})])
def test_what_says_that_it_is_ill_opens_the_breaker(
    service: MakeService, execute: Execute, provider: FakeProvider, fault: str, details: dict[str, Any]
) -> None:
    service("only")
    provider.misbehave(fault, **details)
    for _ in range(5):
        execute(service="only")
    assert breakers["only"].state == "open"


# An open circuit breaker


def test_an_open_breaker_limits_the_rate_and_says_when_to_come_back(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only")
    provider.misbehave("status", status=500)
    for _ in range(6):
        execute(service="only")
    answer = execute(service="only")
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "1"
    assert "circuit breaker open after repeated failures" in answer.json()["detail"]
    assert provider.calls_to("only") == 6


def test_an_open_breaker_does_not_hide_that_the_service_cannot_be_reached(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only", base_url="http://127.0.0.1:1/v1")
    for _ in range(6):
        execute(service="only")
    detail = execute(service="only").json()["detail"]
    assert detail.startswith("only is currently unhealthy: cannot be reached")
    assert detail.endswith(
        "Check its base_url and that it is running. Its circuit breaker is open after repeated failures. "
        "Try again in 1 s."
    )


@pytest.mark.parametrize(("message", "detail"), [("", "Check the service's API key"), ("Not here.", "403: Not here")])
def test_a_refusal_that_is_not_about_the_key_is_not_said_to_be(
    service: MakeService, execute: Execute, provider: FakeProvider, message: str, detail: str
) -> None:
    service("only")
    provider.misbehave("status", status=403, body={"error": {"message": message}})
    answer = execute(service="only")
    assert (answer.status_code, answer.json()["code"]) == (502, "INVALID_API_KEY")
    assert detail in answer.json()["detail"]
    assert "Invalid API key" not in answer.json()["detail"]


def test_an_only_service_is_back_as_soon_as_its_provider_is(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only")
    provider.misbehave("status", status=500)
    for _ in range(5):
        execute(service="only")
    assert breakers["only"].retry_after > 20
    provider.behave()
    wait_until(lambda: execute(service="only").status_code == 200)
    assert breakers["only"].state == "closed"


# Operations that a service does not have


def test_a_missing_operation_is_not_tried_again_and_others_are(
    service: MakeService, execute: Execute, provider: FakeProvider, default_order: Order, client: APIClient
) -> None:
    default_order(service("first"), service("second"))
    provider.misbehave("status", service="first", times=1, status=501)
    for _ in range(3):
        answer = client.post("/v1/embeddings", {"model": "alpha", "input": "Hm?"}, format="json")
        assert answer.headers["x-oxide-service"] == "second"
    assert provider.calls_to("first") == 1
    assert execute().json()["service_used"] == "first"


def test_a_missing_operation_is_still_called_where_the_service_is_named(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("only")
    provider.misbehave("status", times=1, status=501)
    assert execute(service="only").status_code == 502
    assert execute(service="only").status_code == 200


def test_two_paused_services_are_waited_for_by_the_shorter_pause(
    service: MakeService, execute: Execute, default_order: Order
) -> None:
    default_order(service("long"), service("short"))
    pauses.pause("long", "alpha", math.inf)
    pauses.pause("short", "alpha", 0.3)
    assert execute().json()["service_used"] == "short"


def test_a_provider_without_a_count_of_tokens_is_not_asked_for_it_again(
    service: MakeService, provider: FakeProvider, client: APIClient
) -> None:
    service("only", "anthropic")
    provider.misbehave("status", times=1, status=501)
    body = {"model": "only", "messages": [{"role": "user", "content": "What is quantum computing?"}]}
    for _ in range(3):
        assert client.post("/v1/messages/count_tokens", body, format="json").json()["input_tokens"] > 0
    assert provider.calls_to("only") == 1
