"""The body of `POST /v1/completions`: https://platform.openai.com/docs/api-reference/completions/create

An old form, which editors still use. The prompt becomes the one message of a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apikeys import decoding
from apikeys.decoding import BodyError
from gateway import names
from gateway.chat_body import TRANSLATED
from gateway.fields import SampledBody
from services.adapters.base import ChatRequest, Feature, Message, Native, TextPart
from tasks.request import TaskRequest

# What is not to be had here: the value that asks for nothing, and what to do instead of any other.
_UNKNOWN: Mapping[str, tuple[str | int, str]] = {
    "suffix": ("", "Text cannot be filled in between two pieces here: leave suffix out."),
    "echo": (False, "The prompt is not repeated in the answer: leave echo out."),
    "n": (1, "One answer is made to each request: leave n out, or use /v1/chat/completions."),
    "best_of": (1, "One answer is made to each request: leave best_of out."),
    "logprobs": (0, "Log probabilities are to be had at /v1/chat/completions: leave logprobs out."),
}


class CompletionBody(SampledBody, kw_only=True):
    prompt: str | list[str | int | list[int]]
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None


def read(raw: object) -> CompletionBody:
    """Raises `BodyError`."""
    body = decoding.body(raw, CompletionBody)
    for name, (nothing, advice) in _UNKNOWN.items():
        if getattr(body, name) not in (None, nothing):
            raise BodyError(advice)
    return body


def task_request(body: CompletionBody, raw: Any) -> TaskRequest:
    """`raw` is what `body` was read from. Raises `BodyError` and `names.ModelNotFoundError`."""
    named, prompt = names.resolve(body.wanted_model), _prompt(body)
    return TaskRequest(
        chat=ChatRequest(
            model=named.model,
            messages=(Message("user", (TextPart(prompt),)),),
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            seed=body.seed,
            presence_penalty=body.presence_penalty,
            frequency_penalty=body.frequency_penalty,
            stop=body.stops,
            native=Native("openai", _as_chat(raw, prompt), translated=TRANSLATED),
            needs=frozenset({Feature.OPENAI} if raw.get("logit_bias") else ()),
        ),
        task_type=named.task_type,
        service=named.service,
    )


def _as_chat(raw: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    """The body as one that asks for a chat, with the fields that nobody here knows."""
    kept = {name: value for name, value in raw.items() if name != "prompt" and name not in _UNKNOWN}
    return {**kept, "messages": [{"role": "user", "content": prompt}]}


def _prompt(body: CompletionBody) -> str:
    prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
    if len(prompts) == 1 and isinstance(prompts[0], str) and prompts[0]:
        return prompts[0]
    raise BodyError("prompt must be one text that is not empty: send each prompt in a request of its own.")
