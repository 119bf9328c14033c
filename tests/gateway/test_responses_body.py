"""What OpenAI's Responses clients send, read into a task."""

from __future__ import annotations

from typing import Any

import pytest

from apikeys.decoding import BodyError
from gateway import responses_body
from services.adapters.base import ChatRequest, FilePart, ImagePart, Message, TextPart, Tool, ToolCall

pytestmark = pytest.mark.django_db


def read(**fields: Any) -> ChatRequest:
    raw = {"input": "Why?", **fields}
    return responses_body.task_request(responses_body.read(raw), raw).chat


def said(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize("fields", [{}, {"model": None}, {"model": ""}])
def test_without_a_model_the_choice_is_left_to_oxide(fields: dict[str, Any]) -> None:
    assert read(**fields).model == ""


def test_instructions_alone_are_a_request() -> None:
    assert read(input="", instructions="Write a haiku.").messages == (Message("system", (TextPart("Write a haiku."),)),)
    with pytest.raises(BodyError, match="input is empty"):
        read(input="")


@pytest.mark.parametrize(
    ("part", "found"),
    [
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "JVBERi0="},
            FilePart("application/pdf", "JVBERi0=", name="a.pdf"),
        ),
        ({"type": "input_file", "file_url": "https://example.org/a.pdf"}, FilePart(url="https://example.org/a.pdf")),
        ({"type": "input_file", "file_data": "https://example.org/a.pdf"}, FilePart(url="https://example.org/a.pdf")),
        (
            {"type": "input_file", "file_url": "data:application/pdf;base64,JVBERi0="},
            FilePart("application/pdf", "JVBERi0="),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}},
            FilePart("audio/mpeg", "UklGRg=="),
        ),
        ({"type": "input_image", "image_url": "data:image/jpg;base64,/9j/"}, ImagePart("image/jpeg", "/9j/")),
    ],
)
def test_documents_and_recordings_are_read(part: dict[str, Any], found: Any) -> None:
    assert read(input=said(part)).messages[0].parts == (found,)


def test_calls_and_their_results_are_read_in_every_shape() -> None:
    items = [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": 1}},
        {"type": "function_call_output", "call_id": "c", "output": {"rain": 3}},
        {"type": "function_call", "call_id": "d", "name": "f", "arguments": None},
        {"type": "function_call_output", "call_id": "d", "output": None},
    ]
    first, answer, second, nothing = read(input=items).messages
    assert (first.tool_calls, answer.text) == ((ToolCall("c", "f", '{"a":1}'),), '{"rain":3}')
    assert (second.tool_calls, nothing.text) == ((ToolCall("d", "f", "{}"),), "")


def test_the_body_goes_along_for_what_a_service_has_words_for() -> None:
    native = read(prompt_cache_key="k", num_ctx=4096, temperature=1).native
    assert native is not None
    assert native.body["num_ctx"] == 4096
    assert set(native.body) - native.translated == {"prompt_cache_key", "num_ctx"}


@pytest.mark.parametrize(
    ("part", "advice"),
    [
        ({"type": "input_file", "file_id": "file-1"}, r"file_id: Oxide keeps no files"),
        ({"type": "input_video"}, r"input\[0\]\.content\[0\]\.type must be"),
    ],
)
def test_mistakes_are_named(part: dict[str, Any], advice: str) -> None:
    with pytest.raises(BodyError, match=advice):
        read(input=said(part))


def test_a_strict_function_stays_strict() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    tool = {"type": "function", "name": "f", "parameters": schema, "strict": True}
    assert read(tools=[tool]).tools == (Tool("f", parameters=schema, strict=True),)
