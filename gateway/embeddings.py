"""`POST /v1/embeddings`: https://platform.openai.com/docs/api-reference/embeddings/create"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from apikeys.decoding import BodyError
from gateway import names
from routing.task_types import TaskType
from services.adapters.base import ChatRequest, EmbeddingRequest, Feature, Message, Reply, TextPart
from tasks.request import TaskRequest

MOST_INPUTS = 2048


class EmbeddingsBody(Struct):
    model: str
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Meta(ge=1, le=100_000)] | None = None


def task_request(body: EmbeddingsBody) -> TaskRequest:
    """Raises `BodyError` and `names.ModelNotFoundError`."""
    named = names.resolve(body.model)
    if not named.model:
        raise BodyError("model must name a model that makes embeddings, as in openai/text-embedding-3-small.")
    inputs = _inputs(body.input)
    shown = tuple(TextPart(text if isinstance(text, str) else f"[{len(text)} tokens]") for text in inputs)
    return TaskRequest(
        chat=ChatRequest(model=named.model, messages=(Message("user", shown),), needs=frozenset({Feature.EMBEDDINGS})),
        task_type=TaskType.GENERAL,
        service=named.service,
        embedding=EmbeddingRequest(named.model, inputs, body.dimensions),
    )


def answer(reply: Reply, encoding: str) -> dict[str, Any]:
    """SDKs ask for base64, which is shorter and quicker to read than numbers in JSON."""
    spent = reply.usage.prompt_tokens
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(vector) if encoding == "base64" else vector}
            for index, vector in enumerate(reply.vectors)
        ],
        "model": reply.model,
        "usage": {"prompt_tokens": spent, "total_tokens": spent},
    }


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> tuple[str, ...] | tuple[tuple[int, ...], ...]:
    if isinstance(given, str):
        given = [given]
    if not 1 <= len(given) <= MOST_INPUTS or not all(item or item == 0 for item in given):
        raise BodyError(f"input must be 1 to {MOST_INPUTS} texts, none of them empty.")
    if isinstance(given[0], int):
        return (tuple(given),)
    if isinstance(given[0], list):
        return tuple(tuple(tokens) for tokens in given)
    return tuple(given)


def _encoded(vector: Sequence[float]) -> str:
    """Float32, little-endian: what the SDKs unpack."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
