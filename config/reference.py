"""The fields of the configuration file as tables in Markdown, from the schema that checks it (config/schema.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from config.schema import (
    Declaration,
    HealthEntry,
    Price,
    RateLimits,
    RoutingEntry,
    RuleEntry,
    SecurityEntry,
    ServiceEntry,
)
from services.adapters.registry import ADAPTERS, adapter_class

_SECTIONS: Mapping[str, tuple[type[BaseModel], str]] = {
    "The file": (Declaration, ""),
    "services.NAME": (
        ServiceEntry,
        "NAME has up to 50 letters, digits, `_`, `-` and `.`, a letter or digit first.",
    ),
    "services.NAME.health": (
        HealthEntry,
        "Checks decide only in which order services are called, and real calls outrank them.",
    ),
    "services.NAME.price": (
        Price,
        (
            "US dollars: a million tokens, a request, a web search. Tokens without a price here cost what the others "
            "of their side do. Where an answer names a service tier with a known factor (flex, batch), the tokens' "
            "price is multiplied by it."
        ),
    ),
    "routing": (RoutingEntry, ""),
    "routing.rules": (RuleEntry, "Each entry of the list is one rule."),
    "security": (
        SecurityEntry,
        "All but `cors_origins` can also be set in the environment, which wins: see [above](#environment-variables).",
    ),
    "security.rate_limits": (RateLimits, ""),
}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "names with values",
}
_OPTIONS = {
    "context_window": "how many tokens its models take, as one number or by model: `{llama2: 4096}`",
    "default_max_tokens": "the limit of an answer where a request names none: the protocol wants one",
    "delay_seconds": "how long an answer takes",
    "env": "further environment variables that the program gets, none of Oxide's own: `[LLM_USER_PATH]`",
    "keep_alive": "how long a model stays in memory after a call, as Ollama writes it: `10m`",
    "key_path": "an address that a health check asks too, where the list of models is open to all",
    "max_tokens_field": "what the limit of an answer is called; at api.openai.com by default `max_completion_tokens`",
    "num_ctx": "the length of the context in tokens; Ollama's own default is short, and cuts longer prompts off",
    "omit": "fields of the body that the service's models refuse, and that are left out therefore: `[temperature]`",
    "organization": "whose account pays, where a key belongs to several",
    "stream_usage": "whether to ask for the count of tokens at the end of a stream; `false` at Mistral",
    "tool_call_ids": "whose rules the ids of tool calls keep: `openai`, `mistral` or `any`; left out, the vendor's",
    "version": "the version of the protocol",
}


def tables() -> str:
    sections = [_section(title, *about) for title, about in _SECTIONS.items()]
    sections.insert(3, _options())
    return "\n\n".join(sections)


def _section(title: str, model: type[BaseModel], note: str) -> str:
    schema = model.model_json_schema()
    required, kinds = schema.get("required", ()), schema.get("$defs", {})
    head = ["| field | type | allowed | default | meaning | example |", "|---|---|---|---|---|---|"]
    rows = [_row(name, field, kinds, needed=name in required) for name, field in schema["properties"].items()]
    heading = f"### {title}" if title == "The file" else f"### `{title}`"
    return "\n\n".join(filter(None, [heading, note, "\n".join([*head, *rows])]))


def _row(name: str, field: Mapping[str, Any], kinds: Mapping[str, Any], *, needed: bool) -> str:
    kind = _resolved(field, kinds)
    default = "must be given" if needed else "" if "properties" in kind else _default(field["default"])
    example = _code(field["examples"][0]) if "examples" in field else ""
    cells = [f"`{name}`", _type(kind, kinds), "; ".join(_limits(kind, kinds)), default, field["description"], example]
    return f"| {' | '.join(cells)} |"


def _resolved(field: Mapping[str, Any], kinds: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a field is where it is given: its schema without "or null", references followed."""
    for choice in field.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice, kinds)
    reference = field.get("$ref", "").rpartition("/")[2]
    return kinds[reference] if reference else field


def _type(kind: Mapping[str, Any], kinds: Mapping[str, Any]) -> str:
    if kind["type"] != "array":
        return _TYPES[kind["type"]]
    item = _resolved(kind["items"], kinds)
    return "list of rules" if item["type"] == "object" else "list of texts"


def _limits(kind: Mapping[str, Any], kinds: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in kind:
        yield ", ".join(f"`{value}`" for value in kind["enum"])
    if "minimum" in kind:
        yield f"{kind['minimum']:.15g} to {kind['maximum']:.15g}"
    if "maxLength" in kind:
        yield f"at most {kind['maxLength']} characters"
    if "items" in kind:
        yield from _limits(_resolved(kind["items"], kinds), kinds)


def _default(value: object) -> str:
    return "none" if value in (None, "", {}) else _code(value)


def _code(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def _options() -> str:
    head = ["| `api` or `type` | option | default | meaning |", "|---|---|---|---|"]
    rows = [
        f"| `{kind}` | `{name}` | {_default(default)} | {_OPTIONS[name]} |"
        for kind in ADAPTERS
        for name, default in adapter_class(kind).OPTIONS.items()
    ]
    note = "An option is of the kind of its default; one without a default may be anything that the server takes."
    return "\n\n".join(["### `services.NAME.options`", note, "\n".join([*head, *rows])])
