from __future__ import annotations

import threading
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.adapters.base import (
    ChatRequest,
    Connection,
    ErrorKind,
    Feature,
    Finish,
    ImagePart,
    JsonSchema,
    Message,
    ProviderError,
    TextDelta,
    TextPart,
    Tool,
    ToolCallDelta,
)
from services.adapters.call import Call
from services.adapters.echo import EchoAdapter
from services.adapters.estimate import estimate
from services.prices import Cost, CostBasis, cost_of

TOOLS = (Tool("weather"), Tool("time"))


def echo(**options: Any) -> EchoAdapter:
    return EchoAdapter(Connection(service="echo", options=options))


def ask(text: str = "Say it again, please.", **fields: Any) -> ChatRequest:
    return ChatRequest(model="", messages=(Message("user", (TextPart(text),)),), **fields)


def soon() -> Call:
    return Call.within(60)


def streamed_text(adapter: EchoAdapter, request: ChatRequest) -> str:
    return "".join(event.text for event in adapter.stream(request, soon()) if isinstance(event, TextDelta))


def test_it_says_the_last_user_message() -> None:
    messages = (
        Message("user", (TextPart("first"),)),
        Message("assistant", (TextPart("first"),)),
        Message("user", (TextPart("sec"), TextPart("ond"))),
        Message("assistant", (TextPart("answer"),)),
    )

    reply = echo().complete(ChatRequest(model="", messages=messages), soon())

    assert reply.text == "second"
    assert reply.finish_reason == "stop"


def test_a_conversation_without_a_user_has_an_empty_answer() -> None:
    request = ChatRequest(model="", messages=(Message("system", (TextPart("Be kind"),)),))

    assert echo().complete(request, soon()).text == ""
    assert [type(event) for event in echo().stream(request, soon())] == [Finish]


@pytest.mark.parametrize(("asked", "answered"), [("", "echo"), ("echo-large", "echo-large")])
def test_it_answers_as_the_model_that_was_asked(asked: str, answered: str) -> None:
    assert echo().complete(replace(ask(), model=asked), soon()).model == answered


def test_its_count_of_tokens_is_a_report_and_it_costs_nothing() -> None:
    usage = echo().complete(ask("one two three"), soon()).usage

    assert usage.reported
    assert usage.cost == Decimal(0)
    assert usage.completion_tokens == estimate(ask("one two three"), "one two three").completion_tokens > 0
    assert cost_of(usage, model="echo") == Cost(0, CostBasis.REPORTED)


def test_it_stops_at_max_tokens() -> None:
    request = ask("word " * 1000, max_tokens=10)

    reply = echo().complete(request, soon())

    assert reply.finish_reason == "length"
    assert 8 <= reply.usage.completion_tokens <= 10
    assert request.messages[0].text.startswith(reply.text)
    assert streamed_text(echo(), request) == reply.text


def test_enough_max_tokens_change_nothing() -> None:
    reply = echo().complete(ask("one two", max_tokens=100), soon())

    assert (reply.text, reply.finish_reason) == ("one two", "stop")


def test_a_stream_comes_word_by_word() -> None:
    *deltas, finish = echo().stream(ask(" one  two\nthree \n"), soon())

    assert deltas == [TextDelta(" one"), TextDelta("  two"), TextDelta("\nthree"), TextDelta(" \n")]
    assert finish == Finish("stop", echo().complete(ask(" one  two\nthree \n"), soon()).usage, "echo")


def test_an_image_is_mentioned() -> None:
    parts = (TextPart("See "), ImagePart(url="http://localhost/i.png"), TextPart(" there"))

    reply = echo().complete(ChatRequest(model="", messages=(Message("user", parts),)), soon())

    assert reply.text == "See [image] there"


@pytest.mark.parametrize(("choice", "name"), [("required", "weather"), ("time", "time")])
def test_a_tool_that_must_be_called_is_called(choice: str, name: str) -> None:
    request = ask(tools=TOOLS, tool_choice=choice)

    reply = echo().complete(request, soon())
    delta, finish = echo().stream(request, soon())

    assert [(called.name, called.arguments) for called in reply.tool_calls] == [(name, "{}")]
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")
    assert isinstance(delta, ToolCallDelta)
    assert (delta.index, delta.name, delta.arguments) == (0, name, "{}")
    assert delta.id
    assert delta.id != reply.tool_calls[0].id
    assert isinstance(finish, Finish)
    assert finish.reason == "tool_calls"


@pytest.mark.parametrize("choice", ["", "auto", "none"])
def test_a_tool_that_may_be_called_is_not(choice: str) -> None:
    reply = echo().complete(ask("hi", tools=TOOLS, tool_choice=choice), soon())

    assert (reply.text, reply.tool_calls) == ("hi", ())


def test_a_tool_that_does_not_exist_is_the_callers_mistake() -> None:
    with pytest.raises(ProviderError) as caught:
        echo().complete(ask(tools=TOOLS, tool_choice="wether"), soon())

    assert caught.value.kind is ErrorKind.BAD_REQUEST
    assert "weather, time" in caught.value.message


@pytest.mark.parametrize(
    "wish",
    [{"json_schema": JsonSchema("s", {})}, {"json_object": True}, {"needs": frozenset({Feature.OPENAI})}],
    ids=["schema", "object", "protocol"],
)
def test_it_does_not_pretend_to_do_what_an_echo_cannot(wish: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as caught:
        echo().complete(ask(**wish), soon())

    assert caught.value.kind is ErrorKind.UNSUPPORTED
    assert "another service" in caught.value.message


def test_how_to_sample_and_think_means_nothing_to_it() -> None:
    settings: dict[str, Any] = {
        "top_p": 0.5,
        "seed": 1,
        "presence_penalty": 1.0,
        "effort": "high",
        "parallel_tool_calls": False,
    }
    assert echo().complete(ask(**settings), soon()) == echo().complete(ask(), soon())


def test_an_answer_takes_its_delay() -> None:
    began = time.monotonic()

    echo(delay_seconds=0.2).complete(ask(), soon())

    assert time.monotonic() - began >= 0.19


def test_a_stream_spreads_its_delay_over_the_words() -> None:
    began = time.monotonic()
    events = echo(delay_seconds=0.4).stream(ask("one two three four"), soon())

    next(events)
    first = time.monotonic() - began
    list(events)

    assert first >= 0.09
    assert time.monotonic() - began >= first + 0.28


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_deadline_before_the_answer_is_a_timeout(seconds: float) -> None:
    with pytest.raises(ProviderError) as caught:
        echo(delay_seconds=60).complete(ask(), Call.within(seconds))

    assert caught.value.kind is ErrorKind.TIMEOUT


def test_a_cancel_wakes_a_waiting_answer() -> None:
    call = soon()
    canceller = threading.Timer(0.1, call.cancel.cancel)
    canceller.start()

    with pytest.raises(ProviderError) as caught:
        echo(delay_seconds=600).complete(ask(), call)

    assert caught.value.kind is ErrorKind.CANCELLED


def test_a_cancelled_stream_keeps_what_was_said() -> None:
    call = soon()
    events = echo().stream(ask("one two three"), call)
    next(events)

    call.cancel.cancel()

    with pytest.raises(ProviderError) as caught:
        next(events)
    assert caught.value.kind is ErrorKind.CANCELLED
    assert caught.value.partial
    assert caught.value.partial.text == "one"
    assert caught.value.partial.usage.completion_tokens > 0


def test_it_lists_one_model() -> None:
    assert echo().models(soon()) == list(echo().check(soon()).models) == ["echo"]
