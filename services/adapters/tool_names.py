"""Names of tools that a vendor refuses: others are sent in their place, and undone in the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.adapters.base import ChatRequest, Message
from services.adapters.conversation import Spelling

CHOICES = ("", "auto", "none", "required")


def fitted(request: ChatRequest, names: Spelling) -> ChatRequest:
    """The request with names that the vendor takes, in its tools, its history and its choice."""
    if all(names.accepted.fullmatch(name) for name in _used(request)):
        return request
    choice = request.tool_choice
    return replace(
        request,
        tools=tuple(replace(tool, name=names.fit(tool.name)) for tool in request.tools),
        messages=tuple(_renamed(message, names) for message in request.messages),
        tool_choice=choice if choice in CHOICES else names.fit(choice),
    )


def originals(request: ChatRequest, names: Spelling) -> Mapping[str, str]:
    """What the client calls the tools that were sent under another name."""
    odd = (tool.name for tool in request.tools if not names.accepted.fullmatch(tool.name))
    return {names.fit(name): name for name in odd}


def _used(request: ChatRequest) -> list[str]:
    called = [call.name for message in request.messages for call in message.tool_calls]
    return [tool.name for tool in request.tools] + called


def _renamed(message: Message, names: Spelling) -> Message:
    if not message.tool_calls:
        return message
    calls = tuple(replace(call, name=names.fit(call.name)) for call in message.tool_calls)
    return replace(message, tool_calls=calls)
