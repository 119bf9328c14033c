"""The asynchronous client, on aiohttp."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, TypeVar, cast, overload

import aiohttp
from yarl import URL

from oxide_client import answers, calls, errors, schemes
from oxide_client.aio_events import AsyncEvents
from oxide_client.calls import Call, decoded
from oxide_client.errors import OxideError, UnauthorizedError
from oxide_client.live import TOPICS, Topic
from oxide_client.options import RuleFields, TaskOptions
from oxide_client.retries import Deadline, Retries
from oxide_client.streams import Reader, StreamEvent
from oxide_client.tokens import Tokens
from oxide_client.typing_names import Self, Unpack
from oxide_client.waiting import PASSING, Waiting

T = TypeVar("T")

CONNECT_SECONDS = 10.0


class AsyncOxide:
    """Calls Oxide. Safe for any number of tasks at once; `Oxide` is the same without `await`.

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
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._renewing: asyncio.Lock | None = None
        self._has_answered = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. A later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # Tasks

    @overload
    async def execute_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        background: Literal[True],
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.TaskAccepted: ...

    @overload
    async def execute_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        background: Literal[False] | None = None,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.TaskAnswer: ...

    async def execute_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        background: bool | None = None,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.TaskAnswer | answers.TaskAccepted:
        """Have a task done, and wait for its answer; with `background=True` only for its id.

        Give `prompt` or `messages`. `task_type=None` lets Oxide find out the type. Whoever stops waiting, by
        cancelling or because the time is over, calls the task off.
        """
        call = calls.execute(prompt, task_type, {"background": background}, **options)
        return cast("answers.TaskAnswer | answers.TaskAccepted", await self._send(call, timeout))

    def stream_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = "general",
        *,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> AsyncTaskStream:
        """Have a task done, and hear its answer as it comes: `async for event in client.stream_task(...)`.

        Whoever may stop before the end uses `async with` as well, which then calls the task off at once.
        """
        call = calls.execute(prompt, task_type, {"stream": True}, **options)
        return AsyncTaskStream(self, call, self._deadline(call, timeout))

    async def wait_for_task(self, task_id: str, *, timeout: float | None = None) -> answers.TaskDetail:
        """Wait until a task in the background has ended. Raises the error of one that failed."""
        deadline = Deadline.of(timeout, self._timeout, calls.TASK_SECONDS)
        waiting = Waiting(task_id, deadline)
        while True:
            problem: OxideError | None = None
            try:
                task = await self._send(calls.task(task_id), min(deadline.remaining + 1, calls.SECONDS))
                if waiting.ended(task):
                    return task
            except PASSING as error:
                problem = error
            await asyncio.sleep(waiting.next_pause(problem))

    async def get_history(
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
        return await self._send(
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

    async def export_history(
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
        return await self._send(call, timeout)

    async def get_task(self, task_id: str) -> answers.TaskDetail:
        return await self._send(calls.task(task_id))

    async def cancel_task(self, task_id: str) -> answers.TaskCancelling:
        """Call an open task off. Its provider's connection is closed within about a second."""
        return await self._send(calls.cancel(task_id))

    # Services

    async def list_services(self) -> answers.ServiceList:
        return await self._send(calls.services())

    async def get_service(self, name: str) -> answers.ServiceDetail:
        return await self._send(calls.service(name))

    async def test_service(self, name: str) -> answers.ServiceTested:
        """Ask a service how it is, now."""
        return await self._send(calls.service_test(name))

    async def list_models(self, service: str) -> answers.ModelList:
        return await self._send(calls.service_models(service))

    async def enable_service(self, name: str) -> answers.ServiceDetail:
        return await self._send(calls.service_switch(name, on=True))

    async def disable_service(self, name: str) -> answers.ServiceDetail:
        return await self._send(calls.service_switch(name, on=False))

    # Routing

    async def list_rules(self) -> answers.RuleList:
        return await self._send(calls.rules())

    async def get_rule(self, rule_id: str) -> answers.Rule:
        return await self._send(calls.rule(rule_id))

    async def create_rule(self, rule_id: str | None = None, **fields: Unpack[RuleFields]) -> answers.Rule:
        """`task_type` and `service` are needed. Oxide makes an id where none is given."""
        return await self._send(calls.rule_create(rule_id, **fields))

    async def update_rule(self, rule_id: str, **fields: Unpack[RuleFields]) -> answers.Rule:
        """Change these fields, and leave the others."""
        return await self._send(calls.rule_update(rule_id, **fields))

    async def delete_rule(self, rule_id: str) -> None:
        await self._send(calls.rule_delete(rule_id))

    async def explain_task(
        self,
        prompt: str | None = None,
        task_type: answers.TaskType | None = None,
        **options: Unpack[TaskOptions],
    ) -> answers.Explanation:
        """Who would do a task, and why, without doing it."""
        return await self._send(calls.explain(prompt, task_type, **options))

    # Monitoring

    async def get_metrics(self) -> answers.Metrics:
        return await self._send(calls.metrics())

    async def get_stats(self, window: answers.Window = "24h") -> answers.Stats:
        return await self._send(calls.stats(window))

    async def get_series(self) -> answers.Series:
        """The last hour by the minute."""
        return await self._send(calls.series())

    async def get_costs(self, group_by: answers.Group = "day", days: int = 30) -> answers.Costs:
        return await self._send(calls.costs(group_by, days))

    async def get_health(self) -> answers.Health:
        return await self._send(calls.health())

    async def get_readiness(self) -> answers.Readiness:
        """Whether Oxide can do its work; where it cannot, that is an answer and no error."""
        return await self._send(calls.ready())

    # Keys

    async def list_keys(self) -> answers.KeyStatusList:
        """The keys with which Oxide calls services."""
        return await self._send(calls.key_statuses())

    async def get_key(self, service: str) -> answers.KeyStatus:
        return await self._send(calls.key_status(service))

    async def test_key(self, service: str, api_key: str | None = None) -> answers.KeyTested:
        """Ask the provider whether it takes this key, or the one in force where none is given."""
        return await self._send(calls.key_test(service, api_key))

    async def update_key(self, service: str, api_key: str) -> answers.KeyUpdated:
        return await self._send(calls.key_update(service, api_key))

    async def list_client_keys(self) -> answers.ClientKeyList:
        """The keys with which programs call Oxide."""
        return await self._send(calls.client_keys())

    async def create_client_key(
        self,
        name: str,
        *,
        scopes: list[answers.Scope] | None = None,
        expires_at: datetime | str | None = None,
    ) -> answers.ClientKeyMade:
        """Make a key for a program. Without `scopes` it gets `execute`: it runs tasks, and sees its own."""
        return await self._send(calls.client_key_create(name, scopes, expires_at))

    async def delete_client_key(self, key_id: int) -> None:
        await self._send(calls.client_key_delete(key_id))

    # Configuration

    async def get_config(self) -> answers.Configuration:
        return await self._send(calls.config())

    async def reload_config(self) -> answers.Reloaded:
        """Have the configuration file read again, all of it or nothing."""
        return await self._send(calls.config_reload())

    # Identity

    async def login(self, username: str, password: str) -> answers.TokenPair:
        """Log in. From now on this client calls as that user, and renews the login by itself."""
        return self._tokens.keep(await self._send(calls.login(username, password)))

    async def refresh(self, refresh_token: str | None = None) -> answers.TokenPair:
        """Get the next pair of tokens for a refresh token, or for the one of `login`. Each is good once."""
        return self._tokens.keep(await self._send(calls.refresh(self._tokens.refresh_with(refresh_token))))

    async def logout(self, refresh_token: str | None = None) -> answers.LoggedOut:
        """End the login: all of its tokens are refused from now on."""
        answer = await self._send(calls.logout(refresh_token or self._tokens.refresh))
        self._tokens.forget()
        return answer

    async def change_password(self, current_password: str, new_password: str) -> answers.TokenPair:
        """Change your own password. Ends all of your logins; this client continues with a new one."""
        return self._tokens.keep(await self._send(calls.password_change(current_password, new_password)))

    async def get_me(self) -> answers.Me:
        return await self._send(calls.me())

    # Live events

    def events(self, *, topics: Iterable[Topic] = TOPICS, task_ids: Iterable[str] = ()) -> AsyncEvents:
        """What happens, live: `async with client.events() as events: async for event in events`."""
        return AsyncEvents(self, topics, task_ids)

    # How it is sent

    def _deadline(self, call: Call[Any], timeout: float | None) -> Deadline:
        return Deadline.of(timeout, self._timeout, call.seconds)

    async def _send(self, call: Call[T], timeout: float | None = None) -> T:
        deadline = self._deadline(call, timeout)

        async def once() -> T:
            with _told(call, deadline, self.base_url):
                async with await self._request(call, deadline) as response:
                    content = await response.read()
            return cast("T", decoded(call, content))

        return await self._repeat(call, deadline, once)

    async def _open(self, call: Call[Any], deadline: Deadline) -> aiohttp.ClientResponse:
        """An answer whose body is still to be read."""

        async def once() -> aiohttp.ClientResponse:
            with _told(call, deadline, self.base_url):
                return await self._request(call, deadline)

        return await self._repeat(call, deadline, once)

    async def _repeat(self, call: Call[Any], deadline: Deadline, once: Callable[[], Awaitable[T]]) -> T:
        failures, renewed = 0, False
        while True:
            used = self._tokens.access
            try:
                return await once()
            except OxideError as failure:
                error = await self._explained(failure)
                if isinstance(error, UnauthorizedError) and not (call.is_open or renewed):
                    renewed = await self._renew(used)
                    if renewed:
                        continue
                failures += 1
                pause = self._retries.pause_after(error, call, failures, deadline.remaining)
                if pause is None:
                    raise error from failure.__cause__
            await asyncio.sleep(pause)

    async def _explained(self, error: OxideError) -> OxideError:
        """The error that says that the scheme of `base_url` is wrong, where that is why a first call failed."""
        if self._has_answered or self._proxy or not schemes.may_be_wrong(self.base_url, error):
            return error
        return await asyncio.to_thread(schemes.mismatch, self.base_url) or error

    async def _request(self, call: Call[Any], deadline: Deadline) -> aiohttp.ClientResponse:
        """Ask once. Raises `OxideError` for an answer that is an error, and what aiohttp raises."""
        remaining = deadline.remaining
        response = await self._connections().request(
            call.method,
            # Encoded already: a name may hold a slash of its own.
            URL(self.base_url + call.path, encoded=True).with_query(call.query or None),
            data=calls.content_of(call),
            headers=calls.headers_of(call, self._tokens.access),
            # `connect` includes the TLS handshake, `sock_connect` does not.
            timeout=aiohttp.ClientTimeout(total=remaining, connect=min(CONNECT_SECONDS, remaining)),
            allow_redirects=False,
            proxy=self._proxy,
        )
        self._has_answered = True
        if response.status < 300 or response.status in call.also_good:
            return response
        async with response:
            raise errors.of_answer(response.status, response.headers, await response.read(), self.base_url)

    def _connections(self) -> aiohttp.ClientSession:
        """One session for each event loop: `asyncio.run` makes another loop each time."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
            )
            self._loop, self._renewing = loop, asyncio.Lock()
        return self._session

    async def _renew(self, used: str | None) -> bool:
        """Get a new access token in place of the one that was `used` and refused. Returns whether there is one."""
        self._connections()
        assert self._renewing is not None  # noqa: S101 - made with the session
        async with self._renewing:
            if self._tokens.access != used:
                return True  # another call has renewed it meanwhile
            if self._tokens.refresh is None:
                return False
            try:
                await self.refresh()
            except UnauthorizedError:
                self._tokens.refresh = None
                return False
            return True


class AsyncTaskStream:
    """A task's events as they come. `task_id` is there from the first on."""

    def __init__(self, client: AsyncOxide, call: Call[Any], deadline: Deadline) -> None:
        self._client = client
        self._call = call
        self._deadline = deadline
        self._reader = Reader()
        self._ready: deque[StreamEvent] = deque()
        self._response: aiohttp.ClientResponse | None = None
        self._is_closed = False

    @property
    def task_id(self) -> str | None:
        return self._reader.task_id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        while not self._is_closed:
            if self._ready:
                return self._ready.popleft()
            if self._reader.is_over:
                break
            try:
                self._ready.extend(self._reader.feed(await self._read()))
            except BaseException:
                await self.close()
                raise
        await self.close()
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening. A task that has not ended is called off."""
        self._is_closed = True
        if self._response is not None:
            self._response.close()

    async def _read(self) -> bytes:
        if self._response is None:
            self._response = await self._client._open(self._call, self._deadline)  # noqa: SLF001 - a part of it
        with _told(self._call, self._deadline, self._client.base_url, self._reader):
            return await self._response.content.readany()


@contextmanager
def _told(call: Call[Any], deadline: Deadline, base_url: str, reader: Reader | None = None) -> Iterator[None]:
    """What aiohttp raises, in our own words."""
    task_id = reader.task_id if reader else None
    try:
        yield
    except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError) as error:
        raise errors.no_way_through(base_url, error) from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ssl.SSLError) as error:
        raise errors.not_connected(base_url, error) from error
    except asyncio.TimeoutError as error:
        raise errors.out_of_time(call.is_task, deadline.seconds, task_id) from error
    except (aiohttp.ClientError, OSError) as error:
        raise errors.broken(call.is_task, base_url, error, task_id) from error
