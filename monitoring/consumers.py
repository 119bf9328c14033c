"""The consumer behind `/ws`. docs/websocket.md describes what it sends and understands."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import orjson
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.db import Error as DatabaseError

from apikeys import credentials
from apikeys.identity import Identity
from apikeys.permissions import OWN_OR_ALL
from monitoring import overview, ws_identity
from monitoring.aside import aside
from monitoring.client_messages import Auth, Message, MessageError, Ping, Subscription, parse
from monitoring.hub import hub
from monitoring.listener import Goodbye, Listener
from monitoring.news import Topic
from monitoring.overview import overviews
from monitoring.ws_identity import Handshake

logger = logging.getLogger(__name__)

AUTH_SECONDS = 5.0
CHECK_SECONDS = 60.0
MOST_MISTAKES = 10
MOST_A_SECOND = 100
MOST_FOLLOWED = 100
MOST_CONNECTIONS = 10_000
# How long a client that takes nothing is waited for before it is closed without its last words.
_FAREWELL_SECONDS = 5.0

_PONG = '{"type":"pong"}'
_ADVICE = "Log in at /auth/login or get a key for programs, and send it as subprotocol bearer.<token> or as a message."
_NOT_ALLOWED = "This needs the scope read, or execute to hear of one's own tasks. Ask an administrator for one of them."
_OWN_TASKS = "Services, metrics and the tasks of others need the scope read. Ask an administrator for it."


class EventsConsumer(AsyncConsumer):  # type: ignore[misc]
    """One client. It only forwards: what there is to tell comes from the hub, what is true from the database."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        hub.begin()  # the server has done that already; tests have none
        self._listener = Listener(on_overflow=self._cut_off, on_gap=self._tell_whole_again)
        self._work: set[asyncio.Task[None]] = set()
        self._settling = asyncio.Lock()
        self._is_admitted = False
        self._mistakes = 0
        self._second, self._messages = 0, 0
        try:
            await super().__call__(scope, receive, send)
        except Exception:
            # daphne would notice it a second later, and close without a word.
            logger.exception("A client of /ws is cut off.")
            await send({"type": "websocket.close", "code": 1011, "reason": "internal error"})
        finally:
            hub.leave(self._listener)
            for task in self._work:
                task.cancel()

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        # Not Channels' own, which asks a thread to look after database connections before each message.
        await self._handlers[message["type"]](self, message)

    # What the server tells

    async def _connect(self, _message: Mapping[str, Any]) -> None:
        handshake = Handshake.of(self.scope)
        if not await aside(partial(ws_identity.is_welcome, handshake)):
            await self.send({"type": "websocket.close"})  # before it was accepted: the server answers 403
            raise StopConsumer
        offered = ws_identity.PROTOCOL in handshake.protocols
        await self.send({"type": "websocket.accept", "subprotocol": ws_identity.PROTOCOL if offered else None})
        self._spawn(self._write())
        if handshake.has_token_in_address:
            detail = f"A token does not belong into an address, where every proxy logs it: make a new one. {_ADVICE}"
            self._refuse(Goodbye(4400, "token in the address"), "VALIDATION_ERROR", detail)
        elif hub.size >= MOST_CONNECTIONS:
            detail = f"{MOST_CONNECTIONS} clients are connected already. Try again later."
            self._refuse(Goodbye(1013, "too many clients"), "SERVICE_BUSY", detail)
        else:
            self._token = handshake.token
            self._check = ws_identity.check_of(handshake)
            await self._identify(may_follow=handshake.token is None)

    async def _receive(self, message: Mapping[str, Any]) -> None:
        if self._listener.is_finished:
            return
        if message.get("oversized"):
            self._refuse(Goodbye(1009, "message too big"), "PAYLOAD_TOO_LARGE", "Send at most 64 KB in one message.")
        elif message.get("text") is None:
            self._refuse(Goodbye(1003, "binary message"), "VALIDATION_ERROR", "Send text: JSON, or the word ping.")
        elif self._is_flood():
            detail = f"Send at most {MOST_A_SECOND} messages a second."
            self._refuse(Goodbye(1008, "too many messages"), "RATE_LIMIT_EXCEEDED", detail)
        else:
            try:
                await self._answer(parse(message["text"]))
            except MessageError as error:
                self._note_mistake("VALIDATION_ERROR", str(error))

    async def _disconnect(self, _message: Mapping[str, Any]) -> None:
        raise StopConsumer

    _handlers: Mapping[str, Callable[[EventsConsumer, Mapping[str, Any]], Awaitable[None]]] = {
        "websocket.connect": _connect,
        "websocket.receive": _receive,
        "websocket.disconnect": _disconnect,
    }

    # Who it is

    async def _identify(self, *, may_follow: bool) -> None:
        """Let the client in, or not, or wait for its first message to say who it is."""
        identity = await aside(self._check)
        if identity is not None:
            self._admit(identity)
        elif may_follow:
            self._spawn(self._wait_for_identity())
        else:
            await self._refuse_identity()

    async def _wait_for_identity(self) -> None:
        await asyncio.sleep(AUTH_SECONDS)
        if not self._is_admitted:
            detail = f"Nobody said within {AUTH_SECONDS:g} seconds who this is. {_ADVICE}"
            self._refuse(Goodbye(4401, "no identity"), "UNAUTHORIZED", detail)

    def _admit(self, identity: Identity) -> None:
        if identity.scopes.isdisjoint(OWN_OR_ALL):
            self._refuse(Goodbye(4403, "not allowed"), "FORBIDDEN", _NOT_ALLOWED)
            return
        before, self._listener.identity = self._listener.identity, identity
        if self._is_admitted:
            if not before.sees_all_tasks and (identity.sees_all_tasks or identity.caller != before.caller):
                self._tell_whole_again()
        else:
            self._is_admitted = True
            self._listener.hold()
            hub.join(self._listener)
            self._spawn(self._tell_whole())
            self._spawn(self._check_again_and_again())

    async def _check_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - no secret
            try:
                identity = await aside(self._check)
            except DatabaseError:
                continue  # it is away: what was true goes on holding meanwhile, as it does everywhere
            if identity is None:
                await self._refuse_identity()
            else:
                self._admit(identity)

    async def _refuse_identity(self) -> None:
        why = await aside(partial(credentials.refusal, self._token))
        detail = why if why == credentials.OWNERLESS else f"Who this is is not known. {_ADVICE}"
        self._refuse(Goodbye(4401, "identity not valid"), "UNAUTHORIZED", detail)

    # What the client says

    async def _answer(self, message: Message) -> None:
        match message:
            case Ping():
                self._listener.put(_PONG)
            case Auth(token):
                self._token, self._check = token, partial(ws_identity.of_token, token)
                await self._authenticate()
            case Subscription() if self._is_admitted:
                await self._subscribe(message)
            case _:
                self._note_mistake("UNAUTHORIZED", f"Say first who this is. {_ADVICE}")

    async def _authenticate(self) -> None:
        identity = await aside(self._check)
        if identity is None:
            await self._refuse_identity()
        else:
            self._reply("authenticated", name=identity.name, kind=identity.kind)
            self._admit(identity)

    async def _subscribe(self, message: Subscription) -> None:
        listener = self._listener
        if message.wanted:
            if message.task_id and len(listener.tasks) >= MOST_FOLLOWED:
                raise MessageError(f"One connection follows at most {MOST_FOLLOWED} tasks. Unsubscribe from some.")
            hub.choose(listener, listener.topics | message.topics)
        else:
            hub.choose(listener, listener.topics - message.topics)
            hub.unfollow(listener, message.task_id)
        if message.wanted and message.task_id:
            async with self._settling:
                listener.hold()
                hub.follow(listener, message.task_id)
                self._tell_subscriptions()
                listener.release(*await self._standing(message.task_id))
        else:
            self._tell_subscriptions()

    def _tell_subscriptions(self) -> None:
        listener = self._listener
        heard = listener.topics if listener.identity.sees_all_tasks else listener.topics & {Topic.TASKS}
        more = {} if heard == listener.topics else {"detail": _OWN_TASKS}
        self._reply("subscribed", topics=sorted(heard), task_ids=sorted(listener.tasks), **more)

    async def _standing(self, task_id: str) -> list[str]:
        seq = hub.seq
        found = await aside(partial(overview.task, task_id, self._listener.identity))
        return [orjson.dumps({**event, "seq": seq}, default=str).decode() for event in found]

    def _is_flood(self) -> bool:
        second = int(time.monotonic())
        self._messages = self._messages + 1 if second == self._second else 1
        self._second = second
        return self._messages > MOST_A_SECOND

    def _note_mistake(self, code: str, detail: str) -> None:
        self._mistakes += 1
        if self._mistakes >= MOST_MISTAKES:
            self._refuse(Goodbye(1008, "too many mistakes"), code, detail)
        else:
            self._reply("error", code=code, detail=detail)

    # What it is told

    async def _write(self) -> None:
        """Sends what waits in the queue; the server lets each `send` wait until a slow reader has room."""
        while True:
            item = await self._listener.take()
            if isinstance(item, Goodbye):
                return await self._close(item)
            await self.send({"type": "websocket.send", "text": item})

    async def _tell_whole(self) -> None:
        async with self._settling:
            self._listener.hold()
            try:
                whole = await overviews.get(self._listener.identity)
            except DatabaseError as error:
                logger.warning("A client of /ws is sent away, because the database is not available: %s", error)
                detail = "The database is not available. Connect again in a moment; the log says why."
                self._refuse(Goodbye(1013, "try again later"), "SERVICE_UNAVAILABLE", detail)
            else:
                self._listener.release(whole)

    def _tell_whole_again(self) -> None:
        self._spawn(self._tell_whole())

    def _reply(self, what: str, **more: Any) -> None:
        self._listener.put(orjson.dumps({"type": what, **more}).decode())

    # Ends

    def _refuse(self, goodbye: Goodbye, code: str, detail: str) -> None:
        """Say what is wrong, then close. Whoever does not take even that is closed without it."""
        error = {"type": "error", "code": code, "detail": detail}
        self._listener.finish(goodbye, orjson.dumps(error).decode())
        hub.leave(self._listener)
        self._spawn(self._close_after(_FAREWELL_SECONDS, goodbye))

    def _cut_off(self) -> None:
        hub.leave(self._listener)
        self._spawn(self._close(Goodbye(1013, "too slow, reconnect")))

    async def _close_after(self, seconds: float, goodbye: Goodbye) -> None:
        await asyncio.sleep(seconds)
        await self._close(goodbye)

    async def _close(self, goodbye: Goodbye) -> None:
        await self.send({"type": "websocket.close", "code": goodbye.code, "reason": goodbye.reason})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._note_done)

    def _note_done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("A client of /ws is cut off.", exc_info=task.exception())
            self._refuse(Goodbye(1011, "internal error"), "INTERNAL_ERROR", "Oxide failed; its log says why.")
