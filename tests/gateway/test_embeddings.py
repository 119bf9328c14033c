"""Texts to vectors: what may be asked, and how vectors are told."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import pytest

from apikeys import decoding
from apikeys.decoding import BodyError
from gateway import embeddings
from gateway.embeddings import EmbeddingsBody
from gateway.inputs import MOST_INPUTS
from services.adapters.base import ErrorKind, Feature, ProviderError, Reply, Usage
from services.models import Service
from tasks.request import TaskRequest

VECTORS = ((0.5, -1.0), (2.0, 0.25))
REPLY = Reply("alpha", vectors=VECTORS, usage=Usage(prompt_tokens=5))


@pytest.fixture
def asked(service: Callable[..., Service]) -> Callable[..., TaskRequest]:
    service("first")

    def read(**fields: Any) -> TaskRequest:
        raw = {"model": "first/alpha", **fields}
        return embeddings.task_request(decoding.body(raw, EmbeddingsBody), raw)

    return read


@pytest.mark.parametrize(
    ("given", "inputs", "shown"),
    [
        ("one", ("one",), "one"),
        (["one", "two"], ("one", "two"), "onetwo"),
        ([1, 2, 3], ((1, 2, 3),), "[3 tokens]"),
        ([[1, 2], [3]], ((1, 2), (3,)), "[2 tokens][1 tokens]"),
    ],
)
def test_texts_and_tokens_keep_their_order(
    asked: Callable[..., TaskRequest], given: Any, inputs: Any, shown: str
) -> None:
    wanted = asked(input=given, dimensions=2)
    assert wanted.embedding is not None
    assert (wanted.embedding.model, wanted.embedding.inputs, wanted.embedding.dimensions) == ("alpha", inputs, 2)
    assert (wanted.service, wanted.prompt) == ("first", shown)
    assert wanted.chat.features == {Feature.EMBEDDINGS}


def test_fields_that_nobody_knows_go_along(asked: Callable[..., TaskRequest]) -> None:
    wanted = asked(input="x", encoding_format="base64", dimensions=2, input_type="query").embedding
    assert wanted is not None
    assert wanted.extra == {"input_type": "query"}


@pytest.mark.parametrize("given", ["", [], ["a", ""], [[]], ["a", 1], ["a", [1]], ["a"] * (MOST_INPUTS + 1)])
def test_what_cannot_be_embedded_is_told(asked: Callable[..., TaskRequest], given: Any) -> None:
    with pytest.raises(BodyError, match="input must be 1 to 2048 texts"):
        asked(input=given)


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"model": "auto"}, "model must name a model that makes embeddings"),
        ({"model": "first"}, "model must name a model that makes embeddings"),
        ({"encoding_format": "hex"}, "encoding_format: .* Use one of float, base64"),
        ({"dimensions": 0}, "dimensions"),
        ({"input": 7}, "input"),
        ({"input": [True]}, "input"),
    ],
)
def test_mistakes_are_named(asked: Callable[..., TaskRequest], fields: dict[str, Any], advice: str) -> None:
    with pytest.raises(BodyError, match=advice):
        asked(**{"input": "x", **fields})


def test_vectors_are_numbers_in_the_order_of_their_texts() -> None:
    told = embeddings.answer(REPLY, "float")
    assert [(item["object"], item["index"], item["embedding"]) for item in told["data"]] == [
        ("embedding", 0, [0.5, -1.0]),
        ("embedding", 1, [2.0, 0.25]),
    ]
    assert (told["object"], told["model"]) == ("list", "alpha")
    assert told["usage"] == {"prompt_tokens": 5, "total_tokens": 5}


def test_in_base64_they_are_little_endian_floats_of_four_bytes() -> None:
    texts = [item["embedding"] for item in embeddings.answer(REPLY, "base64")["data"]]
    assert [struct.unpack("<2f", base64.b64decode(str(text))) for text in texts] == list(VECTORS)


def test_a_number_that_base64_cannot_hold_is_the_providers_fault() -> None:
    reply = Reply("alpha", vectors=((1e300,),))
    with pytest.raises(ProviderError, match="encoding_format float") as caught:
        embeddings.answer(reply, "base64")
    assert caught.value.kind is ErrorKind.MALFORMED
    assert embeddings.answer(reply, "float")["data"][0]["embedding"] == [1e300]
