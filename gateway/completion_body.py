"""The body of `POST /v1/completions`: https://platform.openai.com/docs/api-reference/completions/create

An old form, which editors still use. One prompt becomes the one message of a conversation, which every service can
answer. What no conversation can express goes as it is to a service that has the same form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apikeys import decoding
from gateway import names
from gateway.chat_body import TRANSLATED
from gateway.fields import SampledBody
from gateway.inputs import Given, Inputs, shown, texts_or_tokens
from services.adapters.base import ChatRequest, Feature, Native
from tasks.body import check_other_fields
from tasks.request import TaskRequest

# What no conversation can express, and the values that ask for nothing.
_ITS_OWN: Mapping[str, tuple[str | int | None, ...]] = {
    "suffix": (None, ""),
    "echo": (None, False),
    "n": (None, 1),
    "best_of": (None, 1),
    "logprobs": (None, 0),
}

_KNOWN = TRANSLATED | {"prompt", *_ITS_OWN}


class CompletionBody(SampledBody, kw_only=True):
    prompt: Given
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | bool | None = None


def read(raw: object) -> CompletionBody:
    """Raises `BodyError`."""
    return decoding.body(raw, CompletionBody)


def task_request(body: CompletionBody, raw: Any) -> TaskRequest:
    """`raw` is what `body` was read from. Raises `BodyError` and `names.ModelNotFoundError`."""
    named = names.resolve(body.wanted_model)
    prompts = texts_or_tokens(body.prompt, "prompt", may_be_empty=True)
    needed_by = _needed_by(body, prompts, raw)
    check_other_fields({name: raw[name] for name in raw.keys() - _KNOWN})
    is_its_own = Feature.COMPLETIONS in needed_by
    return TaskRequest(
        chat=ChatRequest(
            model=named.model,
            messages=(shown(prompts),),
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            seed=body.seed,
            presence_penalty=body.presence_penalty,
            frequency_penalty=body.frequency_penalty,
            stop=body.stops,
            native=Native("openai", raw if is_its_own else _as_chat(raw, prompts[0]), translated=TRANSLATED),
            needs=frozenset(needed_by),
            needed_by=needed_by,
        ),
        task_type=named.task_type,
        service=named.service,
    )


def _needed_by(body: CompletionBody, prompts: Inputs, raw: Mapping[str, Any]) -> dict[Feature, str]:
    needed = {}
    if fields := ", ".join(_only_here(body, prompts)):
        needed[Feature.COMPLETIONS] = fields
    elif raw.get("logit_bias"):
        needed[Feature.OPENAI] = "logit_bias"
    return needed


def _only_here(body: CompletionBody, prompts: Inputs) -> Iterator[str]:
    if len(prompts) > 1:
        yield "several prompts"
    elif not isinstance(prompts[0], str):
        yield "a prompt of tokens"
    elif not prompts[0]:
        yield "an empty prompt"
    yield from (name for name, nothing in _ITS_OWN.items() if getattr(body, name) not in nothing)


def _as_chat(raw: Mapping[str, Any], prompt: Any) -> dict[str, Any]:
    """The body as one that asks for a chat, with the fields that nobody here knows."""
    kept = {name: value for name, value in raw.items() if name != "prompt" and name not in _ITS_OWN}
    return {**kept, "messages": [{"role": "user", "content": prompt}]}
