"""How values look in answers."""

from __future__ import annotations

import enum
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.utils.functional import lazystr

from oxide_project.rendering import JSONRenderer
from tasks.models import Status


class Colour(enum.StrEnum):
    RED = "red"


def rendered(value: Any) -> bytes:
    return JSONRenderer().render(value)


@pytest.mark.parametrize(
    ("value", "json_text"),
    [
        (datetime(2024, 12, 27, 12, tzinfo=UTC), '"2024-12-27T12:00:00Z"'),
        (datetime(2024, 12, 27, 12, 0, 0, 250_000, tzinfo=UTC), '"2024-12-27T12:00:00.250000Z"'),
        (datetime(2024, 12, 27, 12, tzinfo=timezone(timedelta(hours=1))), '"2024-12-27T12:00:00+01:00"'),
        (Decimal("0.000125"), "0.000125"),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Status.COMPLETED, '"completed"'),
        (Colour.RED, '"red"'),
        (lazystr("later"), '"later"'),
        ((1, 2), "[1,2]"),
        ({1: "one"}, '{"1":"one"}'),
        ("Grüße 😀", '"Grüße 😀"'),
        (float("nan"), "null"),
        ({}, "{}"),
    ],
)  # fmt: skip
def test_each_value_has_one_form(value: Any, json_text: str) -> None:
    assert rendered({"value": value}).decode() == f'{{"value":{json_text}}}'
    json.loads(rendered(value))


def test_no_data_is_no_body() -> None:
    assert rendered(None) == b""


def test_what_has_no_json_form_is_a_defect() -> None:
    with pytest.raises(TypeError):
        rendered({"value": object()})
