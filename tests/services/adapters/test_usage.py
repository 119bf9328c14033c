"""How usage objects are read and merged, whatever vendor they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.adapters.anthropic_usage import anthropic_usage
from services.adapters.arrived import StreamReader
from services.adapters.base import ChatRequest, Connection, Message, TextPart, Usage
from services.adapters.estimate import completed
from services.adapters.gemini_usage import gemini_usage, with_searches
from services.adapters.http import HttpAdapter
from services.adapters.openai_usage import openai_usage
from services.adapters.registry import adapter_class
from services.adapters.usage import UsageMeter, count, dollars

REQUEST = ChatRequest("alpha", (Message("user", (TextPart("x" * 40),)),))
XAI = "https://api.x.ai/v1"


def adapter(api: str, base_url: str = "http://localhost") -> HttpAdapter:
    made = adapter_class(api)(Connection(service="vendor", base_url=base_url))
    assert isinstance(made, HttpAdapter)
    return made


def read(api: str, events: Sequence[Mapping[str, Any]]) -> StreamReader:
    reader = adapter(api).reader(REQUEST)
    for event in events:
        list(reader.read(json.dumps(event).encode()))
    return reader


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12),
        (12.0, 12),
        ("12", 12),
        (" 12.0 ", 12),
        ("twelve", 0),
        ("", 0),
        ("nan", 0),
        ("inf", 0),
        (float("inf"), 0),
        (-1, 0),
        (True, 0),
        (None, 0),
        ([12], 0),
        ({"tokens": 12}, 0),
        (10**13, 0),
    ],
)
def test_a_count_may_be_written_in_any_way(value: object, expected: int) -> None:
    assert count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, Decimal(0)),
        (0.00014, Decimal("0.00014")),
        ("0.00014", Decimal("0.00014")),
        (1e-9, Decimal("0.000000001")),
        (-1, None),
        ("free", None),
        (True, None),
        (None, None),
        (1e9, None),
        ("NaN", None),
    ],
)
def test_an_amount_may_be_a_number_or_a_text(value: object, expected: Decimal | None) -> None:
    assert dollars(value) == expected


def test_what_is_missing_null_or_zero_keeps_its_earlier_value() -> None:
    meter = UsageMeter(openai_usage)
    meter.add({"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}})
    meter.add({"prompt_tokens": 0, "completion_tokens": 20, "prompt_tokens_details": {"audio_tokens": 0}})
    meter.add({"completion_tokens": None, "prompt_tokens_details": None})

    assert meter.usage == Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=60)


def test_a_later_value_replaces_an_earlier_one() -> None:
    meter = UsageMeter(openai_usage)
    for tokens in (0, 3, 7):
        meter.add({"prompt_tokens": 10, "completion_tokens": tokens})
        assert meter.usage
        assert meter.usage.completion_tokens == tokens


@pytest.mark.parametrize("odd", [None, 7, "much", [], ["prompt_tokens"], {}])
def test_odd_usage_counts_as_none(odd: object) -> None:
    meter = UsageMeter(openai_usage)
    meter.add(odd)
    meter.add_choice(0, odd)
    assert meter.usage is None


def test_usage_is_read_once_for_a_whole_stream() -> None:
    reads: list[Mapping[str, Any]] = []

    def reading(raw: Mapping[str, Any]) -> Usage | None:
        reads.append(raw)
        return openai_usage(raw)

    meter = UsageMeter(reading)
    for tokens in range(1, 100):
        meter.add({"prompt_tokens": 10, "completion_tokens": tokens})

    assert meter.usage is meter.usage
    assert len(reads) == 1


def test_the_usage_of_several_choices_adds_up_what_was_written() -> None:
    meter = UsageMeter(openai_usage)
    for index, tokens in enumerate((20, 30)):
        meter.add_choice(index, {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens})
    assert meter.usage == Usage(prompt_tokens=100, completion_tokens=50)

    meter.add({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
    assert meter.usage == Usage(prompt_tokens=100, completion_tokens=50)

    meter.add({"prompt_tokens": 100, "completion_tokens": 51, "total_tokens": 151})
    assert meter.usage == Usage(prompt_tokens=100, completion_tokens=51)


@pytest.mark.parametrize(
    ("raw", "base_url", "expected"),
    [
        # Within the completion, as the total says.
        ({"completion_tokens": 300, "total_tokens": 400, "reasoning_tokens": 200}, "", 300),
        # Beside it, as the total says, where reasoning is the smaller part and where it is the greater one.
        ({"completion_tokens": 300, "total_tokens": 600, "reasoning_tokens": 200}, "", 500),
        ({"completion_tokens": 300, "total_tokens": 2400, "reasoning_tokens": 2000}, "", 2300),
        # Without a total: more reasoning than completion cannot be within it.
        ({"completion_tokens": 300, "reasoning_tokens": 2000}, "", 2300),
        ({"completion_tokens": 300, "reasoning_tokens": 200}, "", 300),
        # Without a total the vendor's documents decide, and not where it has one.
        ({"completion_tokens": 300, "reasoning_tokens": 200}, XAI, 500),
        ({"completion_tokens": 300, "total_tokens": 400, "reasoning_tokens": 200}, XAI, 300),
        # A total of an earlier event of the stream says nothing.
        ({"completion_tokens": 300, "total_tokens": 150, "reasoning_tokens": 200}, XAI, 500),
        # All of the answer was thinking.
        ({"completion_tokens": 0, "total_tokens": 300, "reasoning_tokens": 200}, "", 200),
    ],
)
def test_reasoning_is_counted_once(raw: dict[str, int], base_url: str, expected: int) -> None:
    named = {"prompt_tokens": 100, **raw}
    nested = {**named, "completion_tokens_details": {"reasoning_tokens": named.pop("reasoning_tokens")}}
    found = openai_usage(nested, base_url)
    assert found
    assert (found.prompt_tokens, found.completion_tokens) == (100, expected)
    assert found.reasoning_tokens == raw["reasoning_tokens"]


@pytest.mark.parametrize(
    ("raw", "prompt", "cached"),
    [
        ({"prompt_tokens": 1000, "total_tokens": 1010, "cached_tokens": 900}, 1000, 900),
        ({"prompt_tokens": 1000, "prompt_cache_hit_tokens": 900}, 1000, 900),
        ({"prompt_tokens": 1000, "cache_read_input_tokens": 900}, 1000, 900),
        ({"prompt_tokens": 100, "cache_read_input_tokens": 900}, 1000, 900),
        ({"prompt_tokens": 1000, "total_tokens": 1910, "cache_read_input_tokens": 900}, 1900, 900),
        ({"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 900}}, 1000, 900),
        ({"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 900}, 1000, 900),
    ],
)
def test_cached_tokens_are_found_in_each_vendors_field(raw: dict[str, Any], prompt: int, cached: int) -> None:
    found = openai_usage({"completion_tokens": 10, **raw})
    assert found == Usage(prompt_tokens=prompt, completion_tokens=10, cached_tokens=cached)


def test_reasoning_and_cached_tokens_may_both_be_beside_the_sums() -> None:
    found = openai_usage(
        {
            "prompt_tokens": 100,
            "completion_tokens": 30,
            "total_tokens": 1050,
            "cache_read_input_tokens": 900,
            "reasoning_tokens": 20,
        }
    )
    assert found == Usage(prompt_tokens=1000, completion_tokens=50, cached_tokens=900, reasoning_tokens=20)


def test_a_total_alone_is_not_lost() -> None:
    assert openai_usage({"total_tokens": 7}) == Usage(prompt_tokens=7)
    assert openai_usage({"prompt_tokens": 5, "total_tokens": 7}) == Usage(prompt_tokens=5, completion_tokens=2)


@pytest.mark.parametrize("tier", [None, "", "default", "auto", "standard", "on_demand", 7])
def test_the_usual_tier_is_no_term(tier: object) -> None:
    found = openai_usage({"prompt_tokens": 1, "service_tier": tier})
    assert found
    assert found.terms == ()


def test_the_tier_of_a_stream_is_named_beside_its_usage() -> None:
    reader = read(
        "openai",
        [
            {"choices": [{"index": 0, "delta": {"content": "Hi"}}], "service_tier": "flex"},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "service_tier": "flex"},
            {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1}},
        ],
    )
    assert reader.end.usage.terms == (("service_tier", "flex"),)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"cost": 0.0002}, Decimal("0.0002")),
        ({"cost": "0.0002"}, Decimal("0.0002")),
        ({"cost": 0, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.5}}, Decimal(0)),
        ({"cost": 0.1, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, Decimal("0.6")),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": {"total_cost": 0.006, "request_cost": 0.005}}, Decimal("0.006")),
        ({"cost_in_usd_ticks": 37_756_000}, Decimal("0.0037756")),
        ({"estimated_cost": 0.1}, None),
        ({"cost": None}, None),
        ({"cost": "free"}, None),
    ],
)
def test_what_the_provider_charged(raw: dict[str, Any], expected: Decimal | None) -> None:
    found = openai_usage({"prompt_tokens": 10, "completion_tokens": 1, **raw})
    assert found
    assert found.cost == expected


def test_a_cost_without_tokens_is_kept() -> None:
    raw = {"prompt_tokens": 0, "completion_tokens": 0, "cost": 0.01}
    assert completed(openai_usage(raw), REQUEST, "x" * 8) == Usage(10, 2, reported=False, cost=Decimal("0.01"))
    assert openai_usage({**raw, "cost": 0}) is None


def test_an_answer_cut_after_a_running_total_is_not_taken_for_the_whole_cost() -> None:
    usage = {"prompt_tokens": 50, "completion_tokens": 1, "total_tokens": 51, "cost": 0.001}
    reader = read("openai", [{"choices": [{"index": 0, "delta": {"content": "x" * 40}}], "usage": usage}])

    assert reader.partial
    found = reader.partial.usage
    assert found == Usage(50, 10, reported=False, estimated_cost=Decimal("0.001"))


def test_anthropics_last_event_may_repeat_zeros() -> None:
    start = {"input_tokens": 30, "cache_read_input_tokens": 900, "output_tokens": 1}
    end = {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 12}
    reader = read(
        "anthropic",
        [
            {"type": "message_start", "message": {"content": [], "usage": start}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
            {"type": "message_stop"},
        ],
    )
    assert reader.end.usage == Usage(prompt_tokens=930, completion_tokens=12, cached_tokens=900)


def test_geminis_last_event_may_leave_counts_out() -> None:
    parts = {"content": {"parts": [{"text": "Hi"}]}}
    reader = read(
        "gemini",
        [
            {"candidates": [parts], "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}},
            {"candidates": [parts], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 20}},
            {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 9}},
        ],
    )
    assert reader.end.usage == Usage(prompt_tokens=9, completion_tokens=20)


def test_writes_by_lifetime_make_up_for_a_missing_sum() -> None:
    raw = {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
    }
    assert anthropic_usage(raw) == Usage(20, 1, cache_write_tokens=10, cache_write_1h_tokens=6)


def test_anthropics_protocol_may_name_the_cost_too() -> None:
    raw = {"input_tokens": 10, "output_tokens": 1, "cost": 0.1, "is_byok": True}
    found = anthropic_usage({**raw, "cost_details": {"upstream_inference_cost": 0.5}})
    assert found == Usage(10, 1, cost=Decimal("0.6"))


def test_a_server_may_count_cached_tokens_within_anthropics_input() -> None:
    raw = {"input_tokens": 1000, "cache_read_input_tokens": 900, "output_tokens": 10}
    assert anthropic_usage({**raw, "total_tokens": 1010}) == Usage(1000, 10, cached_tokens=900)
    assert anthropic_usage({**raw, "total_tokens": 1910}) == Usage(1900, 10, cached_tokens=900)


@pytest.mark.parametrize(
    "odd",
    [
        {"iterations": "none"},
        {"iterations": [None, 7, {"type": "compaction", "input_tokens": None}]},
        {"cache_creation": []},
        {"server_tool_use": None},
        {"service_tier": 7, "speed": None, "inference_geo": []},
    ],
)
def test_odd_parts_of_anthropics_usage_are_passed_over(odd: dict[str, Any]) -> None:
    assert anthropic_usage({"input_tokens": 10, "output_tokens": 1, **odd}) == Usage(10, 1)


@pytest.mark.parametrize(
    "odd",
    [{"promptTokensDetails": "all"}, {"candidatesTokensDetails": [None, {}, {"modality": 7}]}, {"serviceTier": 7}],
)
def test_odd_parts_of_geminis_usage_are_passed_over(odd: dict[str, Any]) -> None:
    assert gemini_usage({"promptTokenCount": 10, "candidatesTokenCount": 1, **odd}) == Usage(10, 1)


@pytest.mark.parametrize(
    ("model", "grounding", "searches"),
    [
        ("gemini-2.5-pro", {"webSearchQueries": ["a", "b", "c"]}, 1),
        ("gemini-3-pro-preview", {"webSearchQueries": ["a", "", "c"]}, 2),
        (None, {"webSearchQueries": ["a"]}, 1),
        ("gemini-2.5-pro", {"webSearchQueries": []}, 0),
        ("gemini-2.5-pro", {"webSearchQueries": "a"}, 0),
        ("gemini-2.5-pro", [], 0),
    ],
)
def test_geminis_searches_stand_beside_its_usage(model: str | None, grounding: object, searches: int) -> None:
    found = gemini_usage(with_searches({"promptTokenCount": 10}, grounding, model))
    assert found
    assert found.searches == searches


def test_thoughts_within_the_answer_are_counted_once() -> None:
    raw = {"promptTokenCount": 10, "candidatesTokenCount": 30, "thoughtsTokenCount": 20}
    assert gemini_usage({**raw, "totalTokenCount": 40}) == Usage(10, 30, reasoning_tokens=20)
    assert gemini_usage({**raw, "totalTokenCount": 60}) == Usage(10, 50, reasoning_tokens=20)
    assert gemini_usage(raw) == Usage(10, 50, reasoning_tokens=20)


def test_a_side_that_the_provider_left_out_is_estimated() -> None:
    counted = Usage(completion_tokens=7, cached_tokens=0)
    assert completed(counted, REQUEST, "x" * 8) == Usage(10, 7, reported=False)
    assert completed(Usage(prompt_tokens=9), REQUEST, "x" * 8) == Usage(9, 2, reported=False)
    assert completed(Usage(prompt_tokens=9), REQUEST, "") == Usage(prompt_tokens=9)
    assert completed(replace(counted, prompt_tokens=9), REQUEST, "x" * 8) == Usage(9, 7)
