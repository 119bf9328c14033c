"""Which fields of a request its translation leaves out, under the names that the client knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.adapters.base import ChatRequest

# What the settings of a `ChatRequest` are called in each dialect; where nothing stands here, as in Oxide.
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "openai": {"effort": "reasoning_effort"},
    "responses": {"effort": "reasoning.effort", "max_tokens": "max_output_tokens"},
    "anthropic": {"effort": "thinking", "stop": "stop_sequences", "parallel_tool_calls": "disable_parallel_tool_use"},
}
_SETTINGS: Final = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "effort",
    "tool_choice",
    "parallel_tool_calls",
)
_EMPTY: Final[tuple[Any, ...]] = (None, "", (), [], {}, False)


def fields(request: ChatRequest, body: Mapping[str, Any], sent_as: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """`sent_as` says where in the body each setting stands, as a path with dots; any one of several counts.

    One that is not in it stands under its own name.
    """
    native = request.native
    names = _NAMES[native.protocol if native else "openai"]
    for setting in _SETTINGS:
        if _is_asked(setting, getattr(request, setting)) and not any(
            _stands(body, path) for path in sent_as.get(setting, (setting,))
        ):
            yield names.get(setting, setting)
    if native and native.translated:
        for name, value in native.body.items():
            if name not in native.translated and value not in _EMPTY and not _stands_anywhere(body, name, sent_as):
                yield name
        if native.protocol == "anthropic" and _marks_cache(native.body):
            yield "cache_control"


def _is_asked(setting: str, value: Any) -> bool:
    if setting == "parallel_tool_calls":  # several at a time are what every protocol allows by itself
        return value is False
    return value not in (None, "", ()) and not (setting == "tool_choice" and value == "auto")


def _stands(body: Mapping[str, Any], path: str) -> bool:
    found: Any = body
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found is not None


def _stands_anywhere(body: Mapping[str, Any], name: str, sent_as: Mapping[str, tuple[str, ...]]) -> bool:
    return any(_stands(body, path) for path in sent_as.get(name, (name,)))


def _marks_cache(body: Mapping[str, Any]) -> bool:
    lists = [body.get("system"), body.get("tools"), *(turn.get("content") for turn in body.get("messages") or ())]
    blocks = (block for found in lists if isinstance(found, list) for block in found)
    return any(isinstance(block, dict) and block.get("cache_control") for block in blocks)
