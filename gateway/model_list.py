"""`GET /v1/models`, as OpenAI and as Anthropic show it.

https://platform.openai.com/docs/api-reference/models/list, https://platform.claude.com/docs/en/api/models-list
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

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
    object: Literal["list"]
    data: list[OpenAIModel]


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


def openai(offers: Sequence[Offer]) -> OpenAIModelList:
    return {"object": "list", "data": [openai_entry(offer) for offer in offers]}


def openai_entry(offer: Offer) -> OpenAIModel:
    return {"id": offer.id, "object": "model", "created": _CREATED, "owned_by": offer.service}


def anthropic(offers: Sequence[Offer]) -> AnthropicModelList:
    ids = [offer.id for offer in offers]
    return {
        "data": [anthropic_entry(offer) for offer in offers],
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }


def anthropic_entry(offer: Offer) -> AnthropicModel:
    return {"type": "model", "id": offer.id, "display_name": offer.id, "created_at": _CREATED_AT}
