"""How each provider writes the same answer: the wire formats that `FakeProvider` speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

JSON = dict[str, Any]
TEXT = "Quantum computing uses qubits, which can be in many states at once."


@dataclass(frozen=True)
class Tokens:
    """In Oxide's convention: the prompt includes cached tokens, the completion includes reasoning.

    `cache_write` includes `cache_write_1h`. `cost` is what the provider says that it charged, `upstream` what the
    vendor behind it charged to a key of the caller's own.
    """

    prompt: int = 12
    completion: int = 15
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: float | None = None
    cache_write_1h: int = 0
    upstream: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a provider says next, whichever dialect it speaks. An empty `model` is the one asked for.

    `finish` is the dialect's own word; empty, it is the usual one. `words` are the pieces of a stream, each of them
    one token: where they are given, the text and the count of the completion are theirs. `refusal` is what OpenAI
    says in place of a text.
    """

    text: str = TEXT
    words: tuple[str, ...] = ()
    refusal: str = ""
    reasoning: str = ""
    tool_calls: tuple[tuple[str, JSON], ...] = ()
    finish: str = ""
    tokens: Tokens | None = field(default_factory=Tokens)
    model: str = ""
    choices: int = 1
    logprobs: bool = False

    def __post_init__(self) -> None:
        if self.words:  # of a frozen one the fields can still be set in this way, while it is made
            object.__setattr__(self, "text", "".join(self.words))
            object.__setattr__(self, "tokens", self.tokens and replace(self.tokens, completion=len(self.words)))

    @property
    def pieces(self) -> list[str]:
        return list(self.words) or re.findall(r"\s*\S+|\s+", self.text)


class Aside(NamedTuple):
    """An answer that is none to a chat, and what it says of its tokens, if it does."""

    document: JSON
    tokens: Tokens | None = None


class Dialect:
    """One provider's protocol, from the provider's side. `refusals` are its typical errors."""

    root: ClassVar[str] = ""
    stream_type: ClassVar[str] = "text/event-stream"
    refusals: ClassVar[Mapping[str, tuple[int, JSON]]]

    def at(self, path: str, body: JSON) -> Dialect:  # noqa: ARG002
        """The dialect of one address, where a provider speaks several."""
        return self

    def is_stream(self, path: str, body: JSON) -> bool:  # noqa: ARG002 - each dialect tells by one of them
        return bool(body.get("stream"))

    def model(self, path: str, body: JSON) -> str:  # noqa: ARG002
        return str(body.get("model", ""))

    def aside(self, path: str, body: JSON) -> Aside | None:  # noqa: ARG002
        """The answer to what is no chat: embeddings, a count of tokens; None for a chat."""
        return None

    def whole(self, answer: Answer, model: str) -> JSON:
        raise NotImplementedError

    def frames(self, answer: Answer, model: str) -> list[bytes]:
        """The events of a stream, each as it stands on the wire."""
        raise NotImplementedError

    def error_frame(self) -> bytes:
        raise NotImplementedError

    def models(self, names: list[str]) -> JSON:
        return {"data": [{"id": name} for name in names]}


class OpenAI(Dialect):
    root = "/v1"
    refusals: ClassVar = {
        "auth": (401, {"error": {"message": "Incorrect API key: {key}", "code": "invalid_api_key"}}),
        "model": (404, {"error": {"message": "The model `x` does not exist.", "code": "model_not_found"}}),
        "context": (
            400,
            {"error": {"message": "Too long.", "type": "invalid_request_error", "code": "context_length_exceeded"}},
        ),
        "quota": (429, {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}),
        "bad_request": (400, {"error": {"message": "Unknown parameter: 'foo'.", "type": "invalid_request_error"}}),
    }

    def at(self, path: str, body: JSON) -> Dialect:
        is_text = path.endswith("/completions") and not path.endswith("/chat/completions")
        return OpenAITexts(body) if is_text else self

    def whole(self, answer: Answer, model: str) -> JSON:
        message: JSON = {"role": "assistant", "content": answer.text or None}
        if answer.refusal:
            message |= {"content": None, "refusal": answer.refusal}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [self._call(index, *call) for index, call in enumerate(answer.tool_calls)]
        choices = [self._choice(answer, index, "message", message) for index in range(answer.choices)]
        result: JSON = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": model}
        result |= {"choices": choices, "system_fingerprint": "fp_1"}
        return result | ({"usage": self._usage(answer.tokens)} if answer.tokens else {})

    def frames(self, answer: Answer, model: str) -> list[bytes]:
        deltas: list[JSON] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": answer.reasoning}] if answer.reasoning else []
        deltas += [{"refusal": answer.refusal}] if answer.refusal else [{"content": word} for word in answer.pieces]
        for index, call in enumerate(answer.tool_calls):
            deltas += self._call_pieces(index, self._call(index, *call))
        indexes = range(answer.choices)
        chunks = [
            self._chunk(model, [self._choice(answer, index, "delta", delta, ended=False)])
            for delta in deltas
            for index in indexes
        ]
        chunks += [self._chunk(model, [self._choice(answer, index, "delta", {})]) for index in indexes]
        if answer.tokens:
            chunks.append(self._chunk(model, []) | {"usage": self._usage(answer.tokens)})
        return [b": keep-alive\n\n", *(_sse(chunk) for chunk in chunks), b"data: [DONE]\n\n"]

    def error_frame(self) -> bytes:
        return _sse({"error": {"message": "The provider went away.", "code": 502}})

    def aside(self, path: str, body: JSON) -> Aside | None:
        if not path.endswith("/embeddings"):
            return None
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        # In another order than asked for, which clients must not rely on.
        data = [{"object": "embedding", "index": i, "embedding": vector_of(item)} for i, item in enumerate(given)]
        tokens = 3 * len(given)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        said = {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}
        return Aside(said, Tokens(tokens, 0))

    def _choice(self, answer: Answer, index: int, name: str, said: JSON, *, ended: bool = True) -> JSON:
        choice = {"index": index, name: dict(said), "finish_reason": self._finish(answer) if ended else None}
        if answer.logprobs:
            choice["logprobs"] = {"content": [{"token": "Quantum", "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
        return choice

    def _chunk(self, model: str, choices: list[JSON]) -> JSON:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model}
        return head | {"choices": choices}

    def _finish(self, answer: Answer) -> str:
        return answer.finish or ("tool_calls" if answer.tool_calls else "stop")

    def _call(self, index: int, name: str, arguments: JSON) -> JSON:
        function = {"name": name, "arguments": json.dumps(arguments)}
        return {"id": f"call_{index}", "type": "function", "function": function}

    def _call_pieces(self, index: int, call: JSON) -> list[JSON]:
        """The head first, then the arguments in two fragments."""
        text = call["function"]["arguments"]
        head = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        middle = len(text) // 2
        tail = [{"index": index, "function": {"arguments": piece}} for piece in (text[:middle], text[middle:])]
        return [{"tool_calls": [piece]} for piece in (head, *tail)]

    def _usage(self, tokens: Tokens) -> JSON:
        usage: JSON = {
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.completion,
            "total_tokens": tokens.prompt + tokens.completion,
            "prompt_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": tokens.cache_write},
            "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
        }
        if tokens.upstream is not None:
            usage |= {"is_byok": True, "cost_details": {"upstream_inference_cost": tokens.upstream}}
        return usage if tokens.cost is None else usage | {"cost": tokens.cost}


class OpenAITexts(OpenAI):
    """`/completions`: `n` texts for each prompt, numbered through, each with its prompt before it where `echo` asks."""

    def __init__(self, body: JSON) -> None:
        prompt = body.get("prompt", "")
        is_one = isinstance(prompt, str) or (prompt and isinstance(prompt[0], int))
        self._prompts = [prompt] if is_one else prompt
        self._body = body

    def whole(self, answer: Answer, model: str) -> JSON:
        choices = [self._text(answer, index, text, ended=True) for index, text in enumerate(self._texts(answer))]
        return self._object(model, choices) | ({"usage": self._usage(answer.tokens)} if answer.tokens else {})

    def frames(self, answer: Answer, model: str) -> list[bytes]:
        chunks = []
        for index, text in enumerate(self._texts(answer)):
            pieces = re.findall(r"\s*\S+|\s+", text)
            chunks += [self._object(model, [self._text(answer, index, piece, ended=False)]) for piece in pieces]
        chunks += [
            self._object(model, [self._text(answer, index, "", ended=True)])
            for index in range(len(self._texts(answer)))
        ]
        if answer.tokens:
            chunks.append(self._object(model, []) | {"usage": self._usage(answer.tokens)})
        return [*(_sse(chunk) for chunk in chunks), b"data: [DONE]\n\n"]

    def _texts(self, answer: Answer) -> list[str]:
        echoes = [f"{prompt} " if self._body.get("echo") else "" for prompt in self._prompts]
        return [echo + answer.text for echo in echoes for _ in range(answer.choices)]

    def _text(self, answer: Answer, index: int, text: str, *, ended: bool) -> JSON:
        logprobs = {"tokens": [text], "token_logprobs": [-0.1], "top_logprobs": None, "text_offset": [0]}
        said = {"index": index, "text": text, "logprobs": logprobs if answer.logprobs else None}
        return said | {"finish_reason": self._finish(answer) if ended else None}

    def _object(self, model: str, choices: list[JSON]) -> JSON:
        head = {"id": "cmpl-1", "object": "text_completion", "created": 1_700_000_000, "model": model}
        return head | {"choices": choices, "system_fingerprint": "fp_1"}


class Ollama(Dialect):
    stream_type = "application/x-ndjson"
    refusals: ClassVar = {
        "auth": (401, {"error": "unauthorized: {key}"}),
        "model": (404, {"error": "model 'x' not found"}),
        "context": (400, {"error": "the input length exceeds the context length"}),
        "quota": (402, {"error": "the account has no credit left"}),
        "bad_request": (400, {"error": "invalid options: foo"}),
    }

    def is_stream(self, path: str, body: JSON) -> bool:  # noqa: ARG002
        return bool(body.get("stream", True))

    def whole(self, answer: Answer, model: str) -> JSON:
        message: JSON = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message["thinking"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [self._call(*call) for call in answer.tool_calls]
        return self._piece(model, message) | self._end(answer)

    def frames(self, answer: Answer, model: str) -> list[bytes]:
        pieces: list[JSON] = [{"thinking": answer.reasoning, "content": ""}] if answer.reasoning else []
        pieces += [{"content": word} for word in answer.pieces]
        pieces += [{"content": "", "tool_calls": [self._call(*call)]} for call in answer.tool_calls]
        chunks = [self._piece(model, {"role": "assistant", **piece}) for piece in pieces]
        chunks.append(self._piece(model, {"role": "assistant", "content": ""}) | self._end(answer))
        return [json.dumps(chunk).encode() + b"\n" for chunk in chunks]

    def aside(self, path: str, body: JSON) -> Aside | None:
        if not path.endswith("/embed"):
            return None
        vectors = [vector_of(text) for text in body["input"]]
        tokens = 3 * len(vectors)
        return Aside({"model": body["model"], "embeddings": vectors, "prompt_eval_count": tokens}, Tokens(tokens, 0))

    def error_frame(self) -> bytes:
        return b'{"error": "an error was encountered while running the model"}\n'

    def models(self, names: list[str]) -> JSON:
        return {"models": [{"name": name, "model": name} for name in names]}

    def _piece(self, model: str, message: JSON) -> JSON:
        return {"model": model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}

    def _call(self, name: str, arguments: JSON) -> JSON:
        return {"function": {"name": name, "arguments": arguments}}

    def _end(self, answer: Answer) -> JSON:
        end: JSON = {"done": True, "done_reason": answer.finish or "stop"}
        if answer.tokens:
            end |= {"prompt_eval_count": answer.tokens.prompt, "eval_count": answer.tokens.completion}
        return end


class Anthropic(Dialect):
    refusals: ClassVar = {
        "auth": (401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid {key}"}}),
        "model": (404, {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}),
        "context": (
            400,
            {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": "prompt is too long: 200534 tokens > 200000"},
            },
        ),
        "quota": (
            400,
            {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": "Your credit balance is too low."},
            },
        ),
        "bad_request": (
            400,
            {"type": "error", "error": {"type": "invalid_request_error", "message": "foo: Extra inputs"}},
        ),
    }

    def whole(self, answer: Answer, model: str) -> JSON:
        return self._message(model, self._blocks(answer), self._stop_reason(answer), answer.tokens)

    def frames(self, answer: Answer, model: str) -> list[bytes]:
        # The figures known at the start are those of the prompt alone.
        tokens = answer.tokens and replace(answer.tokens, completion=1, reasoning=0)
        events: list[JSON] = [{"type": "message_start", "message": self._message(model, [], None, tokens)}]
        events.append({"type": "ping"})
        for index, block in enumerate(self._blocks(answer)):
            blank: JSON = {"thinking": {"thinking": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}
            empty = block | blank[block["type"]]
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            deltas = self._deltas(block, answer)
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        events.append(
            {"type": "message_delta", "delta": {"stop_reason": self._stop_reason(answer)}} | self._end(answer)
        )
        events.append({"type": "message_stop"})
        return [f"event: {event['type']}\n".encode() + _sse(event) for event in events]

    def aside(self, path: str, body: JSON) -> Aside | None:
        return Aside({"input_tokens": 10 * len(body["messages"])}) if path.endswith("/count_tokens") else None

    def error_frame(self) -> bytes:
        error = {"type": "overloaded_error", "message": "Overloaded"}
        return b"event: error\n" + _sse({"type": "error", "error": error})

    def _message(self, model: str, content: list[JSON], stop_reason: str | None, tokens: Tokens | None) -> JSON:
        message: JSON = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content}
        return message | {"stop_reason": stop_reason} | ({"usage": self._usage(tokens)} if tokens else {})

    def _blocks(self, answer: Answer) -> list[JSON]:
        blocks: list[JSON] = []
        if answer.reasoning:
            blocks.append({"type": "thinking", "thinking": answer.reasoning, "signature": "c2ln"})
        if answer.text:
            blocks.append({"type": "text", "text": answer.text})
        for index, (name, arguments) in enumerate(answer.tool_calls):
            blocks.append({"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": arguments})
        return blocks

    def _deltas(self, block: JSON, answer: Answer) -> list[JSON]:
        match block["type"]:
            case "thinking":
                signature = {"type": "signature_delta", "signature": "c2ln"}
                return [{"type": "thinking_delta", "thinking": block["thinking"]}, signature]
            case "text":
                return [{"type": "text_delta", "text": word} for word in answer.pieces]
            case _:
                text = json.dumps(block["input"]) if block["input"] else ""
                pieces = ("", text[: len(text) // 2], text[len(text) // 2 :])
                return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]

    def _stop_reason(self, answer: Answer) -> str:
        return answer.finish or ("tool_use" if answer.tool_calls else "end_turn")

    def _end(self, answer: Answer) -> JSON:
        return {"usage": self._usage(answer.tokens)} if answer.tokens else {}

    def _usage(self, tokens: Tokens) -> JSON:
        five_minutes = tokens.cache_write - tokens.cache_write_1h
        return {
            "input_tokens": tokens.prompt - tokens.cached - tokens.cache_write,
            "cache_read_input_tokens": tokens.cached,
            "cache_creation_input_tokens": tokens.cache_write,
            "cache_creation": {
                "ephemeral_5m_input_tokens": five_minutes,
                "ephemeral_1h_input_tokens": tokens.cache_write_1h,
            },
            "output_tokens": tokens.completion,
            "output_tokens_details": {"thinking_tokens": tokens.reasoning},
        }


class Gemini(Dialect):
    refusals: ClassVar = {
        "auth": (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid: {key}",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
                }
            },
        ),
        "model": (404, {"error": {"code": 404, "message": "models/x is not found.", "status": "NOT_FOUND"}}),
        "context": (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (132478) exceeds the maximum number of tokens allowed (131072).",
                    "status": "INVALID_ARGUMENT",
                }
            },
        ),
        "quota": (402, {"error": {"code": 402, "message": "Billing is off.", "status": "FAILED_PRECONDITION"}}),
        "bad_request": (
            400,
            {"error": {"code": 400, "message": 'Unknown name "foo".', "status": "INVALID_ARGUMENT"}},
        ),
    }

    def is_stream(self, path: str, body: JSON) -> bool:  # noqa: ARG002
        return ":streamGenerateContent" in path

    def model(self, path: str, body: JSON) -> str:  # noqa: ARG002
        return path.rpartition("/models/")[2].partition(":")[0]

    def whole(self, answer: Answer, model: str) -> JSON:
        return self._piece(model, self._parts(answer, [answer.text]), self._finish(answer), answer.tokens)

    def frames(self, answer: Answer, model: str) -> list[bytes]:
        parts = self._parts(answer, answer.pieces)
        pieces = [self._piece(model, [part], None, None) for part in parts]
        return [_sse(piece) for piece in (*pieces, self._piece(model, [], self._finish(answer), answer.tokens))]

    def aside(self, path: str, body: JSON) -> Aside | None:
        if path.endswith(":countTokens"):
            return Aside({"totalTokens": 10 * len(body["generateContentRequest"]["contents"])})
        if path.endswith(":batchEmbedContents"):
            texts = ["".join(part["text"] for part in one["content"]["parts"]) for one in body["requests"]]
            return Aside({"embeddings": [{"values": vector_of(text)} for text in texts]})
        return None

    def error_frame(self) -> bytes:
        return _sse({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})

    def models(self, names: list[str]) -> JSON:
        chat = [{"name": f"models/{name}", "supportedGenerationMethods": ["generateContent"]} for name in names]
        return {"models": [*chat, {"name": "models/painter", "supportedGenerationMethods": ["predict"]}]}

    def _parts(self, answer: Answer, texts: list[str]) -> list[JSON]:
        thoughts: list[JSON] = [{"text": answer.reasoning, "thought": True}] if answer.reasoning else []
        calls: list[JSON] = [
            {"functionCall": {"name": name, "args": arguments}, "thoughtSignature": "c2ln"}
            for name, arguments in answer.tool_calls
        ]
        return thoughts + [{"text": text} for text in texts if text] + calls

    def _piece(self, model: str, parts: list[JSON], finish: str | None, tokens: Tokens | None) -> JSON:
        candidate: JSON = {"index": 0, "content": {"role": "model", "parts": parts}}
        candidate |= {"finishReason": finish} if finish else {}
        return {"candidates": [candidate], "modelVersion": model} | (
            {"usageMetadata": self._usage(tokens)} if tokens else {}
        )

    def _finish(self, answer: Answer) -> str:
        return answer.finish or "STOP"

    def _usage(self, tokens: Tokens) -> JSON:
        return {
            "promptTokenCount": tokens.prompt,
            "candidatesTokenCount": tokens.completion - tokens.reasoning,
            "thoughtsTokenCount": tokens.reasoning,
            "cachedContentTokenCount": tokens.cached,
        }


def vector_of(item: Any) -> list[float]:
    """The same for the same text, or list of tokens, and hardly the same for another."""
    numbers = [ord(letter) for letter in item] if isinstance(item, str) else list(item)
    return [float(len(numbers)), sum(numbers) % 97 / 2, 0.25]


def _sse(data: JSON) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DIALECTS: Mapping[str, Dialect] = {
    "openai": OpenAI(),
    "ollama": Ollama(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
}
