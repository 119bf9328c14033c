"""POST /api/tasks/execute/"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from routing.models import RoutingRule
from services.models import Service
from tasks.models import Task
from tests.fake_provider import FakeProvider, Tokens
from tests.tasks.conftest import Execute

MakeService = Callable[..., Service]
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def test_it_answers_in_the_shape_of_the_contract(service: MakeService, execute: Execute) -> None:
    service("ollama_local", "ollama", input_price=0, output_price=0)
    body = execute(service="ollama_local", task_type="question_answer", max_tokens=500, temperature=0.7).json()
    contract = {
        "task_id": str,
        "status": str,
        "result": str,
        "execution_time": float,
        "service_used": str,
        "model_used": str,
        "tokens_used": int,
        "cost": float,
    }
    assert {name: type(body[name]) for name in contract} == contract
    assert body["status"] == "completed"


def test_what_was_asked_reaches_the_provider(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("mine")
    execute(
        service="mine", model="beta", max_tokens=7, temperature=0.5, stop="END", parameters={"seed": 4, "top_p": 0.9}
    )
    sent = provider.requests[-1].json
    assert sent["model"] == "beta"
    assert sent["messages"] == [{"role": "user", "content": "What is quantum computing?"}]
    assert (sent["max_tokens"], sent["temperature"], sent["stop"]) == (7, 0.5, ["END"])
    assert (sent["seed"], sent["top_p"]) == (4, 0.9)


def test_messages_are_accepted_instead_of_a_prompt(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("mine")
    execute(
        service="mine",
        messages=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                ],
            },
        ],
    )
    system, user = provider.requests[-1].json["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    task = Task.objects.get()
    assert task.prompt == "What is this?"
    assert PIXEL not in str(task.messages)


def test_a_tool_call_comes_back(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("mine", "anthropic")
    provider.say(text="", tool_calls=(("weather", {"city": "Oslo"}),))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    body = execute(service="mine", tools=[tool], tool_choice="required").json()
    (call,) = body["tool_calls"]
    assert (call["name"], call["arguments"].replace(" ", "")) == ("weather", '{"city":"Oslo"}')
    assert body["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "call",
    [
        {"id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
    ],
    ids=["as Oxide answers", "as OpenAI writes it"],
)
def test_a_tool_call_is_sent_back(
    service: MakeService, execute: Execute, provider: FakeProvider, call: dict[str, Any]
) -> None:
    service("mine")
    conversation = [
        {"role": "user", "content": "How is the weather in Oslo?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
    ]
    assert execute(service="mine", messages=conversation).status_code == 200
    (sent,) = provider.requests[-1].json["messages"][1]["tool_calls"]
    assert (sent["id"], sent["function"]) == ("call_1", {"name": "weather", "arguments": '{"city": "Oslo"}'})


def test_the_tool_calls_of_an_answer_can_be_sent_back_as_they_came(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("mine")
    provider.say(text="", tool_calls=(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})))
    tool = {"type": "function", "function": {"name": "weather"}}
    calls = execute(service="mine", tools=[tool]).json()["tool_calls"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "Rain"} for call in calls]
    question = {"role": "user", "content": "How is the weather?"}
    execute(service="mine", messages=[question, {"role": "assistant", "tool_calls": calls}, *results])
    sent = provider.requests[-1].json["messages"][1]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in sent] == [
        (call["id"], call["arguments"]) for call in calls
    ]


def test_tokens_and_cost_are_those_of_the_provider(
    service: MakeService, execute: Execute, provider: FakeProvider
) -> None:
    service("mine")
    provider.say(tokens=Tokens(prompt=1000, completion=200, cached=600, reasoning=50, cost=0.0123))
    body = execute(service="mine").json()
    assert body["tokens_used"] == 1200
    assert (body["usage"]["cached_tokens"], body["usage"]["reasoning_tokens"]) == (600, 50)
    assert (body["cost"], body["cost_basis"]) == (0.0123, "reported")


def test_an_attempt_shows_what_else_decided_its_price(
    service: MakeService, execute: Execute, provider: FakeProvider, client: APIClient
) -> None:
    service("mine", "anthropic", input_price=3, output_price=15, cache_write_price=Decimal("3.75"), request_price=1)
    provider.say(tokens=Tokens(prompt=1000, completion=10, cache_write=500, cache_write_1h=400))

    task = execute(service="mine").json()["task_id"]

    (attempt,) = client.get(f"/api/tasks/{task}/").json()["attempts"]
    assert attempt["usage_details"] == {"cache_write_1h_tokens": 400}
    assert attempt["cost"] == 1 + (500 * 3 + 100 * 3.75 + 400 * 6 + 10 * 15) / 10**6


def test_an_attempt_at_the_usual_price_has_no_details(
    service: MakeService, execute: Execute, client: APIClient
) -> None:
    service("mine")
    (attempt,) = client.get(f"/api/tasks/{execute(service='mine').json()['task_id']}/").json()["attempts"]
    assert attempt["usage_details"] == {}


def test_an_unknown_price_is_no_price_of_zero(service: MakeService, execute: Execute) -> None:
    service("mine")
    body = execute(service="mine").json()
    assert (body["cost"], body["cost_basis"]) == (None, "unknown")


def test_a_task_without_a_type_is_classified(service: MakeService, execute: Execute) -> None:
    service("mine")
    body = execute(prompt="Translate 'good morning' into French.", service="mine").json()
    assert body["task_type"] == "translation"
    assert Task.objects.get().confidence is not None


def test_a_rule_decides_where_a_type_goes(
    service: MakeService, execute: Execute, default_order: Callable[..., None]
) -> None:
    service("special", "gemini")
    default_order(service("usual"))
    RoutingRule.objects.create(id="mine", task_type="translation", service=Service.objects.get(name="special"))
    assert execute(task_type="translation").json()["service_used"] == "special"
    assert execute(task_type="chat").json()["service_used"] == "usual"
    assert execute(task_type="chat", service="auto").json()["service_used"] == "usual"


def test_an_unknown_service_is_refused_with_the_known_ones(service: MakeService, execute: Execute) -> None:
    service("first")
    service("second")
    answer = execute(service="third")
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert "first" in answer.json()["detail"]
    assert "second" in answer.json()["detail"]
    assert not Task.objects.exists()


def test_a_service_that_cannot_do_it_says_so_before_anything_is_recorded(
    execute: Execute, transactional_db: None
) -> None:
    Service.objects.create(name="program", type="cli", command=["cat"])
    tool = {"type": "function", "function": {"name": "weather"}}
    answer = execute(service="program", tools=[tool])
    assert answer.status_code == 400
    assert answer.json()["detail"] == "program cannot call tools."
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "  \n"}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"task_type": "poetry"}, "task_type"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"promt": "a slip"}, "promt"),
        ({"api_base": "http://evil"}, "api_base"),
        ({"messages": [{"role": "user", "content": "Both?"}]}, "prompt"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        ({"tool_choice": {"type": "function", "function": {"name": "none_such"}}}, "none_such"),
        ({"stop": [1]}, "stop"),
        ({"background": "yes"}, "background"),
    ],
)
def test_a_body_with_a_mistake_is_refused_by_the_fields_name(
    execute: Execute, transactional_db: None, change: dict[str, Any], named: str
) -> None:
    answer = execute(**{"prompt": "Fine.", "service": "echo", **change})
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert named in answer.json()["detail"]
    assert not Task.objects.exists()


CALLED = {"name": "weather", "arguments": "{}"}


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"name": "weather"},
        {"arguments": "{}"},
        {**CALLED, "function": CALLED},
        {"name": "weather", "function": CALLED},
        {"arguments": "{}", "function": CALLED},
    ],
)
def test_a_tool_call_of_no_shape_or_of_two_is_refused_by_its_place(
    execute: Execute, transactional_db: None, call: dict[str, Any]
) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [{"id": "call_1", **call}]}]
    answer = execute(messages=messages, service="echo")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("messages[1].tool_calls[0]: send either function")


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        ([], "role"),
        ([{"role": "system", "content": "Only this."}], "role"),
        ([{"role": "narrator", "content": "Hm."}], "messages[0].role"),
        ([{"role": "user", "content": [{"type": "audio"}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": "Hi"}, {"role": "tool", "content": "5"}], "messages[1].tool_call_id"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}],
            "messages[0].content[0].image_url.url",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}]}],
            "base64",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,é"}}]}],
            "base64",
        ),
    ],
)
def test_a_conversation_with_a_mistake_is_refused_by_its_place(
    execute: Execute, transactional_db: None, messages: list[dict[str, Any]], named: str
) -> None:
    answer = execute(messages=messages, service="echo")
    assert answer.status_code == 400
    assert named in answer.json()["detail"]


def test_what_cannot_be_stored_is_replaced(service: MakeService, execute: Execute, provider: FakeProvider) -> None:
    service("mine")
    provider.say(text="a\x00b")
    assert execute(service="mine").json()["result"] == "a\ufffdb"


def test_a_background_task_is_accepted_at_once_and_found_later(
    service: MakeService, execute: Execute, provider: FakeProvider, client: Any
) -> None:
    from tests.waiting import wait_until

    service("mine")
    provider.misbehave("slow", seconds=0.5)
    answer = execute(service="mine", background=True)
    assert answer.status_code == 202
    address = f"/api/tasks/{answer.json()['task_id']}/"
    assert client.get(address).json()["status"] in ("queued", "running")
    wait_until(lambda: client.get(address).json()["status"] == "completed")
    assert client.get(address).json()["result"].startswith("Quantum computing")
