"""The synchronous client, on requests."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Literal, TypeVar, cast, overload

import requests
import urllib3

from oxide_client import answers, calls, errors, schemes
from oxide_client.blocking_events import Events
from oxide_client.calls import Call, decoded
from oxide_client.errors import OxideError, UnauthorizedError
from oxide_client.live import TOPICS, Topic
from oxide_client.options import RuleFields, TaskOptions
from oxide_client.retries import Deadline, Retries
from oxide_client.sockets import Guard, GuardedAdapter, guarded
from oxide_client.streams import Reader, StreamEvent
from oxide_client.tokens import Tokens
from oxide_client.typing_names import Self, Unpack
from oxide_client.waiting import PASSING, Waiting

T = TypeVar("T")

CONNECT_SECONDS = 10.0
_MOST_KEPT = 64  # connections that stay open
_PIECE = 65_536


class Oxide:
    """Calls Oxide. Safe for any number of threads at once; `AsyncOxide` is the same for asyncio.

    `token` is an access token or a key for programs, where identity is on. `timeout` is how many seconds a call may
    take in all, retries included (a task: 630, or its `timeout_seconds` and 30 more; everything else: 60). `proxy` is
    the address of an HTTP proxy; the environment is not asked for one.

    Every call raises `OxideError`, one of its kinds for each reason.
    """

    def __init__(
        self,
        base_url: str = "http://localhost:8000",
        token: str | None = None,
        *,
        timeout: float | None = None,
        retries: Retries = Retries(),  # noqa: B008 - it cannot be changed
        proxy: str | None = None,
    ) -> None:
        self.base_url = calls.checked_url(base_url)
        self._timeout = timeout
        self._retries = retries
        self._proxy = proxy
        self._tokens = Tokens(token)
        self._session = _session(self.base_url, proxy)
        self._renewing = threading.Lock()
        self._has_answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. A later call opens new ones."""
        self._session.close()

    # Tasks

    @overload
    def execute_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        background: Literal[True],
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.TaskAccepted: ...

    @overload
    def execute_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        background: Literal[False] | None = None,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.TaskAnswer: ...

    def execute_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        background: bool | None = None,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.TaskAnswer | answers.TaskAccepted:
        """Have a task done, and wait for its answer; with `background=True` only for its id.

        Give `prompt` or `messages`. `task_type=None` lets Oxide find out the type. Whoever stops waiting,
        because of Ctrl-C or because the time is over, calls the task off.
        """
        call = calls.execute(prompt, task_type, {"background": background}, **options)
        return cast("answers.TaskAnswer | answers.TaskAccepted", self._send(call, timeout))

    def stream_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> TaskStream:
        """Have a task done, and hear its answer as it comes: `for event in client.stream_task(...)`.

        Whoever may stop before the end uses `with` as well, which then calls the task off at once.
        """
        call = calls.execute(prompt, task_type, {"stream": True}, **options)
        return TaskStream(self, call, self._deadline(call, timeout))

    def wait_for_task(self, task_id: str, *, timeout: float | None = None) -> answers.TaskDetail:
        """Wait until a task in the background has ended. Raises the error of one that failed."""
        deadline = Deadline.of(timeout, self._timeout, calls.TASK_SECONDS)
        waiting = Waiting(task_id, deadline)
        while True:
            problem: OxideError | None = None
            try:
                task = self._send(calls.task(task_id), min(deadline.remaining + 1, calls.SECONDS))
                if waiting.ended(task):
                    return task
            except PASSING as error:
                problem = error
            time.sleep(waiting.next_pause(problem))

    def get_history(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        status: answers.Status | None = None,
        service: str | None = None,
        task_type: answers.TaskType | None = None,
        search: str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
    ) -> answers.HistoryPage:
        """Tasks, the newest first: `limit` of 1 to 1000, 50 where it is left out."""
        return self._send(
            calls.history(
                limit=limit,
                offset=offset,
                status=status,
                service=service,
                task_type=task_type,
                search=search,
                created_after=created_after,
                created_before=created_before,
            )
        )

    def export_history(
        self,
        *,
        status: answers.Status | None = None,
        service: str | None = None,
        task_type: answers.TaskType | None = None,
        search: str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        timeout: float | None = None,
    ) -> answers.Export:
        """All tasks that are found, the newest first, in one answer: as much memory as they need."""
        call = calls.export(
            status=status,
            service=service,
            task_type=task_type,
            search=search,
            created_after=created_after,
            created_before=created_before,
        )
        return self._send(call, timeout)

    def get_task(self, task_id: str) -> answers.TaskDetail:
        return self._send(calls.task(task_id))

    def cancel_task(self, task_id: str) -> answers.TaskCancelling:
        """Call an open task off. Its provider's connection is closed within about a second."""
        return self._send(calls.cancel(task_id))

    # Services

    def list_services(self) -> answers.ServiceList:
        return self._send(calls.services())

    def get_service(self, name: str) -> answers.ServiceDetail:
        return self._send(calls.service(name))

    def test_service(self, name: str) -> answers.ServiceTested:
        """Ask a service how it is, now."""
        return self._send(calls.service_test(name))

    def list_models(self, service: str) -> answers.ModelList:
        return self._send(calls.service_models(service))

    def enable_service(self, name: str) -> answers.ServiceDetail:
        return self._send(calls.service_switch(name, on=True))

    def disable_service(self, name: str) -> answers.ServiceDetail:
        return self._send(calls.service_switch(name, on=False))

    # Routing

    def list_rules(self) -> answers.RuleList:
        return self._send(calls.rules())

    def get_rule(self, rule_id: str) -> answers.Rule:
        return self._send(calls.rule(rule_id))

    def create_rule(self, rule_id: str | None = None, **fields: Unpack[RuleFields]) -> answers.Rule:
        """`task_type` and `service` are needed. Oxide makes an id where none is given."""
        return self._send(calls.rule_create(rule_id, **fields))

    def update_rule(self, rule_id: str, **fields: Unpack[RuleFields]) -> answers.Rule:
        """Change these fields, and leave the others."""
        return self._send(calls.rule_update(rule_id, **fields))

    def delete_rule(self, rule_id: str) -> None:
        self._send(calls.rule_delete(rule_id))

    def explain_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.Explanation:
        """Who would do a task, and why, without doing it."""
        return self._send(calls.explain(prompt, task_type, **options))

    # Monitoring

    def get_metrics(self) -> answers.Metrics:
        return self._send(calls.metrics())

    def get_stats(self, window: answers.Window = "24h") -> answers.Stats:
        return self._send(calls.stats(window))

    def get_series(self) -> answers.Series:
        """The last hour by the minute."""
        return self._send(calls.series())

    def get_costs(self, group_by: answers.Group = "day", days: int = 30) -> answers.Costs:
        return self._send(calls.costs(group_by, days))

    def get_health(self) -> answers.Health:
        return self._send(calls.health())

    def get_readiness(self) -> answers.Readiness:
        """Whether Oxide can do its work; where it cannot, that is an answer and no error."""
        return self._send(calls.ready())

    # Keys

    def list_keys(self) -> answers.KeyStatusList:
        """The keys with which Oxide calls services."""
        return self._send(calls.key_statuses())

    def get_key(self, service: str) -> answers.KeyStatus:
        return self._send(calls.key_status(service))

    def test_key(self, service: str, api_key: str | None = None) -> answers.KeyTested:
        """Ask the provider whether it takes this key, or the one in force where none is given."""
        return self._send(calls.key_test(service, api_key))

    def update_key(self, service: str, api_key: str) -> answers.KeyUpdated:
        return self._send(calls.key_update(service, api_key))

    def list_client_keys(self) -> answers.ClientKeyList:
        """The keys with which programs call Oxide."""
        return self._send(calls.client_keys())

    def create_client_key(
        self,
        name: str,
        *,
        scopes: list[answers.Scope] | None = None,
        expires_at: datetime | str | None = None,
    ) -> answers.ClientKeyMade:
        """Make a key for a program. Without `scopes` it gets `execute`: it runs tasks, and sees its own."""
        return self._send(calls.client_key_create(name, scopes, expires_at))

    def delete_client_key(self, key_id: int) -> None:
        self._send(calls.client_key_delete(key_id))

    # Configuration

    def get_config(self) -> answers.Configuration:
        return self._send(calls.config())

    def reload_config(self) -> answers.Reloaded:
        """Have the configuration file read again, all of it or nothing."""
        return self._send(calls.config_reload())

    # Identity

    def login(self, username: str, password: str) -> answers.TokenPair:
        """Log in. From now on this client calls as that user, and renews the login by itself."""
        return self._tokens.keep(self._send(calls.login(username, password)))

    def refresh(self, refresh_token: str | None = None) -> answers.TokenPair:
        """Get the next pair of tokens for a refresh token, or for the one of `login`. Each is good once."""
        return self._tokens.keep(self._send(calls.refresh(self._tokens.refresh_with(refresh_token))))

    def logout(self, refresh_token: str | None = None) -> answers.LoggedOut:
        """End the login: all of its tokens are refused from now on."""
        answer = self._send(calls.logout(refresh_token or self._tokens.refresh))
        self._tokens.forget()
        return answer

    def change_password(self, current_password: str, new_password: str) -> answers.TokenPair:
        """Change your own password. Ends all of your logins; this client continues with a new one."""
        return self._tokens.keep(self._send(calls.password_change(current_password, new_password)))

    def get_me(self) -> answers.Me:
        return self._send(calls.me())

    # Live events

    def events(self, *, topics: Iterable[Topic] = TOPICS, task_ids: Iterable[str] = ()) -> Events:
        """What happens, live: `with client.events() as events: for event in events`."""
        return Events(self, topics, task_ids)

    # How it is sent

    def _deadline(self, call: Call[Any], timeout: float | None) -> Deadline:
        return Deadline.of(timeout, self._timeout, call.seconds)

    def _send(self, call: Call[T], timeout: float | None = None) -> T:
        deadline = self._deadline(call, timeout)
        guard = Guard(deadline.remaining)

        def once() -> T:
            with _told(call, deadline, self.base_url, guard):
                content = self._request(call, deadline, guard).content
            return cast("T", decoded(call, content))

        try:
            return self._repeat(call, deadline, once)
        finally:
            guard.release()

    def _open(self, call: Call[Any], deadline: Deadline, guard: Guard) -> requests.Response:
        """An answer whose body is still to be read."""

        def once() -> requests.Response:
            with _told(call, deadline, self.base_url, guard):
                return self._request(call, deadline, guard)

        return self._repeat(call, deadline, once)

    def _repeat(self, call: Call[Any], deadline: Deadline, once: Callable[[], T]) -> T:
        failures, renewed = 0, False
        while True:
            used = self._tokens.access
            try:
                return once()
            except OxideError as failure:
                error = self._explained(failure)
                if isinstance(error, UnauthorizedError) and not (call.is_open or renewed):
                    renewed = self._renew(used)
                    if renewed:
                        continue
                failures += 1
                pause = self._retries.pause_after(error, call, failures, deadline.remaining)
                if pause is None:
                    raise error from failure.__cause__
            time.sleep(pause)

    def _explained(self, error: OxideError) -> OxideError:
        """The error that says that the scheme of `base_url` is wrong, where that is why a first call failed."""
        if self._has_answered or self._proxy or not schemes.may_be_wrong(self.base_url, error):
            return error
        return schemes.mismatch(self.base_url) or error

    def _request(self, call: Call[Any], deadline: Deadline, guard: Guard) -> requests.Response:
        """Ask once. Raises `OxideError` for an answer that is an error, and what requests raises."""
        remaining = min(deadline.remaining, threading.TIMEOUT_MAX)
        with guarded(guard):
            response = self._session.request(
                call.method,
                self.base_url + call.path,
                params=call.query,
                data=calls.content_of(call),
                headers=calls.headers_of(call, self._tokens.access),
                timeout=(min(CONNECT_SECONDS, remaining), remaining),
                allow_redirects=False,
                stream=True,
            )
        self._has_answered = True
        if response.status_code < 300 or response.status_code in call.also_good:
            return response
        with response:
            content = response.content
        guard.watch(None)  # from now on the connection may be another call's
        raise errors.of_answer(response.status_code, response.headers, content, self.base_url)

    def _renew(self, used: str | None) -> bool:
        """Get a new access token in place of the one that was `used` and refused. Returns whether there is one."""
        with self._renewing:
            if self._tokens.access != used:
                return True  # another thread has renewed it meanwhile
            if self._tokens.refresh is None:
                return False
            try:
                self.refresh()
            except UnauthorizedError:
                self._tokens.refresh = None
                return False
            return True


class TaskStream:
    """A task's events as they come. `task_id` is there from the first on."""

    def __init__(self, client: Oxide, call: Call[Any], deadline: Deadline) -> None:
        self._client = client
        self._call = call
        self._deadline = deadline
        self._reader = Reader()
        self._ready: deque[StreamEvent] = deque()
        self._response: requests.Response | None = None
        self._guard: Guard | None = None
        self._reading = threading.Lock()
        self._closed = threading.Event()

    @property
    def task_id(self) -> str | None:
        return self._reader.task_id

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamEvent:
        while not self._closed.is_set():
            if self._ready:
                return self._ready.popleft()
            if self._reader.is_over:
                break
            try:
                self._ready.extend(self._reader.feed(self._read()))
            except BaseException as error:
                was_closed = self._closed.is_set()
                self.close()
                if was_closed and isinstance(error, OxideError):
                    raise StopIteration from None  # another thread has closed it, which looks like a broken connection
                raise
        self.close()
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, from whichever thread. A task that has not ended is called off."""
        self._closed.set()
        if self._guard is not None:
            self._guard.cut()
        # A thread that reads is at its end now, and closes it then.
        if self._reading.acquire(blocking=False):
            try:
                if self._response is not None:
                    self._response.close()
            finally:
                self._reading.release()

    def _read(self) -> bytes:
        with self._reading:
            return self._read_on()

    def _read_on(self) -> bytes:
        if self._response is None:
            self._guard = Guard(self._deadline.remaining)
            self._response = self._client._open(self._call, self._deadline, self._guard)  # noqa: SLF001 - a part of it
        with _told(self._call, self._deadline, self._client.base_url, self._guard, self._reader):
            # As much as is there; `iter_content` may wait until its piece is full.
            return cast("bytes", self._response.raw.read1(_PIECE, decode_content=True))


def _session(base_url: str, proxy: str | None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no password of another program's
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = GuardedAdapter(is_tls=base_url.startswith("https"), pool_maxsize=_MOST_KEPT)
    session.mount(base_url, adapter)
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    return session


@contextmanager
def _told(
    call: Call[Any], deadline: Deadline, base_url: str, guard: Guard | None, reader: Reader | None = None
) -> Iterator[None]:
    """What requests raises, in our own words. What a guard has cut looks like any other end."""
    task_id = reader.task_id if reader else None
    try:
        yield
    except _FAILURES as error:
        if isinstance(error, requests.exceptions.ProxyError):
            raise errors.no_way_through(base_url, error) from error
        if _was_never_connected(error):
            raise errors.not_connected(base_url, error) from error
        if isinstance(error, requests.Timeout) or deadline.is_over:
            raise errors.out_of_time(call.is_task, deadline.seconds, task_id) from error
        raise errors.broken(call.is_task, base_url, error, task_id) from error
    if guard and guard.is_over:
        raise errors.out_of_time(call.is_task, deadline.seconds, task_id)


_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError)


def _was_never_connected(error: BaseException) -> bool:
    if isinstance(error, (requests.ConnectTimeout, requests.exceptions.SSLError)):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
