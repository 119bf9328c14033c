"""What has come of an answer so far: to be told, and to be paid for where the rest does not come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from services.adapters.assembly import Assembly
from services.adapters.base import ChatRequest, Delta, Finish, FinishReason, Reply, ToolCallDelta, Usage
from services.adapters.estimate import completed, estimate
from services.adapters.usage import Raw, UsageMeter
from services.adapters.wire import with_tools


class CutShortError(Exception):
    """A stream ended before the answer did."""


class StreamReader(ABC):
    """Reads the events of one stream, and keeps what has come of the answer.

    A vendor's `feed` yields the deltas of one event and sets what the event tells besides:
    `model`, `finish` once the provider has said why the answer ended, and `is_over` once
    nothing more is to come. What it counts goes into `meter`, which `read_usage` reads.
    A stream that ends while `finish` is None is a broken one.
    """

    def __init__(self, request: ChatRequest, read_usage: Callable[[Raw], Usage | None]) -> None:
        self.request = request
        self.model = request.model
        self.meter = UsageMeter(read_usage)
        self.finish: FinishReason | None = None
        self.is_over = False
        self.names: Mapping[str, str] = {}  # what the client calls tools that were sent under another name
        self.beside = ""  # what was written besides this answer: other answers to the same request
        self.deltas = 0  # how many there were so far
        self._answer = Assembly()

    @abstractmethod
    def feed(self, event: bytes) -> Iterator[Delta]:
        """The deltas in one event."""

    def is_news(self, event: bytes) -> bool:  # noqa: ARG002
        """Whether an event is part of the answer: a mark of the stream's end, or of life, is none."""
        return True

    def read(self, event: bytes) -> Iterator[Delta]:
        for delta in self.feed(event):
            self.deltas += 1
            if self.names and isinstance(delta, ToolCallDelta) and delta.name in self.names:
                delta = replace(delta, name=self.names[delta.name])  # noqa: PLW2901
            self._answer.add(delta)
            yield delta

    def mark_done(self) -> None:
        """The stream holds the mark with which OpenAI's end; some servers send it in other protocols too."""
        self.is_over = True

    @property
    def is_complete(self) -> bool:
        """Whether nothing but the usage is still to come: of several answers, whether all have ended."""
        return self.finish is not None

    @property
    def end(self) -> Finish:
        if self.finish is None:
            raise CutShortError
        reason = with_tools(self.finish, self._answer.tool_calls)
        return Finish(reason, completed(self.meter.usage, self.request, self.written), self.model)

    @property
    def reply(self) -> Reply:
        """The answer as a whole, once it has ended. Raises `CutShortError` before."""
        end = self.end
        return self._answer.reply(model=end.model, finish_reason=end.reason, usage=end.usage)

    @property
    def so_far(self) -> Reply:
        """What has come of the answer, whether or not there is any."""
        return self._answer.reply(
            model=self.model, finish_reason=self.finish or "stop", usage=self.meter.usage or Usage()
        )

    @property
    def written(self) -> str:
        """All that the model has written so far, to be counted."""
        return self._answer.written + self.beside

    @property
    def partial(self) -> Reply | None:
        """What has come so far; None where nothing has."""
        if self._answer.is_empty and not self.beside and self.meter.usage is None:
            return None
        return self._answer.reply(model=self.model, finish_reason=self.finish or "stop", usage=self._usage_so_far())

    @property
    def prompt_alone(self) -> Usage:
        return estimate(self.request, "")

    def _usage_so_far(self) -> Usage:
        usage = completed(self.meter.usage, self.request, self.written)
        if self.meter.usage is None or self.finish:
            return usage
        # A count from the middle of an answer knows the prompt, but not yet all that was written, nor all it costs.
        guess = estimate(self.request, self.written)
        return replace(
            usage,
            completion_tokens=max(usage.completion_tokens, guess.completion_tokens),
            reported=False,
            cost=None,
            estimated_cost=usage.cost or usage.estimated_cost,
        )


class WholeAnswer:
    """An answer that is asked for as a whole. Where it cannot be read, the figures in it may still be."""

    def __init__(
        self, model: str, prompt: Callable[[], Usage], figures: Callable[[dict[str, Any]], Usage | None]
    ) -> None:
        self.model = model
        self.content = b""
        self._prompt = prompt
        self._figures = figures

    @property
    def prompt_alone(self) -> Usage:
        return self._prompt()

    @property
    def partial(self) -> Reply | None:
        try:
            payload = msgspec.json.decode(self.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        usage = self._figures(payload) if isinstance(payload, dict) else None
        return Reply(model=self.model, usage=usage) if usage else None
