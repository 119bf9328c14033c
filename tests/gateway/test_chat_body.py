"""What OpenAI's clients send to have a chat, read into a task."""

from __future__ import annotations

from typing import Any

import pytest

from apikeys.decoding import BodyError
from gateway import chat_body
from services.adapters.base import (
    ChatRequest,
    Feature,
    FilePart,
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
        ("any", "required"),
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
        ("xhigh", "xhigh"),
        ("max", "max"),
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
        {"messages": user({"type": "file", "file": {"file_id": "file-1"}})},
        {"messages": user({"type": "video_url", "video_url": {"url": "https://example.org/v.mp4"}})},
        {"messages": [{"role": "robot", "content": "x"}, *ASKED]},
        {"response_format": {"type": "grammar", "grammar": "root ::= x"}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_only_openais_protocol_has_is_known_and_named(fields: dict[str, Any]) -> None:
    chat = read(**fields)
    assert Feature.OPENAI in chat.features
    assert next(iter(fields)) in chat.needed_by[Feature.OPENAI]


@pytest.mark.parametrize(
    ("part", "found", "feature"),
    [
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            FilePart("application/pdf", "JVBERi0=", name="a.pdf"),
            Feature.FILES,
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBERi0="}},
            FilePart("application/pdf", "JVBERi0=", name="a.pdf"),
            Feature.FILES,
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "https://example.org/a.pdf"}},
            FilePart(url="https://example.org/a.pdf", name="a.pdf"),
            Feature.FILES,
        ),
        (
            {"type": "file", "file": {"filename": "a.md", "file_data": "data:text/markdown;base64,IyBIaQ=="}},
            FilePart("text/markdown", text="# Hi", name="a.md"),
            None,
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            FilePart("audio/wav", "UklGRg=="),
            Feature.AUDIO,
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:application/pdf;base64,JVBERi0="}},
            FilePart("application/pdf", "JVBERi0="),
            Feature.FILES,
        ),
        ({"type": "image_url", "image_url": "https://x.org/a"}, ImagePart(url="https://x.org/a"), Feature.IMAGES),
    ],
)
def test_documents_and_recordings_are_read(part: dict[str, Any], found: Any, feature: Feature | None) -> None:
    chat = read(messages=user(part))
    assert chat.messages[0].parts == (found,)
    assert chat.features == ({feature} if feature else frozenset())


def test_images_can_be_asked_for() -> None:
    assert read(modalities=["image", "text"]).features == {Feature.IMAGE_OUTPUT}


@pytest.mark.parametrize(
    ("content", "text"),
    [(7, "7"), (None, ""), ({"rain": 3}, '{"rain":3}'), ([1, 2], "[1,2]"), (True, "true"), (["a", "b"], "ab")],
)
def test_a_tool_may_answer_with_any_json(content: Any, text: str) -> None:
    turns = [*ASKED, {"role": "tool", "tool_call_id": "c", "content": content, "name": None}]
    assert read(messages=turns).messages[1].text == text


@pytest.mark.parametrize(
    ("arguments", "text"), [({"a": 1}, '{"a":1}'), (None, "{}"), ("", ""), ('{"a', '{"a'), ([1], "[1]")]
)
def test_arguments_are_read_in_every_shape(arguments: Any, text: str) -> None:
    call = {"id": None, "type": "function", "function": {"name": "f", "arguments": arguments}}
    chat = read(messages=[*ASKED, {"role": "assistant", "content": None, "tool_calls": [call]}])
    assert chat.messages[1].tool_calls == (ToolCall("", "f", text),)


def test_the_older_form_of_a_call_is_read() -> None:
    turns = [
        *ASKED,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "noon"},
    ]
    _, called, answered = read(messages=turns).messages
    assert (called.tool_calls, answered.role) == ((ToolCall("", "f", "{}"),), "tool")


def test_images_of_an_earlier_answer_are_read() -> None:
    drawn = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    chat = read(messages=[*ASKED, {"role": "assistant", "content": "Here:", "images": [drawn]}])
    assert chat.messages[1].parts == (TextPart("Here:"), ImagePart("image/png", PIXEL))


@pytest.mark.parametrize("fields", [{"temperature": "0.5"}, {"max_tokens": "7"}, {"stream": "false"}, {"stop": None}])
def test_numbers_may_be_written_as_strings(fields: dict[str, Any]) -> None:
    chat = read(**fields)
    assert (chat.temperature, chat.max_tokens) in ((0.5, None), (None, 7), (None, None))


@pytest.mark.parametrize("parameters", [None, True, False, [], {}])
def test_a_tool_may_have_no_schema(parameters: Any) -> None:
    assert read(tools=[{"type": "function", "function": {"name": "f", "parameters": parameters}}]).tools == (Tool("f"),)


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
        ({"messages": user({"type": "text"})}, r"^messages\[0\]\.content\[0\]\.text is missing"),
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
            r"^messages\[0\]\.content\[0\]\.file\.file_data ",
        ),
        (
            {"messages": user({"type": "image_url", "image_url": {"url": "data:image/png;base64,%"}})},
            "is not valid base64",
        ),
        ({"max_tokens": "many"}, "^max_tokens:"),
        ({"temperature": "hot"}, "^temperature:"),
        ({"stream": "yes"}, "^stream:"),
        ({"tool_choice": "some"}, 'tool_choice must be "auto", "none", "required" or an object'),
        ({"tools": [{"type": "function"}]}, r"^tools\[0\]\.function is missing: describe the function"),
        ({"response_format": {"type": "json_schema"}}, "json_schema is missing: name the schema and give it"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], advice: str) -> None:
    with pytest.raises(BodyError, match=advice):
        read(**fields)


@pytest.mark.parametrize("fields", [{}, {"model": None}, {"model": ""}])
def test_without_a_model_the_choice_is_left_to_oxide(fields: dict[str, Any]) -> None:
    raw = {"messages": ASKED, **fields}
    wanted = chat_body.task_request(chat_body.read(raw), raw)
    assert (wanted.service, wanted.chat.model, wanted.task_type) == ("", "", None)


@pytest.mark.parametrize("raw", [None, [], "x", 7])
def test_a_body_is_an_object(raw: Any) -> None:
    with pytest.raises(BodyError, match="Send a JSON object"):
        chat_body.read(raw)
