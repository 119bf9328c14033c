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
    ],
)
def test_a_refusal_is_sorted_by_its_codes_then_its_status(status: int, payload: Any, kind: ErrorKind) -> None:
    assert read(status, payload).kind is kind


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
