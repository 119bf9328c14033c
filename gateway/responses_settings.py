"""What a response says again of its request, with the value that holds where the client has sent none.

Open Responses wants all of it in every response: https://www.openresponses.org/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from gateway.responses_body import ResponsesBody, ResponseTool

# OpenAI takes at most that many: https://platform.openai.com/docs/api-reference/responses/create
_MOST_LOGPROBS = 20


class ResponseSettings(TypedDict):
    """`store` and `background` are always false: Oxide keeps no responses. Sampling is told as numbers."""

    background: Literal[False]
    frequency_penalty: float
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    presence_penalty: float
    previous_response_id: None
    prompt_cache_key: str | None
    reasoning: dict[str, Any]
    safety_identifier: str | None
    service_tier: str
    store: Literal[False]
    temperature: float
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    user: str | None


def settings(body: ResponsesBody, raw: Any) -> ResponseSettings:
    """`raw` is what `body` was read from: it has the fields that no provider is sent."""
    tier = _text(raw, "service_tier")
    return {
        "background": False,
        "frequency_penalty": body.frequency_penalty or 0.0,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": _number(raw, "max_tool_calls"),
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "presence_penalty": body.presence_penalty or 0.0,
        "previous_response_id": None,
        "prompt_cache_key": _text(raw, "prompt_cache_key"),
        "reasoning": {
            "effort": body.reasoning.effort if body.reasoning else None,
            "summary": body.reasoning.summary if body.reasoning else None,
        },
        "safety_identifier": _text(raw, "safety_identifier"),
        "service_tier": "default" if tier in (None, "auto") else tier,
        "store": False,
        "temperature": 1.0 if body.temperature is None else body.temperature,
        "text": {"format": _format(body), "verbosity": (body.text and body.text.verbosity) or "medium"},
        "tool_choice": body.tool_choice or "auto",
        "tools": [_tool(tool) for tool in body.tools or ()],
        "top_logprobs": min(_number(raw, "top_logprobs") or 0, _MOST_LOGPROBS),
        "top_p": 1.0 if body.top_p is None else body.top_p,
        "truncation": "auto" if raw.get("truncation") == "auto" else "disabled",
        "user": body.user,
    }


def _text(raw: Mapping[str, Any], name: str) -> str | None:
    found = raw.get(name)
    return found if isinstance(found, str) and found else None


def _number(raw: Mapping[str, Any], name: str) -> int | None:
    found = raw.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _format(body: ResponsesBody) -> dict[str, Any]:
    wanted = body.text.format if body.text else None
    if wanted is None or wanted.type != "json_schema":
        return {"type": wanted.type if wanted else "text"}
    described = {"name": wanted.name, "description": wanted.description, "schema": wanted.schema}
    return {"type": "json_schema", **described, "strict": bool(wanted.strict)}


def _tool(tool: ResponseTool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters if isinstance(tool.parameters, dict) else {},
        "strict": bool(tool.strict),
    }
