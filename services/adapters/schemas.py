"""JSON Schemas in the form that vendors accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

_MIXERS: Final = ("anyOf", "oneOf", "allOf")
_REFUSED_AT_THE_ROOT: Final = (*_MIXERS, "not", "enum", "const", "if", "then", "else", "$schema", "$id", "$ref")
_DEPTH: Final = 8
# What structured outputs refuse of JSON Schema:
# https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
_CONSTRAINTS: Final = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    }
)


def object_schema(schema: Any) -> dict[str, Any]:
    """A tool's parameters as an object without alternatives at its root, which vendors refuse.

    Alternatives become one object with the properties of all; their own lists of required properties move to the
    description. A schema that is no object becomes the property `value` of one.
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use,
    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if not isinstance(schema, Mapping):
        return {"type": "object", "properties": {}}
    schema = {name: value for name, value in schema.items() if value is not None}
    if schema.get("type") == "object" and not any(name in schema for name in _REFUSED_AT_THE_ROOT):
        return dict(schema) if isinstance(schema.get("properties"), Mapping) else {**schema, "properties": {}}
    return _as_object(_merged(schema, schema, 0))


def _as_object(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = schema.get("type", "object")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    plain = {name: value for name, value in schema.items() if name not in _REFUSED_AT_THE_ROOT}
    if "object" in kinds or None in kinds or isinstance(schema.get("properties"), Mapping):
        return {**plain, "type": "object", "properties": schema.get("properties") or {}}
    inner = {name: value for name, value in schema.items() if name not in ("$schema", "$id", "$defs", "definitions")}
    shared: dict[str, Any] = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
    return {"type": "object", "properties": {"value": inner}, "required": ["value"], **shared}


def _merged(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """The schema with what it refers to and its alternatives laid into it."""
    schema = _resolved(schema, root)
    result = {name: value for name, value in schema.items() if name not in _MIXERS}
    if depth >= _DEPTH:
        return result
    for mixer in _MIXERS:
        found = schema.get(mixer)
        branches = [
            _merged(branch, root, depth + 1)
            for branch in (found if isinstance(found, list) else ())
            if isinstance(branch, Mapping)
        ]
        branches = [branch for branch in branches if branch.get("type") != "null"]
        if branches:
            _lay_in(result, branches, mixer)
    return result


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` at the root of a schema stands for, if it is in the same document."""
    for _ in range(_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        target: Any = root
        for step in filter(None, reference[1:].split("/")):
            name = unquote(step).replace("~1", "/").replace("~0", "~")  # https://www.rfc-editor.org/rfc/rfc6901
            target = target.get(name) if isinstance(target, Mapping) else None
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        schema = {**target, **rest} if isinstance(target, Mapping) else rest
    return schema


def _lay_in(result: dict[str, Any], branches: list[dict[str, Any]], mixer: str) -> None:
    if properties := _all_properties([result, *branches]):
        result["properties"] = properties
    needs = [_names(branch.get("required")) for branch in branches]
    everyones = [name for name in needs[0] if all(name in each for each in needs)]
    needed = [name for each in needs for name in each] if mixer == "allOf" else everyones
    if required := list(dict.fromkeys([*_names(result.get("required")), *needed])):
        result["required"] = required
    kinds = [branch["type"] for branch in branches if "type" in branch]
    if kinds:
        result.setdefault("type", "object" if "object" in kinds else kinds[0])
    if mixer != "allOf" and any(each != needs[0] for each in needs):
        choices = "; or ".join(", ".join(each) or "none" for each in needs)
        said = f"Give {'exactly' if mixer == 'oneOf' else 'at least'} one of these sets of properties: {choices}."
        result["description"] = f"{result.get('description') or ''} {said}".strip()


def _all_properties(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """The properties of all; one that they describe in different ways may be any of these."""
    found: dict[str, Any] = {}
    for schema in schemas:
        properties = schema.get("properties")
        for name, value in properties.items() if isinstance(properties, Mapping) else ():
            found[name] = value if name not in found or found[name] == value else _either(found[name], value)
    return found


def _either(first: Any, second: Any) -> dict[str, Any]:
    known = first["anyOf"] if isinstance(first, Mapping) and set(first) == {"anyOf"} else [first]
    return {"anyOf": [*known, *([second] if second not in known else [])]}


def _names(found: Any) -> list[str]:
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def closed_schema(schema: Any) -> Any:
    """The schema of an answer with closed objects, and without constraints that structured outputs refuse.

    A constraint that is left out is named in the description, where the model reads it.
    https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
    """
    if isinstance(schema, list):
        return [closed_schema(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    result = {name: _closed_value(name, value) for name, value in schema.items() if name not in _CONSTRAINTS}
    if left := [f"{name}: {schema[name]}" for name in schema if name in _CONSTRAINTS]:
        result["description"] = f"{schema.get('description') or ''} ({', '.join(left)})".strip()
    if schema.get("type") == "object" or "properties" in schema:
        result["additionalProperties"] = False
    return result


def _closed_value(name: str, value: Any) -> Any:
    if name in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
        return {key: closed_schema(each) for key, each in value.items()}
    return value if name in ("enum", "const", "default", "examples", "required") else closed_schema(value)
