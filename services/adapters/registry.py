"""Which adapter speaks to which kind of service."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from services.adapters.base import Adapter

# kind (`ServiceConfig.kind`) → label, dotted path of the class
ADAPTERS: Mapping[str, tuple[str, str]] = {
    "openai": ("OpenAI-compatible", "services.adapters.openai.OpenAIAdapter"),
    "ollama": ("Ollama", "services.adapters.ollama.OllamaAdapter"),
    "anthropic": ("Anthropic Messages", "services.adapters.anthropic.AnthropicAdapter"),
    "gemini": ("Gemini generateContent", "services.adapters.gemini.GeminiAdapter"),
    "cli": ("Command-line tool", "services.adapters.cli.CliAdapter"),
    "builtin": ("Built in", "services.adapters.echo.EchoAdapter"),
}


@cache
def adapter_class(kind: str) -> type[Adapter]:
    """The adapter for one kind of service, imported on first use. An unknown kind raises `LookupError`.

    Adapters are reached through here alone, so that a process loads only those that it uses.
    """
    if kind not in ADAPTERS:
        raise LookupError(f"There is no adapter for {kind!r}. Use one of: {', '.join(ADAPTERS)}.")
    module, _, name = ADAPTERS[kind][1].rpartition(".")
    adapter: type[Adapter] = getattr(import_module(module), name)
    return adapter
