"""The adapter that docs/adding-a-provider.md shows, over a provider that answers as the page says."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from email import message_from_string
from types import ModuleType

import pytest
import yaml

from services.adapters import registry
from services.adapters.base import Adapter, ChatRequest, Connection, ErrorKind, Message, TextPart, Usage
from tests.docs.pages import DOCS
from tests.documents import blocks_of
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import KEY, ask, call, failure

PAGE = DOCS / "adding-a-provider.md"
ADAPTER, LINE = [block.code for block in blocks_of(PAGE, "python")]
WHOLE, STREAM, REFUSAL = [block.code for block in blocks_of(PAGE, "http")]
(ENTRY,) = [yaml.safe_load(block.code)["services"]["acme"] for block in blocks_of(PAGE, "yml")]
QUESTION = ChatRequest(model=ENTRY["model"], messages=(Message("user", (TextPart("Hello?"),)),))


@pytest.fixture
def adapter(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adapter]:
    module = ModuleType("services.adapters.acme")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(ADAPTER, str(PAGE), "exec"), module.__dict__)  # noqa: S102 - a page of ours
    monkeypatch.setattr(registry, "ADAPTERS", {**registry.ADAPTERS, **ast.literal_eval("{" + LINE + "}")})
    registry.adapter_class.cache_clear()
    made = registry.adapter_class(ENTRY["api"])(
        Connection("acme", base_url=provider.base_url("openai"), api_key=KEY, max_reply_bytes=1_000_000)
    )
    yield made
    made.close()
    registry.adapter_class.cache_clear()


@pytest.fixture
def answers(provider: FakeProvider) -> Callable[[str], None]:
    """Have the provider answer with what a block of the page says."""

    def say(recorded: str) -> None:
        status, _, rest = recorded.partition("\n")
        answer = message_from_string(rest)
        body = str(answer.get_payload())
        if status.split()[1] == "200":
            provider.misbehave("raw", body=body.encode(), content_type=answer.get_content_type())
        else:
            provider.misbehave("status", status=int(status.split()[1]), body=yaml.safe_load(body))

    return say


@pytest.mark.parametrize(("way", "recorded"), [("complete", WHOLE), ("stream", STREAM)])
def test_it_answers(
    adapter: Adapter, provider: FakeProvider, answers: Callable[[str], None], way: str, recorded: str
) -> None:
    answers(recorded)
    reply = ask(adapter, QUESTION, way)
    assert (reply.text, reply.model, reply.finish_reason) == ("Hello there", "acme-large", "stop")
    assert reply.usage == Usage(prompt_tokens=5, completion_tokens=2)
    sent = provider.last_call()
    assert sent.path.endswith("/v1/generate")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.json["messages"] == [{"role": "user", "text": "Hello?"}]


def test_a_stream_that_breaks_off_is_no_answer(adapter: Adapter, answers: Callable[[str], None]) -> None:
    answers(STREAM.rpartition("data:")[0])
    assert failure(adapter, QUESTION, "stream").kind is ErrorKind.MALFORMED


@pytest.mark.parametrize("way", ["complete", "stream"])
def test_what_it_refuses_is_told(adapter: Adapter, answers: Callable[[str], None], way: str) -> None:
    answers(REFUSAL)
    error = failure(adapter, QUESTION, way)
    assert error.kind is ErrorKind.RATE_LIMITED
    assert "Slow down" in error.message


def test_it_lists_its_models(adapter: Adapter, provider: FakeProvider) -> None:
    assert adapter.models(call()) == provider.model_names
