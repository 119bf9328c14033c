"""Texts become vectors, whoever makes them."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import replace

import pytest

from services.adapters.base import Adapter, EmbeddingRequest, ErrorKind, ProviderError, Reply, Usage
from services.adapters.call import Call
from tests.fake_dialects import vector_of
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import KEY, MakeAdapter, call

TEXTS = ("quantum", "computing", "quantum")


@pytest.fixture(params=["openai", "ollama", "gemini"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(api: str, make_adapter: MakeAdapter) -> Adapter:
    return make_adapter(api)


@pytest.fixture
def wanted() -> EmbeddingRequest:
    return EmbeddingRequest("small", TEXTS)


def failed(adapter: Adapter, request: EmbeddingRequest, limits: Call | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        adapter.embed(request, limits or call())
    return caught.value


def test_there_is_a_vector_for_each_text_in_its_order(adapter: Adapter, wanted: EmbeddingRequest) -> None:
    found = adapter.embed(wanted, call())
    assert found.vectors == tuple(tuple(vector_of(text)) for text in TEXTS)
    assert found.model == "small"


def test_what_was_read_is_counted(adapter: Adapter, api: str, wanted: EmbeddingRequest) -> None:
    usage = adapter.embed(wanted, call()).usage
    assert usage.completion_tokens == 0
    # Gemini tells no figures.
    assert (usage.prompt_tokens, usage.reported) == ((7, False) if api == "gemini" else (9, True))


def test_the_number_of_dimensions_is_passed_on(
    adapter: Adapter, api: str, provider: FakeProvider, wanted: EmbeddingRequest
) -> None:
    adapter.embed(replace(wanted, dimensions=256), call())
    body = provider.requests[-1].json
    asked = body["requests"][0]["outputDimensionality"] if api == "gemini" else body["dimensions"]
    assert asked == 256


def test_the_key_goes_along(adapter: Adapter, provider: FakeProvider, wanted: EmbeddingRequest) -> None:
    adapter.embed(wanted, call())
    assert any(KEY in value for value in provider.requests[-1].headers.values())


def test_tokens_are_passed_on_where_the_protocol_has_a_word_for_them(
    adapter: Adapter, api: str, provider: FakeProvider
) -> None:
    wanted = EmbeddingRequest("small", ((1, 2, 3), (4,)))
    if api == "openai":
        adapter.embed(wanted, call())
        assert provider.requests[-1].json["input"] == [[1, 2, 3], [4]]
    else:
        with pytest.raises(ProviderError, match="Send texts") as caught:
            adapter.embed(wanted, call())
        assert caught.value.kind is ErrorKind.UNSUPPORTED
        assert not provider.requests


def test_fewer_vectors_than_texts_are_no_answer(
    adapter: Adapter, api: str, provider: FakeProvider, wanted: EmbeddingRequest
) -> None:
    body = {
        "openai": b'{"data": [{"embedding": [1.0], "index": 0}]}',
        "ollama": b'{"embeddings": [[1.0]]}',
        "gemini": b'{"embeddings": [{"values": [1.0]}]}',
    }[api]
    provider.misbehave("raw", body=body)
    with pytest.raises(ProviderError) as caught:
        adapter.embed(wanted, call())
    assert caught.value.kind is ErrorKind.MALFORMED


def test_a_refusal_is_told(adapter: Adapter, provider: FakeProvider, wanted: EmbeddingRequest) -> None:
    provider.misbehave("refuse", why="auth")
    with pytest.raises(ProviderError) as caught:
        adapter.embed(wanted, call())
    assert caught.value.kind is ErrorKind.AUTH


def test_base64_is_taken_too(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    packed = base64.b64encode(struct.pack("<2f", 0.5, -2.0))
    provider.misbehave("raw", body=b'{"data": [{"embedding": "%b", "index": 0}]}' % packed)
    found = make_adapter("openai").embed(EmbeddingRequest("small", ("x",)), call())
    assert found.vectors == ((0.5, -2.0),)


@pytest.mark.parametrize("odd", ["not base64!", "AAAA", "größer"])
def test_what_is_no_vector_is_malformed(make_adapter: MakeAdapter, provider: FakeProvider, odd: str) -> None:
    body = {"data": [{"embedding": odd, "index": 0}], "usage": {"prompt_tokens": 5}}
    provider.misbehave("raw", body=json.dumps(body).encode())
    error = failed(make_adapter("openai"), EmbeddingRequest("small", ("x",)))
    assert error.kind is ErrorKind.MALFORMED
    assert error.partial is not None
    assert error.partial.usage == Usage(prompt_tokens=5)


@pytest.mark.parametrize("shape", ["{}", "[{}]"])
def test_an_error_may_stand_in_an_answer_of_200(adapter: Adapter, provider: FakeProvider, shape: str) -> None:
    reported = '{"error": {"message": "No such model", "code": "model_not_found"}}'
    provider.misbehave("raw", body=shape.replace("{}", reported).encode())
    error = failed(adapter, EmbeddingRequest("small", ("x",)))
    assert error.kind is ErrorKind.MODEL_NOT_FOUND


def test_vectors_need_no_numbers(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    provider.misbehave("raw", body=b'{"data": [{"embedding": [1, 2], "index": null}, {"embedding": [3, 4]}]}')
    assert make_adapter("openai").embed(EmbeddingRequest("small", ("x", "y")), call()).vectors == ((1, 2), (3, 4))


@pytest.mark.parametrize(("fault", "kind"), [("reset", ErrorKind.CONNECT), ("hang", ErrorKind.TIMEOUT)])
def test_what_was_sent_in_vain_counts(
    adapter: Adapter, provider: FakeProvider, wanted: EmbeddingRequest, fault: str, kind: ErrorKind
) -> None:
    provider.misbehave(fault)
    error = failed(adapter, wanted, call(1))
    assert error.kind is kind
    assert error.partial == Reply(model="small", usage=Usage(7, 0, reported=False))  # 7, 9 and 7 characters


def test_what_was_never_sent_does_not(
    api: str, make_adapter: MakeAdapter, adapter: Adapter, wanted: EmbeddingRequest
) -> None:
    assert failed(make_adapter(api, base_url="http://127.0.0.1:9"), wanted).partial is None
    assert failed(adapter, wanted, call(0)).partial is None


@pytest.mark.parametrize("kind", ["anthropic", "builtin"])
def test_who_makes_none_says_so(make_adapter: MakeAdapter, kind: str) -> None:
    with pytest.raises(ProviderError, match="Use another service") as caught:
        make_adapter(kind, base_url="http://127.0.0.1:9").embed(EmbeddingRequest("small", ("x",)), call())
    assert caught.value.kind is ErrorKind.UNSUPPORTED
