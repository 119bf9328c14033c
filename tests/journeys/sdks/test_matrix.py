"""Every API that Oxide speaks, over every kind of service, for everything that may be asked.

What a kind cannot do is told in a clear 400 where it is named, and passed over where Oxide may choose.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import pytest
import requests

from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.sse import events

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}

KINDS = ["openai", "ollama", "anthropic", "gemini", "cli", "echo"]
WANTS = ["plain", "stream", "tools", "image", "JSON schema"]
# Echo has no model that could keep to a schema, and a program takes only text.
CANNOT = {("cli", "tools"), ("cli", "image"), ("cli", "JSON schema"), ("echo", "JSON schema")}


class Inbound(ABC):
    """One API: how something is asked for in it, and where the answer stands."""

    path: str

    def body(self, model: str, want: str) -> dict[str, Any]:
        return {
            **self.asked(model, with_image=want == "image"),
            **self.extras.get(want, {}),
            "stream": want == "stream",
        }

    extras: dict[str, dict[str, Any]]

    @abstractmethod
    def asked(self, model: str, *, with_image: bool) -> dict[str, Any]: ...

    @abstractmethod
    def text(self, answer: Any) -> str: ...

    @abstractmethod
    def calls(self, answer: Any) -> list[tuple[str, Any]]: ...

    @abstractmethod
    def piece(self, name: str, data: Any) -> str:
        """The text in an event of a stream."""

    def complaint(self, answer: Any) -> str:
        return str(answer["error"]["message"])


class TaskApi(Inbound):
    path = "/api/tasks/execute/"
    extras = {
        "tools": {"tools": [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]},
        "JSON schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}},
    }

    def asked(self, model: str, *, with_image: bool) -> dict[str, Any]:
        content: list[Any] = [{"type": "text", "text": "Which city?"}]
        content += [_image_url()] if with_image else []
        return {"service": model, "messages": [{"role": "user", "content": content}]}

    def text(self, answer: Any) -> str:
        return str(answer["result"])

    def calls(self, answer: Any) -> list[tuple[str, Any]]:
        return [(call["name"], json.loads(call["arguments"])) for call in answer["tool_calls"]]

    def piece(self, name: str, data: Any) -> str:
        return str(data.get("text", "")) if name == "delta" else ""

    def complaint(self, answer: Any) -> str:
        return str(answer["detail"])


class Chat(TaskApi):
    path = "/v1/chat/completions"

    def asked(self, model: str, *, with_image: bool) -> dict[str, Any]:
        asked = super().asked(model, with_image=with_image)
        return {"model": asked["service"], "messages": asked["messages"]}

    def text(self, answer: Any) -> str:
        return answer["choices"][0]["message"]["content"] or ""

    def calls(self, answer: Any) -> list[tuple[str, Any]]:
        calls = answer["choices"][0]["message"].get("tool_calls") or []
        return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]

    def piece(self, _name: str, data: Any) -> str:
        return "" if data == "[DONE]" else data["choices"][0]["delta"].get("content") or ""

    def complaint(self, answer: Any) -> str:
        return str(answer["error"]["message"])


class Responses(Inbound):
    path = "/v1/responses"
    extras = {
        "tools": {"tools": [{"type": "function", "name": "get_weather", "parameters": PARAMETERS}]},
        "JSON schema": {"text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}}},
    }

    def asked(self, model: str, *, with_image: bool) -> dict[str, Any]:
        content = [{"type": "input_text", "text": "Which city?"}]
        content += [{"type": "input_image", "image_url": _image_url()["image_url"]["url"]}] if with_image else []
        return {"model": model, "input": [{"role": "user", "content": content}]}

    def text(self, answer: Any) -> str:
        return "".join(item["content"][0]["text"] for item in answer["output"] if item["type"] == "message")

    def calls(self, answer: Any) -> list[tuple[str, Any]]:
        calls = [item for item in answer["output"] if item["type"] == "function_call"]
        return [(call["name"], json.loads(call["arguments"])) for call in calls]

    def piece(self, name: str, data: Any) -> str:
        return str(data["delta"]) if name == "response.output_text.delta" else ""


class Messages(Inbound):
    path = "/v1/messages"
    extras = {
        "tools": {"tools": [{"name": "get_weather", "input_schema": PARAMETERS}]},
        "JSON schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    }

    def asked(self, model: str, *, with_image: bool) -> dict[str, Any]:
        content: list[Any] = [{"type": "text", "text": "Which city?"}]
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
        content += [{"type": "image", "source": source}] if with_image else []
        return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}

    def text(self, answer: Any) -> str:
        return "".join(block["text"] for block in answer["content"] if block["type"] == "text")

    def calls(self, answer: Any) -> list[tuple[str, Any]]:
        return [(block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]

    def piece(self, name: str, data: Any) -> str:
        return data["delta"].get("text", "") if name == "content_block_delta" else ""


def _image_url() -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}


@pytest.mark.parametrize("want", WANTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("api", [TaskApi(), Chat(), Responses(), Messages()], ids=lambda api: type(api).__name__)
def test_every_api_over_every_kind(
    oxide: LiveOxide, provider: FakeProvider, api: Inbound, kind: str, want: str
) -> None:
    said, calls = TEXT, []
    if want == "tools":
        said, calls = "", [("get_weather", {"city": "Oslo"})]
    elif want == "JSON schema":
        said = '{"city": "Oslo"}'
    provider.say(text=said, tool_calls=tuple(calls))
    answer = requests.post(f"{oxide.url}{api.path}", json=api.body(kind, want), stream=True, timeout=30)
    if (kind, want) in CANNOT:
        assert answer.status_code == 400, answer.text
        assert kind in api.complaint(answer.json())
        return
    assert answer.status_code == 200, answer.text
    if kind in ("cli", "echo"):  # which say again what they are told, and leave tools alone
        said, calls = "Which city?" + ("[image]" if want == "image" else ""), []
    if want == "stream":
        heard = events(answer.iter_lines(chunk_size=1))
        assert "".join(api.piece(name, data) for name, data in heard) == said
        return
    body = answer.json()
    assert (api.text(body), api.calls(body)) == (said, calls)


@pytest.mark.parametrize("want", ["tools", "image", "JSON schema"])
def test_who_cannot_is_passed_over(live: LiveOxide, provider: FakeProvider, want: str) -> None:
    live.config["services"]["program"] = {"type": "cli", "command": ["cat"], "model": "cat"}
    live.config["routing"]["default"].append("program")
    live.declare("openai", provider.base_url("openai"), api="openai").start()
    for api in (Chat(), Responses(), Messages()):
        answer = requests.post(f"{live.url}{api.path}", json=api.body("auto", want), timeout=30)
        assert answer.headers["x-oxide-service"] == "openai", answer.text
        assert answer.headers["x-oxide-attempts"] == "1"
