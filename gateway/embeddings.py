"""`POST /v1/embeddings`: https://platform.openai.com/docs/api-reference/embeddings/create"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta, Struct

from apikeys.decoding import BodyError
from gateway import names
from gateway.inputs import shown, texts_or_tokens
from routing.engine import ANY_SERVICE
from routing.task_types import TaskType
from services.adapters.base import (
    ChatRequest,
    EmbeddingRequest,
    ErrorKind,
    Feature,
    ProviderError,
    Reply,
)
from tasks.body import check_other_fields
from tasks.request import TaskRequest


class EmbeddingsBody(Struct, kw_only=True):
    model: str | None = None
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Meta(ge=1, le=100_000)] | None = None


def task_request(body: EmbeddingsBody, raw: Any) -> TaskRequest:
    """`raw` is what `body` was read from. Raises `BodyError` and `names.ModelNotFoundError`."""
    named = names.resolve(body.model or ANY_SERVICE)
    if not named.model:
        # Vectors of different models cannot be compared, so none is chosen for the client.
        raise BodyError("model must name a model that makes embeddings, as in openai/text-embedding-3-small.")
    inputs = texts_or_tokens(body.input, "input")
    return TaskRequest(
        chat=ChatRequest(model=named.model, messages=(shown(inputs),), needs=frozenset({Feature.EMBEDDINGS})),
        task_type=TaskType.GENERAL,
        service=named.service,
        embedding=EmbeddingRequest(named.model, inputs, body.dimensions, _extra(raw)),
    )


class Embedding(TypedDict):
    """The vector as numbers or, where the client asks for `base64`, as the bytes of its float32 numbers."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(TypedDict):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


def answer(reply: Reply, encoding: str) -> EmbeddingList:
    """SDKs ask for base64, which is shorter and quicker to read than numbers in JSON.

    Raises `ProviderError` for numbers that it cannot hold.
    """
    spent = reply.usage.prompt_tokens
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _encoded(vector) if encoding == "base64" else list(vector),
            }
            for index, vector in enumerate(reply.vectors)
        ],
        "model": reply.model,
        "usage": {"prompt_tokens": spent, "total_tokens": spent},
    }


def _extra(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What Oxide has no word for: whether a text is a question or a document, with some servers. Raises `BodyError`."""
    extra = {name: value for name, value in raw.items() if name not in EmbeddingsBody.__struct_fields__}
    check_other_fields(extra)
    return extra


def _encoded(vector: Sequence[float]) -> str:
    """Float32, little-endian: what the SDKs unpack."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise ProviderError(ErrorKind.MALFORMED, _TOO_LARGE) from None


_TOO_LARGE = "A vector has a number too large for base64. Ask with encoding_format float, or use another model."
