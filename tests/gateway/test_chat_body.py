"""What OpenAI's clients send to have a chat, read into a task."""

from __future__ import annotations

from typing import Any

import pytest

from apikeys.decoding import BodyError
from gateway import chat_body
from services.adapters.base import (
    ChatRequest,
    Feature,
    ImagePart,
    JsonSchema,
    Message,
    TextPart,
    Tool,
    ToolCall,
)

ASKED = [{"role": "user", "content": "Why?"}]
PIXEL = "aGVsbG8="
CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"UTC"}'}}


def read(**fields: Any) -> ChatRequest:
    raw = {"model": "auto", "messages": ASKED, **fields}
    return chat_body.task_request(chat_body.read(raw), raw).chat


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


# Messages


def test_the_roles_that_clients_know_are_four_to_us() -> None:
    roles = ("system", "developer", "user", "assistant", "tool", "function")
    turns = [{"role": role, "content": "x", "tool_call_id": None} for role in roles]
    assert [message.role for message in read(messages=turns).messages] == [
        "system",
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
    ]


def test_content_may_be_a_text_or_parts_or_nothing() -> None:
    part = {"type": "text", "text": "Why?"}
    for content, parts in (
        ("Why?", (TextPart("Why?"),)),
        ([part], (TextPart("Why?"),)),
        ([part, part], (TextPart("Why?"), TextPart("Why?"))),
        ([{"type": "refusal", "refusal": "No."}], (TextPart("No."),)),
        ("", ()),
        (None, ()),
    ):
        assert read(messages=[{"role": "assistant", "content": content}]).messages == (Message("assistant", parts),)


def test_calls_of_tools_and_their_results_go_together() -> None:
    turns = [
        *ASKED,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "noon"}]},
    ]
    assert read(messages=turns).messages == (
        Message("user", (TextPart("Why?"),)),
        Message("assistant", tool_calls=(ToolCall("c1", "now", '{"zone":"UTC"}'),)),
        Message("tool", (TextPart("noon"),), tool_call_id="c1"),
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (f"data:image/png;base64,{PIXEL}", ImagePart(media_type="image/png", data=PIXEL)),
        ("https://example.com/a.png", ImagePart(url="https://example.com/a.png")),
    ],
)
def test_a_picture_is_in_the_request_or_at_an_address(address: str, found: ImagePart) -> None:
    chat = read(messages=user({"type": "image_url", "image_url": {"url": address, "detail": "low"}}))
    assert chat.messages[0].images == (found,)
    assert Feature.IMAGES in chat.features


# Everything else


def test_the_body_goes_along_as_it_is_with_fields_that_nobody_knows() -> None:
    chat = read(something_new={"a": [1]}, user="ada", stream_options=None)
    assert chat.native is not None
    assert (chat.native.protocol, dict(chat.native.headers)) == ("openai", {})
    assert chat.native.body == {
        "model": "auto",
        "messages": ASKED,
        "something_new": {"a": [1]},
        "user": "ada",
        "stream_options": None,
    }


def test_settings_are_read() -> None:
    chat = read(
        temperature=1, top_p=0.5, seed=7, presence_penalty=0.1, frequency_penalty=-0.1, parallel_tool_calls=False
    )
    assert (chat.temperature, chat.top_p, chat.seed) == (1.0, 0.5, 7)
    assert (chat.presence_penalty, chat.frequency_penalty, chat.parallel_tool_calls) == (0.1, -0.1, False)


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
    ],
)
def test_the_limit_has_an_old_name_and_a_new_one(fields: dict[str, Any], limit: int | None) -> None:
    assert read(**fields).max_tokens == limit


@pytest.mark.parametrize(("stop", "stops"), [(None, ()), ("x", ("x",)), (["x", "y"], ("x", "y"))])
def test_one_text_to_stop_at_or_several(stop: Any, stops: tuple[str, ...]) -> None:
    assert read(stop=stop).stop == stops


def test_tools_may_leave_out_all_but_their_name() -> None:
    whole = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
    chat = read(tools=[{"type": "function", "function": whole}, {"type": "function", "function": {"name": "g"}}])
    assert chat.tools == (Tool("f", "d", {"type": "object"}), Tool("g"))
    assert Feature.TOOLS in chat.features


@pytest.mark.parametrize(
    ("choice", "read_as"),
    [
        (None, ""),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, "f"),
        ({"type": "custom", "custom": {"name": "f"}}, ""),
    ],
)
def test_which_tool_to_call(choice: Any, read_as: str) -> None:
    assert read(tool_choice=choice).tool_choice == read_as


def test_the_shape_of_the_answer() -> None:
    schema = {"name": "city", "schema": {"type": "object"}, "strict": True}
    assert read(response_format={"type": "json_schema", "json_schema": schema}).json_schema == JsonSchema(
        "city", {"type": "object"}, strict=True
    )
    loose = read(response_format={"type": "json_schema", "json_schema": {"name": "city"}}).json_schema
    assert loose == JsonSchema("city", {}, strict=False)
    assert read(response_format={"type": "json_object"}).json_object
    assert read(response_format={"type": "text"}).features == frozenset()


@pytest.mark.parametrize(
    ("asked", "effort"),
    [
        (None, ""),
        ("none", "none"),
        ("minimal", "minimal"),
        ("high", "high"),
        ("xhigh", "high"),
        ("max", "high"),
        ("new", ""),
    ],
)
def test_how_much_to_think(asked: str | None, effort: str) -> None:
    assert read(reasoning_effort=asked).effort == effort


@pytest.mark.parametrize(
    ("asked", "told"),
    [({}, False), ({"stream_options": {}}, False), ({"stream_options": {"include_usage": True}}, True)],
)
def test_figures_of_a_stream_are_wanted_only_where_it_says_so(asked: dict[str, Any], told: bool) -> None:
    assert chat_body.read({"model": "auto", "messages": ASKED, **asked}).wants_usage is told


# What only a service of the same protocol can do


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"logprobs": True},
        {"logit_bias": {"7": 1}},
        {"audio": {"voice": "alloy"}},
        {"functions": [{"name": "f"}]},
        {"prediction": {"type": "content", "content": "x"}},
        {"web_search_options": {"search_context_size": "low"}},
        {"modalities": ["text", "audio"]},
        {"messages": user({"type": "input_audio", "input_audio": {}})},
        {"messages": user({"type": "file", "file": {}})},
        {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
        {"messages": [*ASKED, {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_only_openais_protocol_has_is_known(fields: dict[str, Any]) -> None:
    assert Feature.OPENAI in read(**fields).features


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 1, "logprobs": False, "logit_bias": {}, "functions": [], "audio": None},
        {"modalities": ["text"]},
        {"metadata": {"a": "b"}, "store": True, "service_tier": "auto"},
    ],
)
def test_what_asks_for_nothing_needs_nothing(fields: dict[str, Any]) -> None:
    assert read(**fields).features == frozenset()


# Mistakes


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"messages": []}, "messages is empty: add a message"),
        ({"messages": "x"}, "^messages:"),
        ({"messages": [{"content": "x"}]}, r"^messages\[0\]: .*role"),
        ({"messages": [{"role": "robot", "content": "x"}]}, r"^messages\[0\]\.role: .*robot"),
        ({"messages": [{"role": "user", "content": 7}]}, r"^messages\[0\]\.content:"),
        ({"messages": user({"type": "text"})}, r"^messages\[0\]\.content\[0\]\.text is missing"),
        ({"messages": user({"type": "nonsense"})}, r"^messages\[0\]\.content\[0\]\.type must be .*'nonsense'"),
        ({"messages": user({"type": "image_url"})}, r"^messages\[0\]\.content\[0\]\.image_url\.url is missing"),
        (
            {"messages": user({"type": "image_url", "image_url": {"url": "ftp://x"}})},
            r"^messages\[0\]\.content\[0\]\.image_url\.url must be an http\(s\) address or data:image",
        ),
        (
            {"messages": user({"type": "image_url", "image_url": {"url": "http://metadata.google.internal/"}})},
            r"^messages\[0\]\.content\[0\]\.image_url\.url names a cloud metadata service",
        ),
        (
            {"messages": user({"type": "file", "file": {"file_data": "file:///etc/passwd"}})},
            r"^messages\[0\]\.content\[0\]\.file\.file_data must be an http\(s\) address",
        ),
        (
            {"messages": user({"type": "image_url", "image_url": {"url": "data:image/png;base64,%"}})},
            "is not valid base64",
        ),
        ({"max_tokens": "many"}, "^max_tokens:"),
        ({"temperature": "hot"}, "^temperature:"),
        ({"stream": "yes"}, "^stream:"),
        ({"tool_choice": "any"}, 'tool_choice must be "auto", "none", "required" or an object'),
        ({"tools": [{"type": "function"}]}, r"^tools\[0\]\.function is missing: describe the function"),
        ({"response_format": {"type": "yaml"}}, r"^response_format\.type: .*yaml"),
        ({"response_format": {"type": "json_schema"}}, "json_schema is missing: name the schema and give it"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], advice: str) -> None:
    with pytest.raises(BodyError, match=advice):
        read(**fields)


def test_a_model_is_named_always() -> None:
    with pytest.raises(BodyError, match="model"):
        chat_body.read({"messages": ASKED})


@pytest.mark.parametrize("raw", [None, [], "x", 7])
def test_a_body_is_an_object(raw: Any) -> None:
    with pytest.raises(BodyError, match="Send a JSON object"):
        chat_body.read(raw)
