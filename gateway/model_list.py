"""`GET /v1/models`, as OpenAI and as Anthropic show it.

https://platform.openai.com/docs/api-reference/models/list, https://platform.claude.com/docs/en/api/models-list
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from gateway.model_pages import ModelPage
from gateway.names import Offer

# When a model was made, nobody says; clients want a number, and one that stays the same.
_CREATED = 1_700_000_000
_CREATED_AT = "2023-11-14T22:13:20Z"


class OpenAIModel(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class OpenAIModelList(TypedDict):
    """The rest is as in OpenAI's other lists, and is there where a part of the list was asked for."""

    object: Literal["list"]
    data: list[OpenAIModel]
    first_id: NotRequired[str | None]
    last_id: NotRequired[str | None]
    has_more: NotRequired[bool]


class AnthropicModel(TypedDict):
    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class AnthropicModelList(TypedDict):
    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


class _Ends(TypedDict):
    first_id: str | None
    last_id: str | None
    has_more: bool


def openai(page: ModelPage) -> OpenAIModelList:
    whole: OpenAIModelList = {"object": "list", "data": [openai_entry(offer) for offer in page.offers]}
    return {**whole, **_ends(page)} if page.is_part else whole


def openai_entry(offer: Offer) -> OpenAIModel:
    return {"id": offer.id, "object": "model", "created": _CREATED, "owned_by": offer.service}


def anthropic(page: ModelPage) -> AnthropicModelList:
    return {"data": [anthropic_entry(offer) for offer in page.offers], **_ends(page)}


def anthropic_entry(offer: Offer) -> AnthropicModel:
    return {"type": "model", "id": offer.id, "display_name": offer.id, "created_at": _CREATED_AT}


def _ends(page: ModelPage) -> _Ends:
    first, last = (page.offers[0].id, page.offers[-1].id) if page.offers else (None, None)
    return {"first_id": first, "last_id": last, "has_more": page.has_more}
