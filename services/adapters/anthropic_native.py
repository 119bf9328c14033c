"""A client's own body for Anthropic, with what the models of other providers left in its conversation repaired.

A conversation that began elsewhere holds ids and blank texts that Anthropic refuses. Every other body, and everything
else in it, stays as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.adapters.conversation import ANTHROPIC_IDS


def repaired(body: Mapping[str, Any]) -> Mapping[str, Any]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    ids = _Ids()
    kept = [_repaired(message, ids) for message in messages]
    if all(new is old for new, old in zip(kept, messages, strict=True)):
        return body
    return {**body, "messages": [message for message in kept if message is not None]}


class _Ids:
    """Valid ids for the calls of one conversation, unique as the vendor wants them. A result follows its call."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._open: dict[str, list[str]] = {}  # the calls of one id that have no result yet, in their order

    def begin_turn(self) -> None:
        """No result of an earlier turn's calls is to come."""
        self._open.clear()

    def of_call(self, identity: str) -> str:
        wanted = found = ANTHROPIC_IDS.fit(identity)
        number = 1
        while found in self._used:
            number += 1
            found = f"{wanted}_{number}"
        self._used.add(found)
        self._open.setdefault(identity, []).append(found)
        return found

    def of_result(self, identity: str) -> str:
        calls = self._open.get(identity)
        if not calls:
            return ANTHROPIC_IDS.fit(identity)
        return calls.pop(0) if len(calls) > 1 else calls[0]


def _repaired(message: Any, ids: _Ids) -> Any:
    """None where nothing is left of it."""
    content = message.get("content") if isinstance(message, dict) else None
    is_assistant = content is not None and message.get("role") == "assistant"
    if is_assistant:
        ids.begin_turn()
    if isinstance(content, str):
        return None if is_assistant and content and not content.strip() else message
    if not isinstance(content, list):
        return message
    blocks = [_block(block, ids) for block in content if not (is_assistant and _is_blank(block))]
    if len(blocks) == len(content) and all(new is old for new, old in zip(blocks, content, strict=True)):
        return message
    return {**message, "content": blocks} if blocks else None


def _block(block: Any, ids: _Ids) -> Any:
    kind = block.get("type") if isinstance(block, dict) else None
    name = {"tool_use": "id", "tool_result": "tool_use_id"}.get(str(kind))
    identity = block.get(name) if name else None
    if not isinstance(identity, str):
        return block
    found = ids.of_call(identity) if kind == "tool_use" else ids.of_result(identity)
    return block if found == identity else {**block, name: found}


def _is_blank(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") != "text":
        return False
    text = block.get("text")
    return isinstance(text, str) and not text.strip()
