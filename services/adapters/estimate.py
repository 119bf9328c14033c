"""Tokens where a provider counts none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from services.adapters.base import ChatRequest, EmbeddingRequest, Usage

# A common rule of thumb for English, and near enough for a figure that is marked as an estimate:
# https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them
CHARACTERS_PER_TOKEN: Final = 4


def estimate(request: ChatRequest, text: str) -> Usage:
    """Guess the usage of an exchange: `text` is all that the model wrote. Images are not counted."""
    return Usage(
        prompt_tokens=_tokens(sum(map(len, _prompt_texts(request)))),
        completion_tokens=_tokens(len(text)),
        reported=False,
    )


def completed(usage: Usage | None, request: ChatRequest, text: str) -> Usage:
    """What the provider counted, with a guess for each side that it left out.

    Ollama leaves out a prompt that it had in its cache from before: https://github.com/ollama/ollama/issues/2068
    """
    if usage and usage.prompt_tokens and (usage.completion_tokens or not text):
        return usage
    guess = estimate(request, text)
    if usage is None:
        return guess
    return replace(
        usage,
        prompt_tokens=usage.prompt_tokens or guess.prompt_tokens,
        completion_tokens=usage.completion_tokens or guess.completion_tokens,
        reported=False,
    )


def estimate_inputs(request: EmbeddingRequest) -> Usage:
    """The same for texts to be embedded; those that come as tokens are counted."""
    counts = (_tokens(len(item)) if isinstance(item, str) else len(item) for item in request.inputs)
    return Usage(prompt_tokens=sum(counts), reported=False)


def _prompt_texts(request: ChatRequest) -> list[str]:
    called = [called for message in request.messages for called in message.tool_calls]
    return [message.text for message in request.messages] + [call.name + call.arguments for call in called]


def _tokens(characters: int) -> int:
    return math.ceil(characters / CHARACTERS_PER_TOKEN)
