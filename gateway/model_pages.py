"""A part of the list of models, as the query of each dialect asks for it.

https://platform.claude.com/docs/en/api/models/list: `limit`, `after_id`, `before_id`. OpenAI's list of models has no
pages of its own; `limit` and `after` mean what they do in its other lists:
https://platform.openai.com/docs/api-reference/files/list
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apikeys.decoding import BodyError
from gateway.names import Offer
from gateway.paths import Dialect

# Both vendors take at most that many; a larger number asks for all that there is.
_LARGEST = 1_000


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Models in the order of the whole list. `has_more` looks in the direction that was asked for.

    `is_part` where a part of the list was asked for, even if that turned out to be all of it.
    """

    offers: Sequence[Offer]
    has_more: bool = False
    is_part: bool = False


def page(offers: Sequence[Offer], query: Mapping[str, str], dialect: Dialect) -> ModelPage:
    """Without a limit the whole list: it is short, and most clients read no second page.

    Raises `BodyError` that names the parameter.
    """
    if not query:
        return ModelPage(offers)
    limit = _limit(query.get("limit"))
    if dialect == "openai":
        return _first(_after(offers, query, "after"), limit)
    if query.get("before_id"):
        if query.get("after_id"):
            raise BodyError("Send after_id or before_id, not both.")
        return _last(_before(offers, query), limit)
    return _first(_after(offers, query, "after_id"), limit)


def _limit(given: str | None) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and int(given[:9]) > 0):
        raise BodyError(f"limit must be a whole number from 1 to {_LARGEST}, not {given[:50]!r}.")
    return None if int(given[:9]) >= _LARGEST else int(given)


def _after(offers: Sequence[Offer], query: Mapping[str, str], name: str) -> Sequence[Offer]:
    return offers[_place(offers, query[name], name) + 1 :] if query.get(name) else offers


def _before(offers: Sequence[Offer], query: Mapping[str, str]) -> Sequence[Offer]:
    return offers[: _place(offers, query["before_id"], "before_id")]


def _place(offers: Sequence[Offer], model: str, name: str) -> int:
    place = next((place for place, offer in enumerate(offers) if offer.id == model), None)
    if place is None:
        raise BodyError(f"{name}: there is no model {model[:200]!r} in the list. Begin again without {name}.")
    return place


def _first(offers: Sequence[Offer], limit: int | None) -> ModelPage:
    return ModelPage(offers[:limit], limit is not None and len(offers) > limit, is_part=True)


def _last(offers: Sequence[Offer], limit: int | None) -> ModelPage:
    if limit is None or len(offers) <= limit:
        return ModelPage(offers, is_part=True)
    return ModelPage(offers[-limit:], has_more=True, is_part=True)
