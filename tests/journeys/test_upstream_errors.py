"""Errors of providers, as the official SDKs with their own retries live through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until

ASKED: Any = [{"role": "user", "content": "What is quantum computing?"}]
APIS = ("openai", "anthropic")
SMALL = "This model's maximum context length is 8192 tokens."
TOO_LONG = {"error": {"message": SMALL, "code": "context_length_exceeded"}}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def oxide(tmp_path_factory: pytest.TempPathFactory, provider: FakeProvider) -> Iterator[LiveOxide]:
    live = LiveOxide(Path(tmp_path_factory.mktemp("oxide")))
    live.environment["OXIDE_HEALTH_SECONDS"] = "3600"  # a check would take a fault that is meant for a call
    for api in APIS:
        live.declare(api, provider.base_url(api), api=api)
    live.declare("unretried", provider.base_url("openai", service="unretried"), api="openai", max_retries=0)
    try:
        live.start()
        wait_until(lambda: live.get("/api/services/").json()["healthy"] >= len(APIS))
        yield live
    finally:
        live.kill()


@pytest.fixture(autouse=True)
def closed_breakers(provider: FakeProvider, oxide: LiveOxide) -> Iterator[None]:
    yield
    provider.reset()
    for api in APIS:
        wait_until(partial(answers, oxide, api))
    provider.requests.clear()


def answers(oxide: LiveOxide, service: str) -> bool:
    return oxide.execute(service=service).status_code == 200


def with_openai(oxide: LiveOxide, service: str, *, stream: bool, **options: Any) -> str:
    client = openai.OpenAI(base_url=f"{oxide.url}/v1", api_key="any", **options)
    if not stream:
        return client.chat.completions.create(model=service, messages=ASKED).choices[0].message.content or ""
    chunks = client.chat.completions.create(model=service, messages=ASKED, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def with_responses(oxide: LiveOxide, service: str, *, stream: bool, **options: Any) -> str:
    client = openai.OpenAI(base_url=f"{oxide.url}/v1", api_key="any", **options)
    if not stream:
        return client.responses.create(model=service, input="What is quantum computing?").output_text
    events = client.responses.create(model=service, input="What is quantum computing?", stream=True)
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def with_anthropic(oxide: LiveOxide, service: str, *, stream: bool, **options: Any) -> str:
    client = anthropic.Anthropic(base_url=oxide.url, api_key="any", **options)
    asked: Any = {"model": service, "max_tokens": 100, "messages": ASKED}
    if not stream:
        block: Any = client.messages.create(**asked).content[0]
        return str(block.text)
    with client.messages.stream(**asked) as events:
        return events.get_final_text()


Ask = Callable[..., str]
whole_or_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@whole_or_streamed
@pytest.mark.parametrize(
    ("ask", "api", "fault"),
    [
        (with_openai, "openai", {"fault": "status", "status": 503}),
        (with_openai, "anthropic", {"fault": "status", "status": 529}),
        (with_openai, "openai", {"fault": "empty"}),
        (with_responses, "openai", {"fault": "status", "status": 503}),
        (with_anthropic, "anthropic", {"fault": "status", "status": 529}),
        (with_anthropic, "openai", {"fault": "reset"}),
        (with_anthropic, "anthropic", {"fault": "empty"}),
    ],
)
def test_three_failures_in_a_row_are_survived(
    oxide: LiveOxide, provider: FakeProvider, ask: Ask, api: str, fault: dict[str, Any], stream: bool
) -> None:
    provider.misbehave(service=api, times=3, **fault)
    assert ask(oxide, api, stream=stream) == TEXT
    assert provider.calls_to(api) == 4


def test_a_short_pause_is_waited_for(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("status", service="openai", times=1, status=429, headers={"Retry-After": "1"})
    assert with_anthropic(oxide, "openai", stream=True, max_retries=0) == TEXT


@pytest.mark.parametrize("ask", [with_openai, with_anthropic])
@whole_or_streamed
def test_a_rate_limit_stays_one_and_opens_no_breaker(
    oxide: LiveOxide, provider: FakeProvider, ask: Ask, stream: bool
) -> None:
    provider.misbehave("status", service="unretried", status=429, headers={"Retry-After": "2"})
    with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)) as caught:
        ask(oxide, "unretried", stream=stream, max_retries=0)
    error: Any = caught.value
    headers = error.response.headers
    assert (headers["x-should-retry"], headers["retry-after"]) == ("true", "2")
    assert oxide.get("/api/services/").json()["services"]["unretried"]["breaker"] == "closed"


@whole_or_streamed
def test_an_overloaded_provider_is_told_as_anthropics_clients_know_it(
    oxide: LiveOxide, provider: FakeProvider, stream: bool
) -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    provider.misbehave("status", service="anthropic", status=529, body=body)
    with pytest.raises(anthropic.APIStatusError) as caught:
        with_anthropic(oxide, "anthropic", stream=stream, max_retries=0)
    assert caught.value.status_code == 529
    assert caught.value.body["error"] == {"type": "overloaded_error", "message": "Overloaded"}  # type: ignore[index]


@whole_or_streamed
def test_a_prompt_that_is_too_long_is_told_in_the_words_of_each_dialect(
    oxide: LiveOxide, provider: FakeProvider, stream: bool
) -> None:
    provider.misbehave("status", service="openai", status=400, body=TOO_LONG)
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 8192 maximum") as told:
        with_anthropic(oxide, "openai", stream=stream)
    assert SMALL in told.value.response.headers["x-oxide-advice"]
    for ask in (with_openai, with_responses):
        with pytest.raises(openai.BadRequestError, match="maximum context length is 8192 tokens") as caught:
            ask(oxide, "openai", stream=stream)
        assert caught.value.code == "context_length_exceeded"
    assert provider.calls_to("openai") == 3


def test_the_providers_own_words_reach_the_client_unchanged(oxide: LiveOxide, provider: FakeProvider) -> None:
    error = {"message": "Tool  'x'\nhas no name.", "type": "invalid_request_error", "param": "tools[0]", "code": "odd"}
    provider.misbehave("status", service="openai", status=400, body={"error": error})
    with pytest.raises(openai.BadRequestError) as caught:
        with_openai(oxide, "openai", stream=False)
    assert caught.value.body == error
    assert caught.value.response.headers["x-oxide-advice"] == "Correct the request."
    body = oxide.execute(service="openai").json()
    assert body["provider_error"]["message"] == error["message"]
    assert body["detail"].endswith("Correct the request.")


def test_an_error_within_a_stream_carries_the_providers_words(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stream_error", service="openai")
    with pytest.raises(openai.APIError, match=r"^The provider went away\.$"):
        with_openai(oxide, "openai", stream=True)


def test_a_model_that_the_provider_rejects_is_not_found(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("refuse", service="openai", why="model")
    with pytest.raises(openai.NotFoundError) as caught:
        with_openai(oxide, "openai", stream=False)
    assert (caught.value.code, caught.value.response.headers["x-should-retry"]) == ("model_not_found", "false")
    assert oxide.execute(service="openai").json()["code"] == "MODEL_NOT_FOUND"


def test_more_answers_than_a_provider_gives_are_its_own_400(oxide: LiveOxide) -> None:
    client = openai.OpenAI(base_url=f"{oxide.url}/v1", api_key="any", max_retries=0)
    with pytest.raises(openai.BadRequestError, match="Invalid 'n': expected an integer from 1 to 128"):
        client.chat.completions.create(model="openai", messages=ASKED, n=1_000_000_000)
    with pytest.raises(openai.BadRequestError, match="Invalid 'n': expected an integer from 1 to 128"):
        client.completions.create(model="openai", prompt="Hello", n=1_000_000_000)
