"""A service that needs no provider: it says back what it was told."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from services.adapters.base import (
    Adapter,
    ChatRequest,
    ErrorKind,
    Feature,
    FilePart,
    Finish,
    FinishReason,
    ImagePart,
    Message,
    Part,
    ProviderError,
    Reply,
    StreamEvent,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from services.adapters.call import Call
from services.adapters.estimate import estimate


class EchoAdapter(Adapter):
    """Answers with the text of the last user message, for a first try, tests and benchmarks.

    An image is echoed as "[image]", a document that is not text as "[file]". Where a tool must be called
    (`tool_choice` is "required" or names one), it calls it with the arguments "{}"; otherwise tools are
    ignored, as a model is free to do. It does not claim JSON: an echo does not take a given shape. How to
    sample and how much to think means nothing to it.

    `delay_seconds` is how long an answer takes; a stream spreads it over the words.
    """

    FEATURES = frozenset({Feature.TOOLS, Feature.IMAGES, Feature.FILES})
    OPTIONS: ClassVar[dict[str, Any]] = {"delay_seconds": 0}

    def complete(self, request: ChatRequest, call: Call) -> Reply:
        reply = self._reply(request)
        _wait(self._delay, call)
        return reply

    def stream(self, request: ChatRequest, call: Call) -> Iterator[StreamEvent]:
        reply = self._reply(request)
        if not reply.text:
            _wait(self._delay, call)
        for index, tool_call in enumerate(reply.tool_calls):
            yield ToolCallDelta(index, tool_call.id, tool_call.name, tool_call.arguments)
        yield from self._words(request, reply, call)
        yield Finish(reply.finish_reason, reply.usage, reply.model)

    def models(self, call: Call) -> list[str]:  # noqa: ARG002
        return ["echo"]

    @property
    def _delay(self) -> float:
        return float(self.options["delay_seconds"])

    def _words(self, request: ChatRequest, reply: Reply, call: Call) -> Iterator[TextDelta]:
        said: list[str] = []
        words = _split(reply.text)
        try:
            for word in words:
                _wait(self._delay / len(words), call)
                said.append(word)
                yield TextDelta(word)
        except ProviderError as error:
            if said:
                error.partial = _answer(request, "".join(said), "stop")
            raise

    def _reply(self, request: ChatRequest) -> Reply:
        if lacking := request.features - self.FEATURES:
            raise ProviderError(
                ErrorKind.UNSUPPORTED,
                f"{self.connection.service} only echoes, without {', '.join(sorted(lacking))}. Choose another service.",
            )
        if request.tools and request.tool_choice not in ("", "auto", "none"):
            called = ToolCall(f"call_{secrets.token_hex(8)}", _chosen_tool(request), "{}")
            return replace(_answer(request, "", "tool_calls"), tool_calls=(called,))
        text = _last_words(request)
        kept = _shortened(request, text)
        return _answer(request, kept, "stop" if kept == text else "length")


def _answer(request: ChatRequest, text: str, reason: FinishReason) -> Reply:
    # Echo is the provider, so what it counts is what the provider reports; and it asks no money.
    usage = replace(estimate(request, text), reported=True, cost=Decimal(0))
    return Reply(model=request.model or "echo", text=text, finish_reason=reason, usage=usage)


def _chosen_tool(request: ChatRequest) -> str:
    names = [tool.name for tool in request.tools]
    if request.tool_choice == "required":
        return names[0]
    if request.tool_choice in names:
        return request.tool_choice
    raise ProviderError(
        ErrorKind.BAD_REQUEST,
        f"tool_choice names {request.tool_choice!r}, which is not among the tools. Use one of: {', '.join(names)}.",
    )


def _last_words(request: ChatRequest) -> str:
    said = [message for message in request.messages if message.role == "user"]
    return _echoed(said[-1]) if said else ""


def _echoed(message: Message) -> str:
    return "".join(_shown(part) for part in message.parts)


def _shown(part: Part) -> str:
    if isinstance(part, ImagePart):
        return "[image]"
    return part.text or "[file]" if isinstance(part, FilePart) else part.text


def _shortened(request: ChatRequest, text: str) -> str:
    """As many whole words of the text as `max_tokens` allows."""
    limit = request.max_tokens
    if limit is None or estimate(request, text).completion_tokens <= limit:
        return text
    words = _split(text)
    fit, too_many = 0, len(words)
    while too_many - fit > 1:
        middle = (fit + too_many) // 2
        if estimate(request, "".join(words[:middle])).completion_tokens <= limit:
            fit = middle
        else:
            too_many = middle
    return "".join(words[:fit])


def _split(text: str) -> list[str]:
    """The words with the space in front of them: joined they are the text again."""
    return re.findall(r"\s*\S+|\s+", text)


def _wait(seconds: float, call: Call) -> None:
    """Let `seconds` pass, or less where the call ends first; then it raises."""
    in_time = seconds < call.remaining
    if call.cancel.wait(min(seconds, call.remaining)):
        raise ProviderError(ErrorKind.CANCELLED, "The call was cancelled.")
    if not in_time:
        raise ProviderError(ErrorKind.TIMEOUT, "The deadline came before the answer. Allow more time.")
