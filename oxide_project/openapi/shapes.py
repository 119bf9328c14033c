"""From the types that the code answers with to the schemas of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import msgspec
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from tasks.errors import ProviderErrorShown

_REF = "#/components/schemas/{name}"
_shown: dict[str, type] = {}
_rules: dict[str, Mapping[str, Any]] = {}


class Error(TypedDict):
    """What every error looks like. `detail` says what is wrong and what to do.

    The error of a task that failed has these as well: its `task_id`, and where a provider failed, `provider_error`.
    """

    error: str
    detail: str
    code: str
    task_id: NotRequired[str]
    provider_error: NotRequired[ProviderErrorShown]


# What each status means, with the codes that it may carry.
_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("VALIDATION_ERROR", "Invalid request", "prompt is empty: say what is to be done."),
    401: ("UNAUTHORIZED", "Authentication required", "Send a key or a token."),
    403: ("FORBIDDEN", "Forbidden", "This needs the scope admin."),
    404: ("NOT_FOUND", "Not found", "There is no service named 'nobody'. GET /api/services/ lists them."),
    405: ("METHOD_NOT_ALLOWED", "Method not allowed", 'Method "PUT" not allowed.'),
    406: ("NOT_ACCEPTABLE", "Not acceptable", "Could not satisfy the request Accept header."),
    413: ("PAYLOAD_TOO_LARGE", "Payload too large", "The body is larger than OXIDE_MAX_BODY_MB allows."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", 'Unsupported media type "text/plain" in request.'),
    429: ("RATE_LIMIT_EXCEEDED", "Rate limit exceeded", "Too many requests. Retry after 60 seconds."),
    500: ("INTERNAL_ERROR", "Internal server error", "Oxide failed; its log says why."),
    502: ("INVALID_API_KEY", "Authentication failed", "Invalid API key for service openrouter."),
    503: ("SERVICE_UNAVAILABLE", "Service not available", "ollama_local is currently unhealthy"),
    529: ("PROVIDER_OVERLOADED", "Provider overloaded", "anthropic answered 529: Overloaded. Try again later."),
    504: ("TIMEOUT", "Timeout", "ollama_local did not answer in time."),
}

# The gate in front of every view may answer these.
_ALWAYS = (400, 401, 403, 405, 406, 429)


class ServerSentEvent(TypedDict):
    """`data` is a JSON document or, at the end of OpenAI's streams, `[DONE]`."""

    data: str
    event: NotRequired[str]


def shape(kind: type) -> dict[str, Any]:
    """A reference to the schema of a TypedDict or msgspec Struct, which goes into the document with it."""
    if _shown.setdefault(kind.__name__, kind) is not kind:
        raise ValueError(f"Two shapes are called {kind.__name__}: the document knows them by their names alone.")
    return {"$ref": _REF.format(name=kind.__name__)}


def json_body(kind: type, **rules: Any) -> dict[str, Any]:
    """A body in JSON, and what JSON Schema can say of it beyond its fields."""
    refine(kind.__name__, **rules)
    return {"application/json": shape(kind)}


def refine(schema: str, **rules: Any) -> None:
    """Say more of a schema than its type does."""
    _rules[schema] = {**_rules.get(schema, {}), **rules}


def answers(good: Mapping[int, type | None], *errors: int) -> dict[int, Any]:
    """The answers of an operation: the good ones by status, those of the gate, and the `errors` of its own."""
    return _good(good) | {status: _error(status) for status in _statuses(errors)}


def answers_in(error: type, good: Mapping[int, type | None], *errors: int) -> dict[int, Any]:
    """The same for an operation in another dialect, whose errors look like `error`."""
    return _good(good) | {status: OpenApiResponse(shape(error), _ERRORS[status][1]) for status in _statuses(errors)}


def streamed(answers: Mapping[int, Any]) -> dict[Any, Any]:
    """The answers of an operation that answers with server-sent events, too, where it is asked to."""
    events = OpenApiResponse(shape(ServerSentEvent), "With `stream`: server-sent events.")
    return {(200, "application/json"): answers[200], (200, "text/event-stream"): events} | {
        status: answer for status, answer in answers.items() if status != 200
    }


def _good(good: Mapping[int, type | None]) -> dict[int, Any]:
    return {status: OpenApiResponse(shape(kind) if kind else None) for status, kind in good.items()}


def _statuses(errors: Iterable[int]) -> list[int]:
    return sorted({*_ALWAYS, *errors})


def query(kind: type) -> list[OpenApiParameter]:
    """The query parameters that a msgspec Struct describes."""
    components = msgspec.json.schema_components([kind], ref_template=_REF)[1]
    properties = components[kind.__name__]["properties"]
    return [OpenApiParameter(name, _resolved(rule, components)) for name, rule in properties.items()]


def add_shapes(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """drf-spectacular's hook after the document is made: put the schemas in that it refers to."""
    components = msgspec.json.schema_components(list(_shown.values()), ref_template=_REF)[1]
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(components)
    for name, rules in _rules.items():
        schemas[name].update(rules)
    for operation in _operations(result):
        _unwrap_lists(operation)
        _require_body(operation, schemas)
    return result


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from (operation for operation in item.values() if "responses" in operation)


def _unwrap_lists(operation: dict[str, Any]) -> None:
    """drf-spectacular takes what every `list` answers for a bare array. Here lists stand in an object."""
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            if content["schema"].get("type") == "array":
                content["schema"] = content["schema"]["items"]


def _require_body(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """drf-spectacular does not look into shapes: a body with a field that must be there must be there itself."""
    body = operation.get("requestBody", {"content": {}})
    for content in body["content"].values():
        schema = schemas.get(content["schema"].get("$ref", "").rpartition("/")[2], {})
        if schema.get("required") or "oneOf" in schema:
            body["required"] = True


def _error(status: int) -> OpenApiResponse:
    code, error, detail = _ERRORS[status]
    example = OpenApiExample(code, {"error": error, "detail": detail, "code": code})
    return OpenApiResponse(shape(Error), error, examples=[example])


def _resolved(rule: dict[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema: without null, which no query can hold, and without references."""
    options = [option for option in rule.get("anyOf", [rule]) if option.get("type") != "null"]
    chosen = dict(options[0])
    if "$ref" in chosen:
        chosen = dict(components[chosen["$ref"].rpartition("/")[2]])
    if rule.get("default") is not None:
        chosen["default"] = rule["default"]
    return chosen
