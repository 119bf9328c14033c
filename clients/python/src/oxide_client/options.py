"""What a task may be asked with, and a rule made of: the fields of the request bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from oxide_client.answers import TaskType, ToolCall
from oxide_client.typing_names import NotRequired


class FunctionCall(TypedDict):
    """`arguments` is a JSON text."""

    name: str
    arguments: NotRequired[str]


class OpenAIToolCall(TypedDict):
    """A tool call in the shape of OpenAI's chat API."""

    id: str
    type: NotRequired[Literal["function"]]
    function: FunctionCall


class ImageAddress(TypedDict):
    """`url` is an http(s) address or `data:image/...;base64,...`."""

    url: str


class TextPart(TypedDict):
    type: Literal["text"]
    text: str


class ImagePart(TypedDict):
    type: Literal["image_url"]
    image_url: ImageAddress


class FileData(TypedDict):
    """`file_data` is base64, or `data:...;base64,...`."""

    file_data: str
    filename: NotRequired[str]


class FilePart(TypedDict):
    type: Literal["file"]
    file: FileData


class AudioData(TypedDict):
    """`data` is base64; `format` as in "wav"."""

    data: str
    format: NotRequired[str]


class AudioPart(TypedDict):
    type: Literal["input_audio"]
    input_audio: AudioData


class Message(TypedDict):
    """One turn of a conversation, as OpenAI's chat API writes it; tool calls also as an answer gave them."""

    role: Literal["system", "user", "assistant", "tool"]
    content: NotRequired[str | Sequence[TextPart | ImagePart | FilePart | AudioPart] | None]
    tool_calls: NotRequired[Sequence[ToolCall | OpenAIToolCall]]
    tool_call_id: NotRequired[str]


class TaskOptions(TypedDict, total=False):
    """The fields of a task beside `prompt`, `task_type` and `background`. None is the same as left out.

    `service` is a name, or "auto"; `parameters` are handed to the provider as they are; `timeout_seconds` is how long
    Oxide may take for the task, all attempts included; `tools`, `tool_choice` and `response_format` are written as
    OpenAI's chat API writes them.
    """

    messages: Sequence[Message] | None
    service: str | None
    model: str | None
    max_tokens: int | None
    temperature: float | None
    stop: str | Sequence[str] | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: Literal["auto", "none", "required"] | Mapping[str, Any] | None
    response_format: Mapping[str, Any] | None
    parameters: Mapping[str, Any] | None
    timeout_seconds: float | None


class RuleFields(TypedDict, total=False):
    """The lowest `priority` number is asked first; `weight` is the share among rules of one priority."""

    task_type: TaskType
    service: str
    model: str
    priority: int
    weight: int
    enabled: bool
    note: str
