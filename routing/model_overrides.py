"""Fields of a request with which a provider, or a gateway behind it, answers by another model than `model` names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# OpenRouter: https://openrouter.ai/docs/api/reference/parameters, https://openrouter.ai/docs/features/presets
# LiteLLM: https://docs.litellm.ai/docs/completion/input, https://docs.litellm.ai/docs/proxy/reliability
# Azure: https://learn.microsoft.com/azure/ai-foundry/openai/reference
# And whatever is called like these: `model_list`, `default_model`, `context_window_fallbacks`.
_FIELDS = re.compile(
    r"models?_?\w*|\w+_models?|\w*fallbacks?\w*|routes?|router|plugins?|providers?|presets?|engines?|deployments?(_\w+)?"
    r"|azure_(deployment|endpoint)|api_(base|key|type|version|url)|base_url|endpoint|(custom_)?llm_provider"
    r"|extra_(body|headers|query)|litellm_\w+|targets|(lora|adapter)\w*"
)

_SCHEMAS = frozenset({"input_schema", "properties", "schema"})


def overriding_fields(body: Mapping[str, Any]) -> Iterator[str]:
    """Those that stand in a body and ask for something, each as it is written there.

    Names count in any spelling: servers written in Go take `MODEL` for `model`.
    https://pkg.go.dev/encoding/json#Unmarshal
    """
    for name, value in body.items():
        if value and name != "model" and _FIELDS.fullmatch(_plain(name)):
            yield name
    tools = body.get("tools")
    for i, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict):
            yield from _models_of(tool, f"tools[{i}]")


def _models_of(tool: Mapping[str, Any], path: str) -> Iterator[str]:
    """Where a tool that the provider runs itself names a model to ask, as those of OpenRouter do in `parameters`.

    What describes a function is a schema, whose properties may be called anything.
    https://openrouter.ai/docs/guides/features/server-tools/overview
    """
    for name, value in tool.items():
        plain = _plain(name)
        if plain == "model" or (plain == "models" and isinstance(value, list)):
            yield f"{path}.{name}"
        elif isinstance(value, dict) and plain not in _SCHEMAS and not _is_function(tool):
            yield from _models_of(value, f"{path}.{name}")


def _is_function(tool: Mapping[str, Any]) -> bool:
    return tool.get("type") in ("function", "custom")


def _plain(name: str) -> str:
    return name.strip().casefold().replace("-", "_")
