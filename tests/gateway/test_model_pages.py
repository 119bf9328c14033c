"""Pages of the list of models, as both dialects ask for them."""

from __future__ import annotations

from typing import Any

import pytest

from apikeys.decoding import BodyError
from gateway import model_pages
from gateway.names import Offer

OFFERS = tuple(Offer(name, "oxide") for name in "abcde")


def ids(dialect: Any, **query: str) -> tuple[str, bool]:
    found = model_pages.page(OFFERS, query, dialect)
    return "".join(offer.id for offer in found.offers), found.has_more


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ("abcde", False)),
        ({"limit": "1000"}, ("abcde", False)),
        ({"limit": "99999999999"}, ("abcde", False)),
        ({"limit": ""}, ("abcde", False)),
        ({"limit": "5"}, ("abcde", False)),
        ({"limit": "2"}, ("ab", True)),
        ({"limit": "2", "after_id": "b"}, ("cd", True)),
        ({"limit": "2", "after_id": "d"}, ("e", False)),
        ({"after_id": "e"}, ("", False)),
        ({"limit": "2", "before_id": "d"}, ("bc", True)),
        ({"limit": "2", "before_id": "c"}, ("ab", False)),
        ({"before_id": "a"}, ("", False)),
    ],
)
def test_anthropics_pages(query: dict[str, str], expected: tuple[str, bool]) -> None:
    assert ids("anthropic", **query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ("abcde", False)),
        ({"limit": "2"}, ("ab", True)),
        ({"limit": "2", "after": "b"}, ("cd", True)),
        ({"limit": "3", "after": "b"}, ("cde", False)),
        ({"after": "c"}, ("de", False)),
    ],
)
def test_openais_pages(query: dict[str, str], expected: tuple[str, bool]) -> None:
    assert ids("openai", **query) == expected


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "ten", "٣", "1e3", "true", "0" * 10])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_limit_is_a_whole_number_above_zero(dialect: Any, limit: str) -> None:
    with pytest.raises(BodyError, match="limit must be a whole number from 1 to 1000"):
        ids(dialect, limit=limit)


def test_a_model_that_is_not_in_the_list_is_named() -> None:
    for dialect, name in (("openai", "after"), ("anthropic", "after_id"), ("anthropic", "before_id")):
        with pytest.raises(BodyError, match=f"^{name}: there is no model 'nobody'"):
            ids(dialect, **{name: "nobody"})
    with pytest.raises(BodyError, match="not both"):
        ids("anthropic", after_id="a", before_id="c")
