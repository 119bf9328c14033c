"""OpenAI's own SDK against Oxide: programs written for it need another address, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

from tests.exchange import until
from tests.fake_dialects import vector_of
from tests.fake_provider import TEXT, FakeProvider, Tokens
from tests.journeys.sdks.conftest import KINDS
from tests.live import LiveOxide
from tests.waiting import wait_until

ASKED: list[Any] = [{"role": "user", "content": "What is quantum computing?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class City(BaseModel):
    name: str
    people: int


@pytest.fixture
def client(oxide: LiveOxide) -> OpenAI:
    return client_of(oxide)


def client_of(oxide: LiveOxide, **options: Any) -> OpenAI:
    return OpenAI(**{"base_url": f"{oxide.url}/v1", "api_key": "any", "max_retries": 0, **options})


@asynccontextmanager
async def async_client(oxide: LiveOxide, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    settings = {"base_url": f"{oxide.url}/v1", "api_key": "any", "max_retries": 0, **options}
    async with AsyncOpenAI(**settings) as client:
        yield client


# Chat


@pytest.mark.parametrize("kind", KINDS)
def test_a_chat(client: OpenAI, kind: str) -> None:
    answer = client.chat.completions.create(model=kind, messages=ASKED)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (12, 15)
    assert answer.created > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_streamed_chat(client: OpenAI, kind: str) -> None:
    chunks = list(client.chat.completions.create(model=kind, messages=ASKED, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.role] == ["assistant"]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {(chunks[0].id, chunks[0].created, "alpha")}
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_of_a_stream_only_where_they_are_asked_for(client: OpenAI, kind: str) -> None:
    asked: Any = {"include_usage": True}
    stream = client.chat.completions.create(model=kind, messages=ASKED, stream=True, stream_options=asked)
    *chunks, last = stream
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 27
    assert all(chunk.choices for chunk in chunks)
    assert last.id == chunks[0].id


@pytest.mark.parametrize("kind", KINDS)
def test_the_sdks_own_way_to_read_a_stream(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(tool_calls=(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rom"})))
    with client.chat.completions.stream(model=kind, messages=ASKED, tools=[WEATHER]) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert {"chunk", "content.delta", "tool_calls.function.arguments.delta"} <= kinds
    assert message.content == TEXT
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    assert calls == [("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rom"})]
    assert len({call.id for call in message.tool_calls or ()}) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_tools_over_two_turns(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(text="", tool_calls=(("get_weather", {"city": "Oslo"}),))
    first = client.chat.completions.create(model=kind, messages=ASKED, tools=[WEATHER]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls
    call = first.message.tool_calls[0]
    provider.say()
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "Rain"}
    turns: list[Any] = [*ASKED, first.message.model_dump(exclude_none=True), result]
    second = client.chat.completions.create(model=kind, messages=turns, tools=[WEATHER])
    assert second.choices[0].message.content == TEXT
    assert "Rain" in json.dumps(provider.last_call().json)


@pytest.mark.parametrize("kind", KINDS)
def test_structured_output(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(text='{"name": "Oslo", "people": 700000}')
    answer = client.chat.completions.parse(model=kind, messages=ASKED, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Oslo", people=700_000)
    assert "people" in json.dumps(provider.last_call().json)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    turns: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]
    assert client.chat.completions.create(model=kind, messages=turns).choices[0].message.content == TEXT
    assert PIXEL in json.dumps(provider.last_call().json)


def test_a_large_picture(client: OpenAI, provider: FakeProvider) -> None:
    data = "A" * 12 * 2**20
    picture: Any = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    assert client.chat.completions.create(model="openai", messages=[{"role": "user", "content": [picture]}]).choices
    assert provider.last_call().json["messages"][0]["content"] == [picture]


@pytest.mark.parametrize("kind", KINDS)
def test_thoughts_are_shown_beside_the_answer(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(reasoning="Let me think.")
    answer: Any = client.chat.completions.create(model=kind, messages=ASKED)
    assert answer.choices[0].message.reasoning_content == "Let me think."
    chunks: Any = client.chat.completions.create(model=kind, messages=ASKED, stream=True)
    thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks]
    assert "".join(thoughts) == "Let me think."


def test_what_only_openais_protocol_has_goes_through_it_untouched(client: OpenAI, provider: FakeProvider) -> None:
    answer = client.chat.completions.create(
        model="auto", messages=ASKED, n=2, logprobs=True, logit_bias={"7": 1}, extra_body={"something_new": [1]}
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].logprobs is not None
    assert answer.system_fingerprint == "fp_1"
    sent = provider.last_call("openai").json
    assert (sent["n"], sent["something_new"], sent["model"]) == (2, [1], "alpha")
    with pytest.raises(openai.BadRequestError, match="gemini speaks another protocol than OpenAI's"):
        client.chat.completions.create(model="gemini", messages=ASKED, n=2)


def test_several_answers_as_a_stream(client: OpenAI) -> None:
    texts = {0: "", 1: ""}
    for chunk in client.chat.completions.create(model="openai", messages=ASKED, n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {0: TEXT, 1: TEXT}


def test_settings_arrive_in_the_words_of_each_provider(client: OpenAI, provider: FakeProvider) -> None:
    for kind in KINDS:
        client.chat.completions.create(
            model=kind, messages=ASKED, max_completion_tokens=9, temperature=0.5, top_p=0.9, stop=["x"], seed=7
        )
    sent = {kind: provider.last_call(kind).json for kind in KINDS}
    assert (sent["openai"]["max_tokens"], sent["openai"]["seed"]) == (9, 7)
    assert sent["ollama"]["options"] == {"num_predict": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["x"], "seed": 7}
    assert (sent["anthropic"]["max_tokens"], sent["anthropic"]["stop_sequences"]) == (9, ["x"])
    assert sent["gemini"]["generationConfig"]["topP"] == 0.9


def test_old_habits_are_understood(client: OpenAI, provider: FakeProvider) -> None:
    turns: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]  # fmt: skip
    for kind in KINDS:
        answer = client.chat.completions.create(model=kind, messages=turns, max_tokens=5, user="ada")
        assert answer.choices[0].message.content == TEXT
    assert provider.last_call("openai").json["messages"] == turns


def test_headers_say_who_answered_and_what_it_cost(client: OpenAI, oxide: LiveOxide) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto/chat", messages=ASKED)
    answer, headers = raw.parse(), raw.headers
    assert (headers["x-oxide-service"], headers["x-oxide-model"], headers["x-oxide-attempts"]) == (
        "openai",
        "alpha",
        "1",
    )
    assert (headers["x-oxide-cost"], headers["x-oxide-cost-basis"]) == ("0.000042", "computed")
    assert answer._request_id == headers["x-request-id"] == headers["x-oxide-task-id"]
    assert headers["x-ratelimit-limit-requests"] == "100000"
    task = oxide.get(f"/api/tasks/{answer._request_id}/").json()
    assert (task["status"], task["task_type"], task["result"]) == ("completed", "chat", TEXT)


def test_a_stream_has_them_too(client: OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(model="auto", messages=ASKED, stream=True) as raw:
        assert raw.headers["x-oxide-service"] == "openai"
        assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert raw.headers["x-accel-buffering"] == "no"
        assert list(raw.iter_lines())[-2:] == ["data: [DONE]", ""]


# Embeddings, models, completions


@pytest.mark.parametrize("kind", ["openai", "ollama", "gemini"])
@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_embeddings(client: OpenAI, oxide: LiveOxide, kind: str, encoding: Any) -> None:
    found = client.embeddings.create(model=f"{kind}/alpha", input=["quantum", "computing"], encoding_format=encoding)
    vectors: list[Any] = [item.embedding for item in found.data]
    if encoding == "base64":  # which the SDK reads only where it asks for it of itself
        vectors = [memoryview(base64.b64decode(vector)).cast("f").tolist() for vector in vectors]
    assert vectors == [vector_of("quantum"), vector_of("computing")]
    assert client.embeddings.create(model=f"{kind}/alpha", input="quantum").data[0].embedding == vector_of("quantum")
    assert found.usage.prompt_tokens > 0
    newest = oxide.get("/api/tasks/history/", params={"limit": 1}).json()["tasks"][0]
    assert (newest["status"], newest["service_used"], newest["prompt"]) == ("completed", kind, "quantum")


def test_embeddings_that_nobody_makes(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="anthropic makes no embeddings"):
        client.embeddings.create(model="anthropic/alpha", input="x")
    with pytest.raises(openai.BadRequestError, match="must name a model"):
        client.embeddings.create(model="auto", input="x")
    with pytest.raises(openai.BadRequestError, match="none may be empty"):
        client.embeddings.create(model="openai/alpha", input=["x", ""])


def test_tokens_to_embed(client: OpenAI, provider: FakeProvider) -> None:
    assert len(client.embeddings.create(model="openai/alpha", input=[[1, 2], [3]]).data) == 2
    assert provider.last_call().json["input"] == [[1, 2], [3]]


def test_the_models(client: OpenAI, provider: FakeProvider, oxide: LiveOxide) -> None:
    provider.model_names = ["alpha", "meta/llama:70b", "beta"]
    try:
        oxide.post("/api/services/openai/test/")
        ids = [model.id for model in client.models.list()]
        assert ids[:2] == ["auto", "auto/question_answer"]
        assert {"openai/alpha", "openai/meta/llama:70b", "echo/echo"} <= set(ids)
        assert client.models.retrieve("openai/meta/llama:70b").owned_by == "openai"
        assert client.models.retrieve("meta/llama:70b").owned_by == "openai"
        assert client.chat.completions.create(model="meta/llama:70b", messages=ASKED).model == "meta/llama:70b"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("nobody/has:it")
    finally:
        provider.model_names = ["alpha", "beta"]
        oxide.post("/api/services/openai/test/")


def test_the_models_page_by_page(oxide: LiveOxide) -> None:
    every = [model["id"] for model in oxide.get("/v1/models").json()["data"]]
    page = oxide.get("/v1/models", params={"limit": 2, "after": every[1]}).json()
    assert [model["id"] for model in page["data"]] == every[2:4]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, every[2], every[3])
    for wrong in ({"limit": "many"}, {"after": "nobody/none"}):
        answer = oxide.get("/v1/models", params=wrong)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
        assert next(iter(wrong)) in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/chat", "/v1/responses/none/cancel"])
def test_what_is_not_there_is_told_in_openais_form(client: OpenAI, path: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.get(path.removeprefix("/v1"), cast_to=object)
    assert (caught.value.code, caught.value.type) == ("not_found", "invalid_request_error")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": ASKED}),
        ("/v1/completions", {"prompt": "Hello"}),
        ("/v1/responses", {"input": "Hello"}),
        ("/v1/messages", {"messages": ASKED, "max_tokens": 10}),
    ],
)
def test_a_request_without_a_model_leaves_the_choice_to_oxide(
    oxide: LiveOxide, path: str, body: dict[str, Any]
) -> None:
    for model in ({}, {"model": None}, {"model": ""}):
        for stream in ({}, {"stream": True}):
            answer = oxide.post(path, json={**body, **model, **stream})
            assert (answer.status_code, answer.headers["x-oxide-service"]) == (200, "openai"), answer.text


def test_a_model_of_embeddings_is_named_always(oxide: LiveOxide) -> None:
    for model in ({}, {"model": None}, {"model": ""}):
        answer = oxide.post("/v1/embeddings", json={"input": "Hello", **model})
        assert (answer.status_code, "model must name a model" in answer.text) == (400, True)


@pytest.mark.parametrize("kind", KINDS)
def test_completions(client: OpenAI, kind: str) -> None:
    answer = client.completions.create(model=kind, prompt="Say something.")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (TEXT, "stop")
    chunks = list(client.completions.create(model=kind, prompt="Say something.", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT


ITS_OWN: list[tuple[dict[str, Any], list[str]]] = [
    ({"prompt": ["One:", "Two:"]}, [TEXT, TEXT]),
    ({"prompt": ["One:", "Two:"], "n": 2, "echo": True}, [f"One: {TEXT}"] * 2 + [f"Two: {TEXT}"] * 2),
    ({"prompt": "One:", "n": 3}, [TEXT] * 3),
    ({"prompt": [7, 8, 9]}, [TEXT]),
    ({"prompt": [[7], [8, 9]]}, [TEXT, TEXT]),
    ({"prompt": "One:", "echo": True}, [f"One: {TEXT}"]),
    ({"prompt": "def f():", "suffix": "return x"}, [TEXT]),
    ({"prompt": "One:", "best_of": 2}, [TEXT]),
    ({"prompt": ""}, [TEXT]),
]


@pytest.mark.parametrize(("fields", "texts"), ITS_OWN)
def test_what_only_completions_can_do_reaches_a_service_that_has_them(
    client: OpenAI, oxide: LiveOxide, provider: FakeProvider, fields: dict[str, Any], texts: list[str]
) -> None:
    provider.say(tokens=Tokens(11, 7, cached=3))
    options: dict[str, Any] = {"model": "openai", "max_tokens": 50, **fields}
    whole = client.completions.create(**options)
    assert [(choice.index, choice.text) for choice in whole.choices] == list(enumerate(texts))
    assert {choice.finish_reason for choice in whole.choices} == {"stop"}
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (11, 7)
    sent = provider.last_call()
    assert (sent.path.endswith("/v1/completions"), sent.json) == (True, {**options, "model": "alpha"})

    streamed = [""] * len(texts)
    for chunk in client.completions.create(**options, stream=True, stream_options={"include_usage": True}):
        assert (chunk.id, chunk.object) == ("cmpl-1", "text_completion")
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    assert streamed == texts
    assert chunk.usage is not None
    assert (chunk.choices, chunk.usage.total_tokens) == ([], 18)

    for task in oxide.get("/api/tasks/history/", params={"limit": 2}).json()["tasks"]:
        kept = oxide.get(f"/api/tasks/{task['id']}/").json()
        assert (kept["status"], kept["service_used"], kept["result"]) == ("completed", "openai", texts[0])
        assert (kept["tokens_used"], kept["cost"]) == (18, pytest.approx(11e-6 + 2 * 7e-6))


def test_log_probabilities_of_completions(client: OpenAI) -> None:
    choice = client.completions.create(model="openai", prompt="One:", logprobs=2).choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.token_logprobs == [-0.1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "openai"])
def test_a_service_without_completions_is_told_with_the_field(client: OpenAI, kind: str) -> None:
    with pytest.raises(openai.BadRequestError, match=rf"{kind} has no /completions.*\(suffix\)"):
        client.completions.create(model=kind, prompt="def ", suffix="return x")
    with pytest.raises(openai.BadRequestError, match=r"\(several prompts, echo\)"):
        client.completions.create(model=kind, prompt=["One:", "Two:"], echo=True)


def test_one_prompt_is_still_asked_as_a_chat(client: OpenAI, provider: FakeProvider) -> None:
    client.completions.create(model="openai", prompt=["One:"], n=1, echo=False, suffix="")
    assert provider.last_call().path.endswith("/chat/completions")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, {"detail": "Not Found"}),
        (405, {"detail": "Method Not Allowed"}),
        (501, {"error": {"message": "Not implemented"}}),
        (404, {"error": {"message": "This is a chat model and not supported in the v1/completions endpoint. Did you "
                         "mean to use v1/chat/completions?", "type": "invalid_request_error", "code": None}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_a_service_that_turns_out_to_have_no_completions_is_followed_by_another(
    tmp_path: Path, provider: FakeProvider, status: int, said: dict[str, Any], stream: bool
) -> None:
    live = LiveOxide(tmp_path)
    for name in ("without", "with"):
        live.declare(name, provider.base_url("openai", service=name), api="openai", max_retries=0)
    try:
        live.start()
        wait_until(lambda: live.get("/v1/models").text.count("/alpha") == 2)
        provider.misbehave("status", service="without", path="/v1/completions", status=status, body=said)
        asked: dict[str, Any] = {"model": "auto", "prompt": "def f():", "suffix": "return x", "stream": stream}
        client = OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0)
        raw = client.completions.with_raw_response.create(**asked)
        assert raw.headers["x-oxide-service"] == "with"
        answer = raw.parse()
        assert "".join(each.choices[0].text for each in answer) == TEXT if stream else answer.choices[0].text == TEXT
        # A chat is another matter: the first service is not demoted for it.
        explained = live.post("/api/routing/explain/", json={"prompt": "Hi"}).json()
        assert [each["service"] for each in explained["candidates"]] == ["without", "with"], explained["candidates"]
        provider.misbehave("status", service="with", path="/v1/completions", status=status, body=said)
        with pytest.raises(openai.APIStatusError):
            client.completions.create(**asked)
    finally:
        live.kill()


def test_what_oxide_has_no_word_for_reaches_openais_protocol_here_too(client: OpenAI, provider: FakeProvider) -> None:
    more: Any = {"something_new": [1]}
    assert client.completions.create(model="openai", prompt="x", logit_bias={"7": 1}, extra_body=more)
    assert provider.last_call().json == {
        "model": "alpha",
        "messages": [{"role": "user", "content": "x"}],
        "logit_bias": {"7": 1},
        "something_new": [1],
    }
    with pytest.raises(openai.BadRequestError, match="gemini speaks another protocol than OpenAI's"):
        client.completions.create(model="gemini", prompt="x", logit_bias={"7": 1})
    assert client.embeddings.create(model="openai/alpha", input="x", user="ada", extra_body=more).data
    sent = provider.last_call().json
    assert (sent["user"], sent["something_new"], sent["encoding_format"]) == ("ada", [1], "float")
    assert client.embeddings.create(model="gemini/alpha", input="x", extra_body=more).data


# Errors


@pytest.mark.parametrize(
    ("fault", "details", "error", "code", "again"),
    [
        ("refuse", {"why": "bad_request"}, openai.BadRequestError, None, "false"),
        ("refuse", {"why": "context"}, openai.BadRequestError, "context_length_exceeded", "false"),
        ("refuse", {"why": "model"}, openai.NotFoundError, "model_not_found", "false"),
        ("refuse", {"why": "auth"}, openai.InternalServerError, "provider_key_refused", "false"),
        ("refuse", {"why": "quota"}, openai.RateLimitError, "insufficient_quota", "false"),
        ("status", {"status": 429}, openai.RateLimitError, "rate_limit_exceeded", "true"),
        ("status", {"status": 500}, openai.InternalServerError, "provider_error", "true"),
        ("status", {"status": 408}, openai.InternalServerError, "provider_error", "true"),
        ("status", {"status": 409}, openai.InternalServerError, "provider_error", "true"),
        ("status", {"status": 413}, openai.BadRequestError, "context_length_exceeded", "false"),
        ("status", {"status": 422}, openai.BadRequestError, None, "false"),
        ("html", {}, openai.InternalServerError, "provider_error", "true"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_those_that_the_sdk_knows(
    client: OpenAI,
    provider: FakeProvider,
    fault: str,
    details: dict[str, Any],
    error: type[openai.APIStatusError],
    code: str | None,
    again: str,
    stream: Any,
) -> None:
    provider.misbehave(fault, **details)
    with pytest.raises(error) as caught:
        client.chat.completions.create(model="openai", messages=ASKED, stream=stream)
    assert caught.value.code == code
    assert caught.value.request_id
    assert caught.value.response.headers["x-should-retry"] == again


def test_mistakes_are_named(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody-has-it", messages=ASKED)
    assert caught.value.code == "model_not_found"
    wrong: Any = [{"role": "user", "content": [{"type": "nonsense"}]}]
    with pytest.raises(openai.BadRequestError, match=r"messages\[0\]\.content\[0\]"):
        client.chat.completions.create(model="gemini", messages=wrong)
    with pytest.raises(openai.NotFoundError):
        client.post("/nowhere", body={}, cast_to=object)
    with pytest.raises(openai.BadRequestError, match="messages is empty"):
        client.chat.completions.create(model="auto", messages=[])


def test_a_body_that_is_too_large_is_refused_and_not_sent_again(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="OXIDE_MAX_BODY_MB") as caught:
        client.chat.completions.create(model="openai", messages=[{"role": "user", "content": "x" * 21 * 2**20}])
    assert (caught.value.status_code, caught.value.type) == (413, "invalid_request_error")


def test_a_stream_that_breaks_is_an_error_and_not_an_end(client: OpenAI, provider: FakeProvider) -> None:
    provider.misbehave("truncate")
    heard: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError) as caught:
        heard.extend(client.chat.completions.create(model="openai", messages=ASKED, stream=True))
    assert caught.value.code == "provider_error"


def test_what_no_retry_can_mend_the_sdk_does_not_retry(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("refuse", why="auth")
    with pytest.raises(openai.InternalServerError):
        client_of(oxide, max_retries=3).chat.completions.create(model="openai", messages=ASKED)
    assert provider.calls_to("openai") == 1


def test_what_passes_it_does(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("status", service="openai", times=1, status=429, headers={"Retry-After": "1"})
    answer = client_of(oxide, max_retries=1).chat.completions.create(model="openai", messages=ASKED)
    assert answer.choices[0].message.content == TEXT


def test_the_clients_patience_is_the_tasks_deadline(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("hang")
    with pytest.raises((openai.APITimeoutError, openai.InternalServerError)):
        client_of(oxide, timeout=1.0).chat.completions.create(model="openai", messages=ASKED)
    wait_until(lambda: provider.hangups >= 1)


# Ways to come


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/v1"])
def test_the_base_address_may_have_its_version_or_not(oxide: LiveOxide, path: str) -> None:
    client = client_of(oxide, base_url=f"{oxide.url}{path}")
    assert client.chat.completions.create(model="auto", messages=ASKED).choices[0].message.content == TEXT
    assert client.models.retrieve("auto").id == "auto"


def test_at_once_and_asynchronously(oxide: LiveOxide) -> None:
    async def one(client: AsyncOpenAI, kind: str) -> str:
        stream = await client.chat.completions.create(model=kind, messages=ASKED, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def scenario() -> list[Any]:
        async with async_client(oxide) as client:
            streams = [one(client, kind) for kind in KINDS * 5]
            whole = client.chat.completions.create(model="auto", messages=ASKED)
            embedding = client.embeddings.create(model="openai/alpha", input="quantum")
            models = client.models.list()
            return await asyncio.gather(*streams, whole, embedding, models)

    *texts, whole, embedding, models = asyncio.run(scenario())
    assert texts == [TEXT] * 20
    assert whole.choices[0].message.content == TEXT
    assert embedding.data[0].embedding == vector_of("quantum")
    assert "auto" in [model.id for model in models.data]


def test_who_stops_reading_stops_the_provider(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stall")

    async def scenario() -> str:
        async with async_client(oxide) as client:
            stream = await client.chat.completions.create(model="openai", messages=ASKED, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            request_id = stream.response.headers["x-request-id"]
            await stream.close()
            return request_id

    task_id = asyncio.run(scenario())
    wait_until(lambda: provider.hangups >= 1)
    wait_until(lambda: oxide.get(f"/api/tasks/{task_id}/").json().get("status") == "cancelled")
    stored = oxide.get(f"/api/tasks/{task_id}/").json()
    assert stored["result"].startswith("Quantum")
    assert stored["cost_basis"] == "estimated"


def test_calling_a_waiting_call_off_stops_the_provider(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("hang")

    async def scenario() -> None:
        async with async_client(oxide) as client:
            call = asyncio.ensure_future(client.chat.completions.create(model="openai", messages=ASKED))
            await until(lambda: provider.calls_to("openai"))
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    asyncio.run(scenario())
    wait_until(lambda: provider.hangups >= 1)


def test_echo_answers_without_any_provider(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="echo", messages=ASKED)
    assert answer.choices[0].message.content == ASKED[0]["content"]


def test_a_picture_of_a_page_that_is_not_base64_is_told(client: OpenAI) -> None:
    picture: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}
    with pytest.raises(openai.BadRequestError, match="not valid base64"):
        client.chat.completions.create(model="auto", messages=[{"role": "user", "content": [picture]}])
    assert base64.b64decode(PIXEL)


# Identity


def test_with_identity_on_a_key_for_programs_is_the_api_key(live: LiveOxide, provider: FakeProvider) -> None:
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    live.declare("openai", provider.base_url("openai"), api="openai").start()
    body = {"username": "admin", "password": live.admin_password}
    token = live.post("/auth/login", json=body).json()["access_token"]

    def key(*scopes: str) -> str:
        wanted = {"name": "-".join(scopes), "scopes": scopes}
        headers = {"Authorization": f"Bearer {token}"}
        made = requests.post(f"{live.url}/api/api-keys/clients/", json=wanted, headers=headers, timeout=30)
        return str(made.json()["key"])

    client = client_of(live, api_key=key("read", "execute"))
    assert client.chat.completions.create(model="auto", messages=ASKED).choices[0].message.content == TEXT
    with pytest.raises(openai.AuthenticationError) as caught:
        client_of(live, api_key="wrong").chat.completions.create(model="auto", messages=ASKED)
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(openai.AuthenticationError):
        client_of(live, api_key="wrong").models.list()
    reader = client_of(live, api_key=key("read"))
    assert "auto" in [model.id for model in reader.models.list()]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        reader.chat.completions.create(model="auto", messages=ASKED)
    assert (refused.value.code, bool(refused.value.request_id)) == ("insufficient_permissions", True)


def test_over_the_limit_the_sdk_waits_and_comes_again(live: LiveOxide, provider: FakeProvider) -> None:
    live.environment["OXIDE_RATE_LIMIT_ANON"] = "3/s"
    live.declare("openai", provider.base_url("openai"), api="openai").start()
    patient = client_of(live, max_retries=5)
    for _ in range(8):
        assert patient.chat.completions.create(model="auto", messages=ASKED).choices[0].message.content == TEXT
    hasty = client_of(live, max_retries=0)
    with pytest.raises(openai.RateLimitError) as caught:
        [hasty.models.list() for _ in range(20)]
    assert caught.value.code == "rate_limit_exceeded"
    assert float(caught.value.response.headers["retry-after"]) > 0
    assert int(caught.value.response.headers["retry-after-ms"]) > 0
