"""Every call of both clients, against a live Oxide."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from oxide_client import (
    AsyncOxide,
    DeadlineError,
    NotFoundError,
    Oxide,
    OxideError,
    ProviderError,
    ValidationError,
    answers,
)
from tests import canary
from tests.clients.python.driving import Make
from tests.clients.python.shapes import misfits
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until

PROMPT = "What is quantum computing?"
KEY = canary.provider_key("client-test")
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}}}


# Each is answered in the shape that its type says.
CALLS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "execute_task": (lambda oxide: oxide.execute_task(PROMPT), answers.TaskAnswer),
    "execute_task in the background": (lambda oxide: oxide.execute_task(PROMPT, background=True), answers.TaskAccepted),
    "get_history": (lambda oxide: _after_a_task(oxide).get_history(limit=3), answers.HistoryPage),
    "export_history": (lambda oxide: _after_a_task(oxide).export_history(status="completed"), answers.Export),
    "get_task": (lambda oxide: oxide.get_task(oxide.execute_task(PROMPT)["task_id"]), answers.TaskDetail),
    "list_services": (lambda oxide: oxide.list_services(), answers.ServiceList),
    "get_service": (lambda oxide: oxide.get_service("first"), answers.ServiceDetail),
    "test_service": (lambda oxide: oxide.test_service("first"), answers.ServiceTested),
    "list_models": (lambda oxide: oxide.list_models("first"), answers.ModelList),
    "enable_service": (lambda oxide: oxide.enable_service("first"), answers.ServiceDetail),
    "list_rules": (lambda oxide: oxide.list_rules(), answers.RuleList),
    "get_rule": (lambda oxide: oxide.get_rule("rule-1"), answers.Rule),
    "explain_task": (lambda oxide: oxide.explain_task(PROMPT), answers.Explanation),
    "get_metrics": (lambda oxide: oxide.get_metrics(), answers.Metrics),
    "get_stats": (lambda oxide: oxide.get_stats("1h"), answers.Stats),
    "get_series": (lambda oxide: _after_a_task(oxide).get_series(), answers.Series),
    "get_costs": (lambda oxide: _after_a_task(oxide).get_costs("service", 7), answers.Costs),
    "get_health": (lambda oxide: oxide.get_health(), answers.Health),
    "get_readiness": (lambda oxide: oxide.get_readiness(), answers.Readiness),
    "list_keys": (lambda oxide: oxide.list_keys(), answers.KeyStatusList),
    "get_key": (lambda oxide: oxide.get_key("keyed"), answers.KeyStatus),
    "test_key": (lambda oxide: oxide.test_key("keyed", KEY), answers.KeyTested),
    "test_key in force": (lambda oxide: oxide.test_key("keyed"), answers.KeyTested),
    "update_key": (lambda oxide: oxide.update_key("keyed", KEY), answers.KeyUpdated),
    "list_client_keys": (lambda oxide: oxide.list_client_keys(), answers.ClientKeyList),
    "get_config": (lambda oxide: oxide.get_config(), answers.Configuration),
    "reload_config": (lambda oxide: oxide.reload_config(), answers.Reloaded),
    "get_me": (lambda oxide: oxide.get_me(), answers.Me),
}


def _after_a_task(oxide: Any) -> Any:
    oxide.execute_task(PROMPT)
    return oxide


@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_answered_as_its_type_says(oxide: Any, name: str) -> None:
    call, expected = CALLS[name]
    assert misfits(call(oxide), expected) == []


def test_both_clients_have_the_same_calls_with_the_same_arguments() -> None:
    def surface(kind: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in methods if not name.startswith("_")}

    assert surface(Oxide) == surface(AsyncOxide)
    assert inspect.signature(Oxide) == inspect.signature(AsyncOxide)


def test_a_task_is_executed_as_the_contracts_client_does_it(oxide: Any, provider: FakeProvider) -> None:
    answer = oxide.execute_task("Explain quantum computing", task_type="question_answer")
    assert (answer["status"], answer["result"], answer["service_used"]) == ("completed", TEXT, "first")
    assert answer["task_type"] == "question_answer"
    assert provider.last_call().json["messages"] == [{"role": "user", "content": "Explain quantum computing"}]


def test_without_a_type_a_task_is_general_and_with_none_it_is_classified(oxide: Any) -> None:
    assert oxide.execute_task("Translate this to French: hello")["task_type"] == "general"
    assert oxide.execute_task("Translate this to French: hello", None)["task_type"] == "translation"


def test_every_option_of_a_task_arrives(oxide: Any, provider: FakeProvider) -> None:
    answer = oxide.execute_task(
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        task_type="chat",
        service="second",
        model="beta",
        max_tokens=50,
        temperature=0.5,
        stop=["END"],
        tools=[WEATHER],
        tool_choice="auto",
        parameters={"seed": 7},
        timeout_seconds=20,
    )
    assert (answer["service_used"], answer["task_type"]) == ("second", "chat")
    sent = provider.last_call("second").json
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert (sent["model"], sent["temperature"], sent["stop"], sent["seed"]) == ("beta", 0.5, ["END"], 7)
    assert 50 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    assert sent["tools"][0]["function"]["name"] == "get_weather"
    assert oxide.get_task(answer["task_id"])["requested_service"] == "second"
    oxide.execute_task("A city", response_format=SCHEMA)
    assert provider.last_call().json["response_format"]["type"] == "json_schema"


def test_an_option_that_is_not_there_is_refused_by_its_name(oxide: Any) -> None:
    with pytest.raises(ValidationError, match="tempersture"):
        oxide.execute_task("Hello", tempersture=1)
    with pytest.raises(TypeError, match="stream_task"):
        oxide.execute_task("Hello", stream=True)


def test_a_task_in_the_background_is_waited_for(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("slow", service="first", seconds=0.5, times=1)
    accepted = oxide.execute_task(PROMPT, background=True)
    task = oxide.wait_for_task(accepted["task_id"])
    assert (task["status"], task["result"], task["service_used"]) == ("completed", TEXT, "first")
    assert misfits(task, answers.TaskDetail) == []


def test_waiting_for_a_task_that_fails_raises_its_error(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("status", service="first", status=500)
    accepted = oxide.execute_task(PROMPT, service="first", background=True)
    with pytest.raises(ProviderError) as caught:
        oxide.wait_for_task(accepted["task_id"])
    assert caught.value.task_id == accepted["task_id"]
    assert [attempt["service"] for attempt in caught.value.attempts] == ["first"]


def test_who_waits_no_longer_leaves_the_task_alone_and_can_call_it_off(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("hang", service="first")
    accepted = oxide.execute_task(PROMPT, service="first", background=True)
    with pytest.raises(DeadlineError, match="goes on") as caught:
        oxide.wait_for_task(accepted["task_id"], timeout=0.3)
    assert caught.value.task_id == accepted["task_id"]
    assert oxide.get_task(accepted["task_id"])["status"] == "running"
    assert misfits(oxide.cancel_task(accepted["task_id"]), answers.TaskCancelling) == []
    assert oxide.wait_for_task(accepted["task_id"])["status"] == "cancelled"
    with pytest.raises(ValidationError, match="cancelled already"):
        oxide.cancel_task(accepted["task_id"])


def test_who_stops_waiting_for_an_answer_calls_the_task_off(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("hang", service="first")
    with pytest.raises(DeadlineError, match="calls the task off"):
        oxide.execute_task(PROMPT, service="first", timeout=0.5)
    wait_until(lambda: provider.hangups == 1)
    wait_until(lambda: oxide.get_history(limit=1)["tasks"][0]["status"] == "cancelled")


def test_the_history_is_searched(oxide: Any, provider: FakeProvider) -> None:
    before = datetime.now(UTC)
    done = oxide.execute_task("A needle in it", service="second", task_type="analysis")
    provider.misbehave("status", service="first", status=500)
    with pytest.raises(ProviderError):
        oxide.execute_task("Another needle", service="first")
    found = oxide.get_history(status="completed", service="second", task_type="analysis", created_after=before)
    assert [task["id"] for task in found["tasks"]] == [done["task_id"]]
    assert oxide.get_history(search="needle", created_after=before)["total"] == 2
    exported = oxide.export_history(search="needle", created_after=before)["tasks"]
    assert [task["prompt"] for task in exported] == ["Another needle", "A needle in it"]
    page = oxide.get_history(search="needle", created_after=before, limit=1, offset=1)
    assert [task["id"] for task in page["tasks"]] == [done["task_id"]]
    assert oxide.get_history(created_before="2020-01-01T00:00:00Z")["total"] == 0
    with pytest.raises(ValueError, match="time zone"):
        oxide.get_history(created_after=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


def test_rules_are_made_changed_and_deleted(oxide: Any) -> None:
    made = oxide.create_rule(task_type="analysis", service="second", priority=5, note="ours")
    assert misfits(made, answers.Rule) == []
    assert oxide.execute_task(PROMPT, "analysis")["service_used"] == "second"
    changed = oxide.update_rule(made["id"], service="first", enabled=False)
    assert (changed["service"], changed["enabled"], changed["priority"]) == ("first", False, 5)
    assert oxide.get_rule(made["id"]) == changed
    assert oxide.delete_rule(made["id"]) is None
    with pytest.raises(NotFoundError):
        oxide.get_rule(made["id"])
    named = oxide.create_rule("mine", task_type="analysis", service="second")
    assert [rule["id"] for rule in oxide.list_rules()["rules"]] == ["mine", "rule-1"]
    oxide.delete_rule(named["id"])


def test_a_rule_for_a_service_that_is_not_there_is_refused_with_those_there_are(oxide: Any) -> None:
    with pytest.raises(ValidationError, match="Known: first"):
        oxide.create_rule(task_type="chat", service="nobody")


def test_it_is_explained_who_would_do_a_task(oxide: Any) -> None:
    told = oxide.explain_task("Hello there", "chat", max_tokens=10)
    assert [each["service"] for each in told["candidates"]] == ["second", "first"]
    assert (told["candidates"][0]["rule"], told["estimate"]["completion_tokens"]) == ("rule-1", 10)


def test_services_are_switched(oxide: Any) -> None:
    assert oxide.disable_service("second")["enabled"] is False
    with pytest.raises(OxideError, match="second"):
        oxide.execute_task(PROMPT, service="second")
    assert oxide.enable_service("second")["enabled"] is True


def test_keys_of_providers_are_tested_and_kept(oxide: Any) -> None:
    tested = oxide.test_key("keyed", KEY)
    assert (tested["success"], tested["valid"]) == (True, True)
    kept = oxide.update_key("keyed", KEY)
    assert (kept["stored_in"], kept["in_force"]) == ("file", True)
    assert oxide.get_key("keyed")["key_preview"] == kept["key_preview"]
    assert list(oxide.list_keys()["services"]) == ["keyed", "keyless"]


def test_a_name_is_one_part_of_an_address_whatever_is_in_it(oxide: Any) -> None:
    for name in ("no/such", "no such?", "%2e%2e", "nö"):
        with pytest.raises(NotFoundError):
            oxide.get_service(name)
    with pytest.raises(ValidationError):
        oxide.get_service("..")


def test_a_time_of_nothing_is_refused(oxide: Any) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        oxide.execute_task(PROMPT, timeout=0)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", "http://x/?a=b"])
def test_an_address_that_is_none_is_refused(make: Make, url: str) -> None:
    with pytest.raises(ValueError, match="http://localhost"):
        make(url)


def test_a_client_is_used_from_one_event_loop_after_the_other(live: LiveOxide) -> None:
    import asyncio

    client = AsyncOxide(live.url)

    async def once() -> str:
        try:
            return (await client.execute_task("Hello", service="echo"))["result"]
        finally:
            await client.close()

    assert [asyncio.run(once()) for _ in range(2)] == ["Hello", "Hello"]
