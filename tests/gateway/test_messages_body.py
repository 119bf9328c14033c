"""What Anthropic's clients send, read into a task."""

from __future__ import annotations

from typing import Any

import pytest

from apikeys.decoding import BodyError
from gateway import messages_body
from gateway.messages_body import OUR_SIGNATURE
from services.adapters.base import ChatRequest, Feature, FilePart, ImagePart, Message, TextPart, ToolCall

pytestmark = pytest.mark.django_db

ASKED = [{"role": "user", "content": "Why?"}]


def read(**fields: Any) -> ChatRequest:
    raw = {"model": "auto", "max_tokens": 9, "messages": ASKED, **fields}
    headers = {"anthropic-beta": "b", "cookie": "secret"}
    return messages_body.task_request(messages_body.read(raw), raw, headers).chat


def native(**fields: Any) -> Any:
    found = read(**fields).native
    assert found is not None
    return found.body


def test_the_body_goes_along_as_it_is_with_the_protocols_headers_alone() -> None:
    chat = read(top_k=3)
    assert chat.native is not None
    assert chat.native.body["top_k"] == 3
    assert chat.native.headers == {"anthropic-beta": "b"}


def test_results_of_tools_come_before_what_else_was_said() -> None:
    turns = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "now", "input": {"a": 1}}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "So?"},
                {"type": "tool_result", "tool_use_id": "t", "content": "noon", "is_error": True},
            ],
        },
    ]
    assert read(messages=turns).messages == (
        Message("assistant", tool_calls=(ToolCall("t", "now", '{"a":1}'),)),
        Message("tool", (TextPart("The tool failed: "), TextPart("noon")), tool_call_id="t"),
        Message("user", (TextPart("So?"),)),
    )


@pytest.mark.parametrize("content", ["", None, []])
def test_a_turn_without_content_stays_a_turn(content: Any) -> None:
    assert read(messages=[{"role": "user", "content": content}]).messages == (Message("user"),)


def test_the_system_may_be_a_text_or_blocks() -> None:
    for system in ("Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]):
        assert read(system=system).messages[0] == Message("system", (TextPart("Be brief."),))


def test_our_own_thoughts_are_taken_out_and_others_stay() -> None:
    ours = {"type": "thinking", "thinking": "hm", "signature": OUR_SIGNATURE}
    theirs = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    text = {"type": "text", "text": "So."}
    said = [
        *ASKED,
        {"role": "assistant", "content": [ours, text]},
        {"role": "assistant", "content": [theirs, text]},
        {"role": "assistant", "content": [ours]},
    ]
    kept = native(messages=said)["messages"]
    assert [message["content"] for message in kept] == ["Why?", [text], [theirs, text]]


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, ""),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 50_000}}, "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max"),
    ],
)
def test_how_much_to_think(fields: dict[str, Any], effort: str) -> None:
    assert read(**fields).effort == effort


@pytest.mark.parametrize(
    ("fields", "is_anthropics"),
    [
        ({}, False),
        ({"metadata": {"user_id": "x"}, "service_tier": "auto"}, False),
        ({"tools": [{"type": "custom", "name": "f", "input_schema": {}}]}, False),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, True),
        ({"mcp_servers": [{"url": "x"}]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "brand_new"}]}]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file"}}]}]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}, True),
    ],
)
def test_what_only_anthropic_has_is_known(fields: dict[str, Any], is_anthropics: bool) -> None:
    chat = read(**fields)
    assert (Feature.ANTHROPIC in chat.features) is is_anthropics
    assert bool(chat.needed_by) is is_anthropics


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (
            {"type": "base64", "media_type": "application/pdf", "data": "JVBE\nRi0="},
            FilePart("application/pdf", "JVBERi0=", name="A"),
        ),
        (
            {"type": "url", "url": "https://example.org/a.pdf"},
            FilePart("application/pdf", url="https://example.org/a.pdf", name="A"),
        ),
        ({"type": "text", "media_type": "text/plain", "data": "Hi"}, FilePart("text/plain", text="Hi", name="A")),
        (
            {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            FilePart("text/plain", text="a\nb", name="A"),
        ),
    ],
)
def test_documents_are_read(source: dict[str, Any], found: FilePart) -> None:
    block = {"type": "document", "source": source, "title": "A", "context": "c", "citations": {"enabled": True}}
    assert read(messages=[{"role": "user", "content": [block]}]).messages[0].parts == (found,)


@pytest.mark.parametrize(
    ("declared", "media_type"), [("image/jpg", "image/jpeg"), ("IMAGE/PNG", "image/png"), (None, "image/png")]
)
def test_a_pictures_type_is_a_registered_one(declared: Any, media_type: str) -> None:
    source = {"type": "base64", "media_type": declared, "data": "iVBORw0KGgo="}
    chat = read(messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])
    assert chat.messages[0].images == (ImagePart(media_type, "iVBORw0KGgo="),)


@pytest.mark.parametrize(("content", "text"), [(None, ""), (7, "7"), ({"a": 1}, '{"a":1}'), ([1], "[1]"), ("x", "x")])
def test_a_tool_may_answer_with_any_json(content: Any, text: str) -> None:
    turns = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": content}]}]
    assert read(messages=turns).messages[0].text == text


@pytest.mark.parametrize("fields", [{"model": None}, {"model": ""}])
def test_without_a_model_the_choice_is_left_to_oxide(fields: dict[str, Any]) -> None:
    assert read(**fields).model == ""


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"max_tokens": None}, "max_tokens is missing"),
        ({"messages": []}, "messages is empty"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, r"messages\[0\]\.content\[0\]\.text"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "source"),
        ({"tool_choice": {"type": "tool"}}, "name the tool"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], advice: str) -> None:
    with pytest.raises(BodyError, match=advice):
        read(**fields)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "gopher://127.0.0.1:70/_x", "http://169.254.169.254/latest"])
@pytest.mark.parametrize("kind", ["image", "document"])
def test_an_address_that_nobody_may_fetch_is_refused(kind: str, address: str) -> None:
    block = {"type": kind, "source": {"type": "url", "url": address}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    for content in ([block], [result]):
        with pytest.raises(BodyError, match=r"source\.url"):
            read(messages=[{"role": "user", "content": content}])
