"""The calls of the API: what is sent for each. How it is sent is the clients' own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from oxide_client import answers
from oxide_client.errors import UnexpectedAnswerError, ValidationError
from oxide_client.options import RuleFields, TaskOptions
from oxide_client.typing_names import Unpack
from oxide_client.version import __version__

T_co = TypeVar("T_co", covariant=True)

USER_AGENT = f"oxide-client-python/{__version__}"
SECONDS = 60.0
# Longer than Oxide takes by default (OXIDE_TASK_TIMEOUT), so that its own error comes, which knows more.
TASK_SECONDS = 630.0
_GRACE_SECONDS = 30.0


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """One request, answered with a `T_co`.

    `seconds` is the time it may take where nobody says otherwise. `is_task` where it has a model do something, which
    costs. `is_open` where no credentials are sent. `also_good` are statuses that are no errors here.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    seconds: float = SECONDS
    is_task: bool = False
    is_open: bool = False
    also_good: tuple[int, ...] = ()

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


def checked_url(base_url: str) -> str:
    """The address of Oxide without a slash at its end. Raises `ValueError`, which names the right one if it can."""
    base_url = base_url.strip()
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"base_url must begin with http:// or https://, not {base_url!r}. Use {_corrected(base_url)}.")
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"base_url must be an address such as http://localhost:8000, not {base_url!r}.")
    if not _has_port(parts):
        raise ValueError(f"base_url has a port that is none: {base_url!r}. Use a number from 1 to 65535.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must hold no user or password: give a token instead.")
    return base_url.rstrip("/")


def _corrected(base_url: str) -> str:
    """`localhost:8000` and `ws://localhost:8000` with the scheme that was most likely meant."""
    scheme, mark, rest = base_url.rpartition("://")
    host = re.match(r"(\[[\da-fA-F:.]+\]|[\w.-]+)(:\d+)?(/[\w./-]*)?$", rest)
    if not host:
        return "one such as http://localhost:8000"
    return f"{'https' if mark and scheme in ('wss', 'https') else 'http'}://{host[0]}"


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def checked_token(token: str | None) -> str | None:
    """Without the end of the line that tokens from files have. Raises `ValueError`."""
    token = token.strip() if token else None
    if token and not re.fullmatch("[!-~]+", token):
        raise ValueError("token must be an access token or a key for programs: one word, without blanks.")
    return token or None


def headers_of(call: Call[Any], token: str | None) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT}
    if token and not call.is_open:
        headers["Authorization"] = f"Bearer {token}"
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def content_of(call: Call[Any]) -> bytes | None:
    """The body as JSON. Raises `TypeError` and `ValueError` for what JSON cannot say."""
    return None if call.body is None else json.dumps(call.body, allow_nan=False).encode()


def decoded(call: Call[Any], content: bytes) -> Any:
    """The answer's JSON; None where something was deleted. Raises `UnexpectedAnswerError`."""
    if call.method == "DELETE":
        return None
    try:
        return json.loads(content)
    except ValueError:
        raise UnexpectedAnswerError(
            "The answer is no JSON. Check that base_url is the address of Oxide, and the proxies before it."
        ) from None


# Tasks


def execute(
    prompt: str | None,
    task_type: answers.TaskType | None,
    more: Mapping[str, Any],
    **options: Unpack[TaskOptions],
) -> Call[Any]:
    """`more` are the fields that say how the task is done: in the background, as a stream."""
    if "stream" in options:
        raise TypeError("execute_task answers in one piece: use stream_task for a stream.")
    asked = {"prompt": prompt, "task_type": task_type, **options, **more}
    limit = options.get("timeout_seconds")
    return Call(
        "POST",
        "/api/tasks/execute/",
        body=_given(asked),
        seconds=TASK_SECONDS if limit is None else limit + _GRACE_SECONDS,
        is_task=True,
    )


def explain(
    prompt: str | None, task_type: answers.TaskType | None, **options: Unpack[TaskOptions]
) -> Call[answers.Explanation]:
    body = _given({"prompt": prompt, "task_type": task_type, **options})
    return Call("POST", "/api/routing/explain/", body=body)


def history(**query: Any) -> Call[answers.HistoryPage]:
    return Call("GET", "/api/tasks/history/", query=_query(query))


def export(**query: Any) -> Call[answers.Export]:
    # In JSON, and with the time of a task: a long history takes a while.
    return Call("GET", "/api/tasks/export/", query=_query({**query, "as": "json"}), seconds=TASK_SECONDS)


def task(task_id: str) -> Call[answers.TaskDetail]:
    return Call("GET", f"/api/tasks/{_part(task_id)}/")


def cancel(task_id: str) -> Call[answers.TaskCancelling]:
    return Call("POST", f"/api/tasks/{_part(task_id)}/cancel/")


# Services


def services() -> Call[answers.ServiceList]:
    return Call("GET", "/api/services/")


def service(name: str) -> Call[answers.ServiceDetail]:
    return Call("GET", f"/api/services/{_part(name)}/")


def service_test(name: str) -> Call[answers.ServiceTested]:
    return Call("POST", f"/api/services/{_part(name)}/test/")


def service_models(name: str) -> Call[answers.ModelList]:
    return Call("GET", f"/api/services/{_part(name)}/models/")


def service_switch(name: str, *, on: bool) -> Call[answers.ServiceDetail]:
    return Call("POST", f"/api/services/{_part(name)}/{'enable' if on else 'disable'}/")


# Routing


def rules() -> Call[answers.RuleList]:
    return Call("GET", "/api/routing/rules/")


def rule(rule_id: str) -> Call[answers.Rule]:
    return Call("GET", f"/api/routing/rules/{_part(rule_id)}/")


def rule_create(rule_id: str | None, **fields: Unpack[RuleFields]) -> Call[answers.Rule]:
    return Call("POST", "/api/routing/rules/", body=_given({"id": rule_id, **fields}))


def rule_update(rule_id: str, **fields: Unpack[RuleFields]) -> Call[answers.Rule]:
    return Call("PATCH", f"/api/routing/rules/{_part(rule_id)}/", body={**fields})


def rule_delete(rule_id: str) -> Call[None]:
    return Call("DELETE", f"/api/routing/rules/{_part(rule_id)}/")


# Monitoring


def metrics() -> Call[answers.Metrics]:
    return Call("GET", "/api/monitoring/metrics/")


def stats(window: answers.Window) -> Call[answers.Stats]:
    return Call("GET", "/api/monitoring/stats/", query={"window": window})


def series() -> Call[answers.Series]:
    return Call("GET", "/api/monitoring/series/")


def costs(group_by: answers.Group, days: int) -> Call[answers.Costs]:
    return Call("GET", "/api/monitoring/costs/", query={"group_by": group_by, "days": str(days)})


def health() -> Call[answers.Health]:
    return Call("GET", "/health", is_open=True)


def ready() -> Call[answers.Readiness]:
    return Call("GET", "/ready", is_open=True, also_good=(503,))


# Keys


def key_statuses() -> Call[answers.KeyStatusList]:
    return Call("GET", "/api/api-keys/status/")


def key_status(name: str) -> Call[answers.KeyStatus]:
    return Call("GET", f"/api/api-keys/status/{_part(name)}/")


def key_test(name: str, api_key: str | None) -> Call[answers.KeyTested]:
    return Call("POST", "/api/api-keys/test/", body=_given({"service": name, "api_key": api_key}))


def key_update(name: str, api_key: str) -> Call[answers.KeyUpdated]:
    return Call("POST", "/api/api-keys/update/", body={"service": name, "api_key": api_key})


def client_keys() -> Call[answers.ClientKeyList]:
    return Call("GET", "/api/api-keys/clients/")


def client_key_create(
    name: str, scopes: list[answers.Scope] | None, expires_at: datetime | str | None
) -> Call[answers.ClientKeyMade]:
    asked = {"name": name, "scopes": scopes, "expires_at": _text(expires_at)}
    return Call("POST", "/api/api-keys/clients/", body=_given(asked))


def client_key_delete(key_id: int) -> Call[None]:
    return Call("DELETE", f"/api/api-keys/clients/{int(key_id)}/")


# Configuration


def config() -> Call[answers.Configuration]:
    return Call("GET", "/api/config/")


def config_reload() -> Call[answers.Reloaded]:
    return Call("POST", "/api/config/reload/")


# Identity


def login(username: str, password: str) -> Call[answers.TokenPair]:
    return Call("POST", "/auth/login", body={"username": username, "password": password}, is_open=True)


def refresh(refresh_token: str) -> Call[answers.TokenPair]:
    return Call("POST", "/auth/refresh", body={"refresh_token": refresh_token}, is_open=True)


def logout(refresh_token: str | None) -> Call[answers.LoggedOut]:
    """Without a refresh token the access token in the header says which login is to end."""
    return Call("POST", "/auth/logout", body=_given({"refresh_token": refresh_token}))


def me() -> Call[answers.Me]:
    return Call("GET", "/auth/me")


def _part(name: str) -> str:
    """A name as one part of a path."""
    if name in ("", ".", ".."):
        raise ValidationError(f"{name!r} cannot be a name or an id.")
    return quote(name, safe="")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _query(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(_text(value)) for name, value in _given(fields).items()}


def _text(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone: use an aware datetime, such as datetime.now(timezone.utc).")
    return value.isoformat()
