"""That a prompt is too long, in the words by which clients of each dialect recognise it and shorten their history."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

# Both are Anthropic's own: https://platform.claude.com/docs/en/build-with-claude/context-windows
_KNOWN_TO_ANTHROPIC: Final = re.compile(
    r"prompt is too long: [\d,]+ tokens > [\d,]+ maximum|exceed context limit: \d+ \+ \d+ > \d+", re.IGNORECASE
)
_KNOWN_TO_OPENAI: Final = "maximum context length"


def for_anthropic(vendor: Mapping[str, Any]) -> str:
    """`vendor` is the `provider_error` of a failed task."""
    message, prompt, maximum = str(vendor["message"]), vendor["prompt_tokens"], vendor["maximum_tokens"]
    if _KNOWN_TO_ANTHROPIC.search(message):
        return message
    if prompt and maximum:
        return f"prompt is too long: {prompt} tokens > {maximum} maximum"
    if "prompt is too long" in message:
        return message
    return f"prompt is too long: {message or vendor['advice']}"


def for_openai(vendor: Mapping[str, Any]) -> str:
    """The same for OpenAI's dialects, which have the code `context_length_exceeded` besides."""
    message, prompt, maximum = str(vendor["message"]), vendor["prompt_tokens"], vendor["maximum_tokens"]
    if _KNOWN_TO_OPENAI in message:
        return message
    if not (prompt and maximum):
        return f"The prompt exceeds the model's maximum context length. {message or vendor['advice']}"
    return (
        f"This model's maximum context length is {maximum} tokens. However, your messages resulted in {prompt} tokens. "
        "Please reduce the length of the messages."
    )
