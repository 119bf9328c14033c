from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.adapters.base import ErrorKind
from services.adapters.failure import Failure


def read(status: int, payload: Any) -> Failure:
    return Failure.read(status, msgspec.json.encode(payload))


@pytest.mark.parametrize(
    ("status", "payload", "kind"),
    [
        (429, {"error": {"type": "tokens", "code": "rate_limit_exceeded"}}, ErrorKind.RATE_LIMITED),
        (413, {"error": {"type": "tokens", "code": "rate_limit_exceeded"}}, ErrorKind.RATE_LIMITED),
        (400, {"error": {"message": "Too long", "type": "exceed_context_size_error"}}, ErrorKind.CONTEXT_LENGTH),
        (400, {"message": "This model's maximum context length is 4096 tokens."}, ErrorKind.CONTEXT_LENGTH),
        (400, {"error": {"message": "the model's context length is only 1024"}}, ErrorKind.CONTEXT_LENGTH),
        (
            429,
            {"error": {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}},
            ErrorKind.QUOTA,
        ),
        (529, {"error": {"type": "overloaded_error"}}, ErrorKind.OVERLOADED),
        (404, {"detail": "Not Found"}, ErrorKind.UNSUPPORTED),
        (404, {"error": {"message": "The model `gpt-9` does not exist"}}, ErrorKind.MODEL_NOT_FOUND),
        (400, {"detail": [{"msg": "field required"}]}, ErrorKind.BAD_REQUEST),
        (503, {}, ErrorKind.SERVER),
        (501, {}, ErrorKind.UNSUPPORTED),
        (451, {}, ErrorKind.AUTH),
    ],
)
def test_a_refusal_is_sorted_by_its_codes_then_its_status(status: int, payload: Any, kind: ErrorKind) -> None:
    assert read(status, payload).kind is kind


# What vendors answer, mostly with 400, for what is wrong with the service or its account and not with the request.
@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        # Keys and regions. Gemini, xAI, OpenRouter.
        (400, "API key not valid. Please pass a valid API key.", ErrorKind.AUTH),
        (400, "API key expired. Please renew the API key.", ErrorKind.AUTH),
        (
            400,
            "Incorrect API key provided: xa***dd. Obtain one from https://console.x.ai.",
            ErrorKind.AUTH,
        ),
        (400, "Invalid API key", ErrorKind.AUTH),
        (403, "Country, region, or territory not supported", ErrorKind.AUTH),
        # Money. Anthropic, xAI, Fireworks, DeepSeek.
        (400, "Your credit balance is too low to access the Anthropic API.", ErrorKind.QUOTA),
        (
            403,
            "Your team has used all available credits or reached its monthly spending limit.",
            ErrorKind.QUOTA,
        ),
        (412, "Account my-team is suspended, possibly due to reaching the monthly spending limit.", ErrorKind.QUOTA),
        (402, "Insufficient Balance", ErrorKind.QUOTA),
        # Models. OpenAI, Groq, DeepSeek, Moonshot, Azure, Together, LM Studio, vLLM, Ollama, Anthropic.
        (404, "The model `gpt-4-0314` has been deprecated, learn more here.", ErrorKind.MODEL_NOT_FOUND),
        (
            400,
            "The model `mixtral` has been decommissioned and is no longer supported.",
            ErrorKind.MODEL_NOT_FOUND,
        ),
        (400, "Model Not Exist", ErrorKind.MODEL_NOT_FOUND),
        (404, "Not found the model kimi-9 or Permission denied", ErrorKind.MODEL_NOT_FOUND),
        (404, "The API deployment for this resource does not exist.", ErrorKind.MODEL_NOT_FOUND),
        (400, "Unable to access non-serverless model big/one.", ErrorKind.MODEL_NOT_FOUND),
        (400, "No models loaded. Please load a model in the developer page.", ErrorKind.MODEL_NOT_FOUND),
        (404, "The model `x` does not exist.", ErrorKind.MODEL_NOT_FOUND),
        (404, 'model "x" not found, try pulling it first', ErrorKind.MODEL_NOT_FOUND),
        (404, "model: claude-0", ErrorKind.MODEL_NOT_FOUND),
        (400, "The requested model is not supported.", ErrorKind.MODEL_NOT_FOUND),
        (410, "gone", ErrorKind.MODEL_NOT_FOUND),
        # Parameters and abilities. OpenAI, Groq, Anthropic, llama.cpp, Mistral, Ollama.
        (400, "Unsupported parameter: 'temperature' is not supported with this model.", ErrorKind.UNSUPPORTED),
        (400, "Unsupported value: 'temperature' does not support 0.2 with this model.", ErrorKind.UNSUPPORTED),
        (400, "property 'reasoning_effort' is unsupported", ErrorKind.UNSUPPORTED),
        (400, "`temperature` is deprecated for this model.", ErrorKind.UNSUPPORTED),
        (500, "image input is not supported - hint: you may need to provide the mmproj", ErrorKind.UNSUPPORTED),
        (500, "tools param requires --jinja flag", ErrorKind.UNSUPPORTED),
        (422, "Extra inputs are not permitted", ErrorKind.UNSUPPORTED),
        (400, '"auto" tool choice requires --enable-auto-tool-choice to be set', ErrorKind.UNSUPPORTED),
        (400, "The tool get_weather is not supported with this model", ErrorKind.UNSUPPORTED),
        # Unknown models in words that missing operations share. Gemini, GitHub Copilot, Bedrock.
        (
            404,
            "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.",
            ErrorKind.MODEL_NOT_FOUND,
        ),
        (400, "The model 'gpt-9' is not supported.", ErrorKind.MODEL_NOT_FOUND),
        (400, "The provided model identifier is invalid.", ErrorKind.MODEL_NOT_FOUND),
        (400, '"llama2" does not support tools', ErrorKind.UNSUPPORTED),
        # The prompt is too long.
        (400, "prompt is too long: 214850 tokens > 200000 maximum", ErrorKind.CONTEXT_LENGTH),
        (
            400,
            "The input token count (11) exceeds the maximum number of tokens (10).",
            ErrorKind.CONTEXT_LENGTH,
        ),
        (400, "This model's maximum prompt length is 10 but the request contains 11 tokens", ErrorKind.CONTEXT_LENGTH),
        (400, "Please reduce the length of the messages or completion.", ErrorKind.CONTEXT_LENGTH),
        (400, "the request exceeds the available context size, try increasing it", ErrorKind.CONTEXT_LENGTH),
        (400, "Your request exceeded model token limit: 262144 (requested: 300000)", ErrorKind.CONTEXT_LENGTH),
        (400, "prompt token count of 130000 exceeds the limit of 128000", ErrorKind.CONTEXT_LENGTH),
        (400, "Input is too long for requested model.", ErrorKind.CONTEXT_LENGTH),
        (400, "Input length 40000 exceeds the maximum length 32768", ErrorKind.CONTEXT_LENGTH),
        (400, "The number of tokens exceeds the model maximum of 4096", ErrorKind.CONTEXT_LENGTH),
        (
            422,
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
            ErrorKind.CONTEXT_LENGTH,
        ),
        # The caller's mistakes, and faults that pass, stay what they are.
        (400, "Unknown parameter: 'foo'.", ErrorKind.BAD_REQUEST),
        (400, "max_tokens exceeds the maximum of 8192", ErrorKind.BAD_REQUEST),
        (400, "messages: at least one message is required", ErrorKind.BAD_REQUEST),
        (400, "temperature: must be between 0 and 2", ErrorKind.BAD_REQUEST),
        (429, "You exceeded your current quota, please check your plan and billing details.", ErrorKind.RATE_LIMITED),
        (500, "The server had an error while processing your request.", ErrorKind.SERVER),
        (500, "The billing service returned an invalid model name.", ErrorKind.SERVER),
        (503, "The model is overloaded. Please try again later.", ErrorKind.SERVER),
    ],
)
def test_a_refusal_without_codes_is_sorted_by_its_words(status: int, message: str, kind: ErrorKind) -> None:
    assert read(status, {"error": {"message": message}}).kind is kind


@pytest.mark.parametrize(
    ("status", "payload", "scope"),
    [
        (
            501,
            {"error": {"message": "This server lacks embeddings", "type": "not_supported_error"}},
            "service",
        ),
        (405, {}, "service"),
        (404, {"detail": "Not Found"}, "service"),
        (404, {"error": {"message": "The model `x` does not exist"}}, ""),
        (404, {"error": {"message": "models/x is not found, or is not supported for generateContent."}}, ""),
        (400, {"error": {"message": "The model does not support Chat Completions API"}}, "model"),
        (
            404,
            {"error": {"message": "This is not a chat model and not supported in the v1/chat"}},
            "model",
        ),
        (400, {"error": {"code": "OperationNotSupported", "message": "The chatCompletion operation fails."}}, "model"),
        (400, {"error": {"message": '"llama2" does not support tools'}}, ""),
        (500, {}, ""),
    ],
)
def test_an_operation_that_is_missing_is_told_from_a_request_that_is_refused(
    status: int, payload: Any, scope: str
) -> None:
    assert read(status, payload).lacks_operation == scope


@pytest.mark.parametrize(
    ("payload", "pause"),
    [
        ({"error": {"message": "Rate limit reached. Please try again in 7m12.5s. Visit our docs."}}, 432.5),
        ({"error": {"message": "Please try again in 20ms."}}, 0.02),
        ({"error": {"message": "Slow down, retry after 30 seconds"}}, 30),
        ({"error": {"message": "Try again later."}}, None),
        ({"error": {"type": "usage_limit_reached", "resets_in_seconds": 86}}, 86),
        ({"message": "limit", "retry_after": "3"}, 3),
        ({"retry_after": True}, None),
        ([], None),
    ],
)
def test_a_pause_is_found_in_the_body_where_no_header_names_it(payload: Any, pause: float | None) -> None:
    assert read(429, payload).retry_after == pause
    assert Failure.read(429, msgspec.json.encode(payload), 5.0).retry_after == 5


def test_type_code_and_param_are_found_in_the_error() -> None:
    found = read(400, {"error": {"type": "a", "code": 400, "param": None}})
    assert [found.field(name) for name in ("type", "code", "param")] == ["a", "", ""]
    assert read(400, {"object": "error", "type": "b"}).field("type") == "b"
    odd: list[Any] = ["text", None, [], [{}], {"error": "text"}]
    assert [read(400, each).field("type") for each in odd] == [""] * 5


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"error": {"message": "Provider returned error", "code": 502}}, ErrorKind.SERVER),
        ({"error": {"message": "Rate limit", "code": 429}}, ErrorKind.RATE_LIMITED),
        ({"error": {"message": "Slow down", "type": "rate_limit_error"}}, ErrorKind.RATE_LIMITED),
        ({"error": {"message": "Bad", "type": "invalid_request_error"}}, ErrorKind.BAD_REQUEST),
        ({"error": "the runner has stopped"}, ErrorKind.SERVER),
        ({"error": {"code": "502"}}, ErrorKind.SERVER),
    ],
)
def test_a_failure_within_an_answer_is_sorted_without_a_status(payload: Any, kind: ErrorKind) -> None:
    assert Failure.within(payload).kind is kind


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"error": "plain"}, "plain"),
        ({"error": {"message": "inner"}}, "inner"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({"detail": "fastapi"}, "fastapi"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ({"object": "error", "message": "vllm"}, "vllm"),
        ({"error": True, "message": "beside"}, "beside"),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": "why"}}},
            "Provider returned error (why)",
        ),
        ({"error": {"code": 7}}, ""),
        ("text", "text"),
        (None, ""),
        ([], ""),
    ],
)
def test_the_sentence_is_found_wherever_it_stands(payload: Any, message: str) -> None:
    assert read(400, payload).message == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"upstream timed out\n", "upstream timed out"),
        (b"<html><h1>502</h1>", ""),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_body_that_is_no_json_is_no_trouble(body: bytes, message: str) -> None:
    found = Failure.read(502, body)
    assert (found.kind, found.message) == (ErrorKind.SERVER, message)
