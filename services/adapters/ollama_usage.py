"""What Ollama counts: https://docs.ollama.com/api/usage"""

from __future__ import annotations

from services.adapters.base import Usage
from services.adapters.usage import Raw, count


def ollama_usage(raw: Raw) -> Usage | None:
    """The usage in an answer of Ollama; None where it counted nothing."""
    usage = Usage(prompt_tokens=count(raw.get("prompt_eval_count")), completion_tokens=count(raw.get("eval_count")))
    return usage if usage.total_tokens else None
