"""Schemas of tools have an object at their root, and nothing beside it that vendors refuse."""

from __future__ import annotations

from typing import Any

import pytest

from services.adapters.schemas import closed_schema, object_schema

TEXT = {"type": "string"}
NUMBER = {"type": "number"}


@pytest.mark.parametrize("schema", [None, {}, True, False, "object", [], {"type": "object"}, {"type": None}])
def test_no_schema_is_an_object_without_properties(schema: Any) -> None:
    assert object_schema(schema) == {"type": "object", "properties": {}}


def test_a_good_schema_stays_as_it_is() -> None:
    schema = {"type": "object", "properties": {"q": {"anyOf": [TEXT, NUMBER]}}, "additionalProperties": False}
    assert object_schema(schema) == schema


@pytest.mark.parametrize("mixer", ["anyOf", "oneOf"])
def test_alternatives_become_one_object(mixer: str) -> None:
    by_name = {"type": "object", "properties": {"name": TEXT, "limit": NUMBER}, "required": ["name", "limit"]}
    by_id = {"type": "object", "properties": {"id": NUMBER, "limit": NUMBER}, "required": ["id", "limit"]}
    found = object_schema({mixer: [by_name, by_id]})
    assert found["properties"] == {"name": TEXT, "limit": NUMBER, "id": NUMBER}
    assert found["required"] == ["limit"]
    assert "name, limit; or id, limit" in found["description"]
    assert found["type"] == "object"
    assert mixer not in found


def test_all_of_several_become_one_object_that_needs_all() -> None:
    parts = [
        {"properties": {"a": TEXT}, "required": ["a"]},
        {"type": "object", "properties": {"b": TEXT}, "required": ["b"]},
    ]
    found = object_schema({"type": "object", "properties": {"c": TEXT}, "allOf": parts})
    assert found == {
        "type": "object",
        "properties": {"c": TEXT, "a": TEXT, "b": TEXT},
        "required": ["a", "b"],
    }


def test_a_property_that_alternatives_describe_differently_may_be_either() -> None:
    branches = [{"properties": {"x": TEXT}}, {"properties": {"x": NUMBER}}]
    assert object_schema({"oneOf": branches})["properties"]["x"] == {"anyOf": [TEXT, NUMBER]}


def test_alternatives_within_alternatives_and_references_are_laid_open() -> None:
    schema = {
        "$defs": {"city": {"type": "object", "properties": {"city": TEXT}, "required": ["city"]}},
        "anyOf": [{"$ref": "#/$defs/city"}, {"anyOf": [{"properties": {"zip": TEXT}}, {"type": "null"}]}],
    }
    found = object_schema(schema)
    assert found["properties"].keys() == {"city", "zip"}
    assert found["$defs"] == schema["$defs"]


def test_a_root_that_refers_to_a_definition_is_that_definition() -> None:
    definition = {"type": "object", "properties": {"q": TEXT}}
    assert object_schema({"$ref": "#/definitions/q", "definitions": {"q": definition}})["properties"] == {"q": TEXT}


@pytest.mark.parametrize("reference", ["#/$defs/a~1b~0c", "#/$defs/a%2Fb~0c"])
def test_a_reference_may_hold_escapes(reference: str) -> None:
    definition = {"type": "object", "properties": {"q": TEXT}}
    assert object_schema({"$ref": reference, "$defs": {"a/b~c": definition}})["properties"] == {"q": TEXT}


def test_references_in_a_circle_end() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}
    assert object_schema(schema)["type"] == "object"


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"q": TEXT}},
        {"type": ["object", "null"], "properties": {"q": TEXT}},
        {"properties": {"q": TEXT}, "required": None, "additionalProperties": None},
        {"properties": {"q": TEXT}, "not": {"required": ["x"]}},
        {"type": "object", "properties": {"q": TEXT}, "if": {}, "then": {}},
    ],
)
def test_what_vendors_refuse_at_the_root_is_left_out(schema: dict[str, Any]) -> None:
    assert object_schema(schema) == {"type": "object", "properties": {"q": TEXT}}


@pytest.mark.parametrize("schema", [{"type": "array", "items": TEXT}, {"type": "string", "enum": ["a"]}])
def test_what_is_no_object_becomes_a_property_of_one(schema: dict[str, Any]) -> None:
    assert object_schema(schema) == {"type": "object", "properties": {"value": schema}, "required": ["value"]}


def test_a_closed_schema_says_in_words_what_it_cannot_hold() -> None:
    schema = {
        "type": "object",
        "properties": {
            "minimum": {"type": "integer", "minimum": 1, "description": "Least."},
            "list": {"type": "array", "items": {"type": "object", "properties": {"x": TEXT}}},
        },
        "required": ["minimum"],
    }
    assert closed_schema(schema) == {
        "type": "object",
        "properties": {
            "minimum": {"type": "integer", "description": "Least. (minimum: 1)"},
            "list": {
                "type": "array",
                "items": {"type": "object", "properties": {"x": TEXT}, "additionalProperties": False},
            },
        },
        "required": ["minimum"],
        "additionalProperties": False,
    }
