"""The events of a stream as the whole answer of the same protocol, with all that is in them, known here or not."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from services.adapters.openai_variants import CallPieces

# Of a tool call's function, or of the part of a message: texts that come in fragments are added up, names are not.
_SAID_ONCE: Final = frozenset({"role", "id", "type", "name", "format", "index", "signature", "model", "object"})
_OF_CHUNKS: Final = frozenset({"choices", "object"})


def whole_completion(events: Iterable[bytes], model: str) -> bytes:
    """OpenAI's chunks as a completion: https://platform.openai.com/docs/api-reference/chat/object

    `model` is the one that was asked for, where the chunks name none.
    """
    head: dict[str, Any] = {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion"}
    head |= {"created": int(time.time()), "model": model}
    choices: dict[int, _Choice] = {}
    for chunk in map(msgspec.json.decode, events):
        head |= {name: value for name, value in chunk.items() if name not in _OF_CHUNKS and value is not None}
        for choice in chunk.get("choices") or ():
            choices.setdefault(choice.get("index") or 0, _Choice()).add(choice)
    return msgspec.json.encode({**head, "choices": [choices[index].whole(index) for index in sorted(choices)]})


def whole_message(events: Iterable[bytes], model: str) -> bytes:
    """Anthropic's events as a message: https://platform.claude.com/docs/en/api/messages

    `model` is the one that was asked for, where the events name none.
    """
    message: dict[str, Any] = {"id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant"}
    message |= {"model": model, "content": [], "stop_sequence": None}
    blocks: dict[int, _Block] = {}
    for event in map(msgspec.json.decode, events):
        index = event.get("index") or 0
        match event.get("type"):
            case "message_start":
                message |= event["message"]
            case "content_block_start":
                blocks[index] = _Block(event["content_block"])
            case "content_block_delta" if index in blocks:
                blocks[index].add(event["delta"])
            case "message_delta":
                _finish(message, event)
    return msgspec.json.encode({**message, "content": [blocks[index].whole for index in sorted(blocks)]})


class _Choice:
    """One of the answers: its deltas are added up, and of what stands beside them the last counts."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {"role": "assistant", "content": None}
        self._calls: dict[int, dict[str, Any]] = {}
        self._pieces = CallPieces()
        self._beside: dict[str, Any] = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        delta = dict(choice.get("delta") or {})
        for call in delta.pop("tool_calls", None) or ():
            self._add_call(call)
        _add_up(self._message, delta)
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict):
            _add_up(self._beside.setdefault("logprobs", {}), logprobs)
        beside = choice.keys() - {"delta", "index", "logprobs"}
        self._beside |= {name: choice[name] for name in beside if choice[name] is not None}

    def whole(self, index: int) -> dict[str, Any]:
        calls = {"tool_calls": [self._calls[place] for place in sorted(self._calls)]} if self._calls else {}
        end = {"logprobs": None, "finish_reason": "stop", **self._beside}
        return {"index": index, "message": {**self._message, **calls}, **end}

    def _add_call(self, call: Mapping[str, Any]) -> None:
        kind, written = ("custom", "input") if call.get("custom") else ("function", "arguments")
        called = call.get(kind) or {}
        piece = self._pieces.piece(
            call.get("index"),
            call.get("id") or "",
            called.get("name") or "",
            called.get(written),
            is_text=kind == "custom",
        )
        if piece is None:
            return
        if piece.id:
            beside = {name: value for name, value in call.items() if name != "index"}
            begun = {**called, "name": piece.name, written: ""}
            self._calls[piece.index] = {**beside, "id": piece.id, "type": call.get("type") or kind, kind: begun}
        whole = self._calls[piece.index]
        whole[kind][written] += piece.arguments


class _Block:
    """A block of a message. What a tool is called with comes as fragments of JSON."""

    def __init__(self, begun: Mapping[str, Any]) -> None:
        self._block = dict(begun)
        self._input: list[str] = []

    def add(self, delta: Mapping[str, Any]) -> None:
        match delta.get("type"):
            case "input_json_delta":
                self._input.append(delta.get("partial_json") or "")
            case "signature_delta":
                self._block["signature"] = delta.get("signature")
            case "citations_delta":
                self._block["citations"] = [*(self._block.get("citations") or ()), delta.get("citation")]
            case _:
                _add_up(self._block, {name: value for name, value in delta.items() if name != "type"})

    @property
    def whole(self) -> dict[str, Any]:
        text = "".join(self._input)
        return {**self._block, "input": msgspec.json.decode(text)} if text else self._block


def _finish(message: dict[str, Any], event: Mapping[str, Any]) -> None:
    message |= {name: value for name, value in (event.get("delta") or {}).items() if value is not None}
    usage = {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
    message["usage"] = {**(message.get("usage") or {}), **usage}
    message |= {name: value for name, value in event.items() if name not in ("type", "delta", "usage", "index")}


def _add_up(whole: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a piece to what came before: texts and lists grow, mappings are added up in turn, the rest is replaced."""
    for name, value in delta.items():
        known = whole.get(name)
        if isinstance(known, str) and isinstance(value, str) and name not in _SAID_ONCE:
            whole[name] = known + value
        elif isinstance(known, list) and isinstance(value, list):
            whole[name] = [*known, *value]
        elif isinstance(known, dict) and isinstance(value, dict):
            _add_up(known, value)
        elif value is not None or name not in whole:
            whole[name] = dict(value) if isinstance(value, dict) else value
