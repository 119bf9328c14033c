"""Anthropic's own SDK against Oxide: programs written for it need another address, and nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import pytest
import requests
from anthropic import Anthropic, AsyncAnthropic

from tests.fake_provider import TEXT, FakeProvider, Tokens
from tests.journeys.sdks.conftest import KINDS
from tests.live import LiveOxide
from tests.sse import events
from tests.waiting import wait_until

ASKED: list[Any] = [{"role": "user", "content": "What is quantum computing?"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def client(oxide: LiveOxide) -> Anthropic:
    return client_of(oxide)


def client_of(oxide: LiveOxide, **options: Any) -> Anthropic:
    return Anthropic(**{"base_url": oxide.url, "api_key": "any", "max_retries": 0, **options})


def ask(client: Anthropic, kind: str, **more: Any) -> Any:
    return client.messages.create(**{"model": kind, "max_tokens": 100, "messages": ASKED, **more})


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("kind", KINDS)
def test_a_message(client: Anthropic, provider: FakeProvider, kind: str) -> None:
    provider.say(tokens=Tokens(100, 15, cached=30))
    message = ask(client, kind)
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert text_of(message) == TEXT
    assert message.usage.output_tokens == 15
    if kind != "ollama":  # which tells of no cache
        assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (70, 30)


@pytest.mark.parametrize("kind", KINDS)
def test_a_streamed_message(client: Anthropic, kind: str) -> None:
    with client.messages.stream(model=kind, max_tokens=100, messages=ASKED) as stream:
        assert "".join(stream.text_stream) == TEXT
        final = stream.get_final_message()
    assert (text_of(final), final.stop_reason) == (TEXT, "end_turn")
    assert (final.usage.input_tokens, final.usage.output_tokens) == (12, 15)


@pytest.mark.parametrize("kind", KINDS)
def test_events_come_in_the_order_of_the_protocol(oxide: LiveOxide, provider: FakeProvider, kind: str) -> None:
    provider.say(reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}), ("now", {})))
    body = {"model": kind, "max_tokens": 100, "messages": ASKED, "tools": [WEATHER], "stream": True}
    answer = requests.post(f"{oxide.url}/v1/messages", json=body, stream=True, timeout=30)
    heard = list(events(answer.iter_lines(chunk_size=1)))
    assert all(name == data["type"] for name, data in heard)
    names = [name for name, _ in heard if name != "ping"]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    blocks = [data for name, data in heard if name.startswith("content_block")]
    assert [(data["type"], data["index"]) for data in blocks if not data["type"].endswith("delta")] == [
        (f"content_block_{what}", index) for index in range(4) for what in ("start", "stop")
    ]
    kinds = [data["content_block"]["type"] for data in blocks if data["type"] == "content_block_start"]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]
    open_block = -1
    for data in blocks:
        if data["type"] == "content_block_start":
            open_block = data["index"]
        assert data["index"] == open_block
    end = heard[-2][1]
    assert (end["delta"]["stop_reason"], end["usage"]["output_tokens"]) == ("tool_use", 15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
def test_tools_over_two_turns(client: Anthropic, provider: FakeProvider, kind: str, stream: bool) -> None:
    provider.say(text="", reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}),))
    choice: Any = {"type": "auto", "disable_parallel_tool_use": True}
    asked: Any = {"model": kind, "max_tokens": 100, "messages": ASKED, "tools": [WEATHER], "tool_choice": choice}
    if stream:
        with client.messages.stream(**asked) as opened:
            first = opened.get_final_message()
    else:
        first = client.messages.create(**asked)
    assert first.stop_reason == "tool_use"
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("get_weather", {"city": "Oslo"})
    provider.say()
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "Rain"}]}
    turns = [
        *ASKED,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
        {"role": "user", "content": [result, {"type": "text", "text": "So?"}]},
    ]
    assert text_of(ask(client, kind, messages=turns, tools=[WEATHER])) == TEXT
    sent = json.dumps(provider.last_call().json)
    assert "Rain" in sent
    assert ("Let me think." in sent) is (kind == "anthropic")


def test_thoughts_of_others_never_reach_anthropic(client: Anthropic, provider: FakeProvider) -> None:
    provider.say(reasoning="Let me think.")
    first = ask(client, "ollama")
    assert first.content[0].thinking == "Let me think."
    turns = [
        *ASKED,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
        {"role": "user", "content": "And?"},
    ]
    ask(client, "anthropic", messages=turns)
    assert "thinking" not in json.dumps(provider.last_call("anthropic").json)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture(client: Anthropic, provider: FakeProvider, kind: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    turns = [{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "What?"}]}]
    assert text_of(ask(client, kind, messages=turns)) == TEXT
    assert PIXEL in json.dumps(provider.last_call().json)


@pytest.mark.parametrize("kind", KINDS)
def test_structured_output(client: Anthropic, provider: FakeProvider, kind: str) -> None:
    provider.say(text='{"city": "Oslo"}')
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    assert json.loads(text_of(ask(client, kind, output_config=config))) == {"city": "Oslo"}
    assert '"city"' in json.dumps(provider.last_call().json)


def test_an_anthropic_service_gets_the_body_as_it_is(client: Anthropic, provider: FakeProvider) -> None:
    provider.say(reasoning="Let me think.")
    system: Any = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    message = client.beta.messages.create(
        model="anthropic",
        max_tokens=2000,
        messages=ASKED,
        system=system,
        thinking={"type": "enabled", "budget_tokens": 1024},
        betas=["context-1m-2025-08-07"],
        extra_body={"something_new": [1]},
        extra_headers={"anthropic-version": "2024-10-10"},
    )
    assert message.id == "msg_1"
    assert [block.type for block in message.content] == ["thinking", "text"]
    sent = provider.last_call("anthropic")
    assert sent.json == {
        "model": "alpha",
        "max_tokens": 2000,
        "messages": ASKED,
        "system": system,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "something_new": [1],
    }
    assert sent.headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert sent.headers["anthropic-version"] == "2024-10-10"


def test_what_only_anthropic_has_goes_to_it_or_nowhere(client: Anthropic, provider: FakeProvider) -> None:
    document = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    turns = [{"role": "user", "content": [document, {"type": "text", "text": "What?"}]}]
    search: Any = {"type": "web_search_20250305", "name": "web_search"}
    for more in ({"messages": turns}, {"tools": [search]}):
        assert text_of(ask(client, "auto", **more)) == TEXT
        assert provider.last_call().service == "anthropic"
        with pytest.raises(anthropic.BadRequestError, match="ollama speaks another protocol than Anthropic's"):
            ask(client, "ollama", **more)


def test_a_document_goes_to_every_service_that_can_take_it(client: Anthropic, provider: FakeProvider) -> None:
    for kind, source in (
        ("ollama", {"type": "text", "media_type": "text/plain", "data": "The rain in Oslo"}),
        ("gemini", {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}),
        ("openai", {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}),
    ):
        turns = [
            {"role": "user", "content": [{"type": "document", "source": source}, {"type": "text", "text": "What?"}]}
        ]
        assert text_of(ask(client, kind, messages=turns)) == TEXT
        assert source["data"] in str(provider.last_call(kind).json)


@pytest.mark.parametrize(("kind", "count"), [("anthropic", 10), ("gemini", 10), ("openai", 7), ("ollama", 7)])
def test_tokens_are_counted_and_nothing_is_recorded(
    client: Anthropic, oxide: LiveOxide, provider: FakeProvider, kind: str, count: int
) -> None:
    before = oxide.get("/api/tasks/history/").json()["total"]
    assert client.messages.count_tokens(model=kind, messages=ASKED, tools=[WEATHER]).input_tokens == count
    assert oxide.get("/api/tasks/history/").json()["total"] == before
    provider.misbehave("status", service="anthropic", times=1, status=500)
    assert client.messages.count_tokens(model="anthropic", messages=ASKED).input_tokens == 7


def test_the_models_in_its_own_form(client: Anthropic) -> None:
    page = client.models.list()
    assert {"auto", "openai/alpha"} <= {model.id for model in page}
    assert client.models.retrieve("openai/alpha").display_name == "openai/alpha"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody/has:it")


def test_the_models_page_by_page(client: Anthropic, oxide: LiveOxide) -> None:
    every = [model.id for model in client.models.list(limit=1000)]
    assert every == [model["id"] for model in oxide.get("/v1/models").json()["data"]]
    page = client.models.list(limit=3)
    assert (page.has_more, page.first_id, page.last_id) == (True, every[0], every[2])
    assert [model.id for model in page] == every  # the SDK asks for one page after the other
    backwards = client.models.list(limit=2, before_id=every[4])
    assert ([model.id for model in backwards.data], backwards.has_more) == (every[2:4], True)
    for wrong in ({"limit": 0}, {"after_id": "nobody/none"}):
        with pytest.raises(anthropic.BadRequestError, match=next(iter(wrong))) as caught:
            client.models.list(**wrong)
        assert caught.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("get", "/v1/messages/batches/none", 404, "not_found_error"),
        ("post", "/v1/messages/nothing", 404, "not_found_error"),
        ("get", "/v1/files", 404, "not_found_error"),
        ("post", "/v1/complete", 404, "not_found_error"),
        ("get", "/v1/messages", 405, "invalid_request_error"),
        ("delete", "/v1/models", 405, "invalid_request_error"),
        ("post", "/v1/messages", 400, "invalid_request_error"),
    ],
)
def test_what_is_not_there_is_told_in_anthropics_form(
    client: Anthropic, method: str, path: str, status: int, kind: str
) -> None:
    options: Any = {"body": {}} if method == "post" else {}
    with pytest.raises(anthropic.APIStatusError) as caught:
        getattr(client, method)(path, cast_to=object, **options)
    told: Any = caught.value.body
    assert (caught.value.status_code, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["request_id"] == caught.value.request_id
    assert told["error"]["message"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [("text/plain", b"Hello", 415), ("application/json", b"{", 400), ("application/json; charset=none", b"{}", 400)],
)
def test_bodies_that_cannot_be_read_are_told_in_anthropics_form(
    oxide: LiveOxide, content_type: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": content_type, "x-api-key": "any", "User-Agent": "Anthropic/Python 0.116.0"}
    answer = oxide.post("/v1/messages", data=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, "error")


def test_a_request_without_a_model_leaves_the_choice_to_oxide(client: Anthropic, oxide: LiveOxide) -> None:
    for model in (None, ""):
        assert text_of(client.messages.create(model=model, max_tokens=10, messages=ASKED)) == TEXT  # type: ignore[arg-type]
    body = {"max_tokens": 10, "messages": ASKED}
    assert oxide.post("/v1/messages", json=body).headers["x-oxide-service"] == "openai"
    assert oxide.post("/v1/messages/count_tokens", json=body).status_code == 200


def test_headers_say_who_answered(client: Anthropic) -> None:
    raw = client.messages.with_raw_response.create(model="auto", max_tokens=10, messages=ASKED)
    assert raw.headers["x-oxide-service"] == "openai"
    assert raw.headers["request-id"] == raw.headers["x-oxide-task-id"] == raw.parse()._request_id
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "100000"


@pytest.mark.parametrize(
    ("fault", "details", "error", "kind"),
    [
        ("refuse", {"why": "bad_request"}, anthropic.BadRequestError, "invalid_request_error"),
        ("refuse", {"why": "context"}, anthropic.BadRequestError, "invalid_request_error"),
        ("refuse", {"why": "model"}, anthropic.NotFoundError, "not_found_error"),
        ("refuse", {"why": "auth"}, anthropic.InternalServerError, "api_error"),
        ("refuse", {"why": "quota"}, anthropic.RateLimitError, "rate_limit_error"),
        ("status", {"status": 429}, anthropic.RateLimitError, "rate_limit_error"),
        ("status", {"status": 503}, anthropic.InternalServerError, "api_error"),
        ("status", {"status": 529}, anthropic.InternalServerError, "overloaded_error"),
        ("status", {"status": 408}, anthropic.InternalServerError, "api_error"),
        ("status", {"status": 409}, anthropic.InternalServerError, "api_error"),
        ("status", {"status": 413}, anthropic.BadRequestError, "invalid_request_error"),
        ("status", {"status": 422}, anthropic.BadRequestError, "invalid_request_error"),
        ("html", {}, anthropic.InternalServerError, "api_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_those_that_the_sdk_knows(
    client: Anthropic,
    provider: FakeProvider,
    fault: str,
    details: dict[str, Any],
    error: type[anthropic.APIStatusError],
    kind: str,
    stream: bool,
) -> None:
    provider.misbehave(fault, **details)
    with pytest.raises(error) as caught:
        ask(client, "openai", stream=stream)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == caught.value.request_id


def test_a_body_that_is_too_large_is_refused_and_not_sent_again(client: Anthropic) -> None:
    with pytest.raises(anthropic.RequestTooLargeError, match="OXIDE_MAX_BODY_MB"):
        ask(client, "openai", messages=[{"role": "user", "content": "x" * 21 * 2**20}])


def test_a_service_without_room_is_overloaded(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("busy", provider.base_url("openai", service="busy"), api="openai", max_concurrency=1).start()
    provider.misbehave("hang", service="busy")

    async def scenario() -> anthropic.APIStatusError:
        async with AsyncAnthropic(base_url=live.url, api_key="any", max_retries=0) as client:
            asked: Any = {"model": "busy", "max_tokens": 5, "messages": ASKED}
            calls = [asyncio.ensure_future(client.messages.create(**asked)) for _ in range(2)]
            done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            for call in waiting:
                call.cancel()
            found = done.pop().exception()
            assert isinstance(found, anthropic.APIStatusError)
            return found

    found = asyncio.run(scenario())
    body: Any = found.body
    assert (found.status_code, body["error"]["type"]) == (529, "overloaded_error")
    assert found.response.headers["x-should-retry"] == "true"


def test_a_stream_that_breaks_is_an_error_and_not_an_end(client: Anthropic, provider: FakeProvider) -> None:
    for kind in ("openai", "anthropic"):
        provider.misbehave("truncate")
        with (
            pytest.raises(anthropic.APIStatusError),
            client.messages.stream(model=kind, max_tokens=100, messages=ASKED) as stream,
        ):
            stream.get_final_message()
        provider.behave()


def test_a_task_that_is_called_off_says_so_by_its_name(
    client: Anthropic, oxide: LiveOxide, provider: FakeProvider
) -> None:
    provider.misbehave("stall")
    with client.messages.stream(model="openai", max_tokens=100, messages=ASKED) as stream:
        next(stream.text_stream)
        task = stream.response.headers["request-id"]
        wait_until(lambda: oxide.post(f"/api/tasks/{task}/cancel/").status_code == 202)
        with pytest.raises(anthropic.APIStatusError, match="called off") as caught:
            stream.until_done()
    found: Any = caught.value.body
    assert found["request_id"] == caught.value.request_id
    assert provider.hangups == 1


def test_mistakes_are_named(client: Anthropic, oxide: LiveOxide) -> None:
    with pytest.raises(anthropic.BadRequestError, match="messages is empty"):
        ask(client, "auto", messages=[])
    with pytest.raises(anthropic.NotFoundError):
        ask(client, "nobody-has-it")
    no_limit = requests.post(f"{oxide.url}/v1/messages", json={"model": "auto", "messages": ASKED}, timeout=10)
    assert "max_tokens is missing" in no_limit.json()["error"]["message"]


def test_asynchronously_and_called_off(oxide: LiveOxide, provider: FakeProvider) -> None:
    async def scenario() -> None:
        async with AsyncAnthropic(base_url=oxide.url, api_key="any", max_retries=0) as client:
            whole = await client.messages.create(model="auto", max_tokens=10, messages=ASKED)
            assert text_of(whole) == TEXT
            provider.misbehave("stall")
            async with client.messages.stream(model="openai", max_tokens=10, messages=ASKED) as stream:
                async for text in stream.text_stream:
                    assert text
                    break

    asyncio.run(scenario())
    wait_until(lambda: provider.hangups >= 1)


def test_with_identity_on_a_key_for_programs_is_the_api_key(live: LiveOxide, provider: FakeProvider) -> None:
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    live.declare("openai", provider.base_url("openai"), api="openai").start()
    body = {"username": "admin", "password": live.admin_password}
    token = live.post("/auth/login", json=body).json()["access_token"]
    wanted = {"name": "robot", "scopes": ["read", "execute"]}
    made = live.post("/api/api-keys/clients/", json=wanted, headers={"Authorization": f"Bearer {token}"})
    assert text_of(ask(client_of(live, api_key=made.json()["key"]), "auto")) == TEXT
    with pytest.raises(anthropic.AuthenticationError) as caught:
        ask(client_of(live, api_key="wrong"), "auto")
    found: Any = caught.value.body
    assert found["error"]["type"] == "authentication_error"
