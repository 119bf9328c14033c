"""The way of one task, top to bottom: classify, choose, attempt, record.

`prepare` refuses what cannot be done before anything is written. `execute` does the rest, or
`stream` for who wants the answer as it comes; whatever happens leaves an ended task behind.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from django.conf import settings

from routing import rulebook
from routing.classifier import classify
from routing.engine import Candidate, Decision, Demand, choose
from routing.task_types import TaskType
from services import availability, health
from services.adapters.base import Adapter, EmbeddingRequest, ErrorKind, Feature, ProviderError, Reply
from services.adapters.call import Call, CancelToken
from services.breaker import Breaker, breakers
from services.bulkhead import BusyError
from services.config import ServiceConfig
from services.connections import adapter_for
from services.prices import Cost, cost_of
from snapshots.connections import release_connection
from tasks import running, signals
from tasks.backoff import delay_before_retry
from tasks.errors import (
    Code,
    Failure,
    NoCandidateError,
    ServiceRefusedError,
    TaskFailedError,
    UnsuitableError,
    failure_of,
)
from tasks.models import Attempt, Status, Task
from tasks.reading import Piece, read
from tasks.recorder import recorder
from tasks.request import TaskRequest
from tasks.runner import runner_id

logger = logging.getLogger(__name__)

_chance = random.Random()  # noqa: S311 - it shares work out, and guards nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a request. `confidence` is None where the caller named the type."""

    task_type: TaskType
    confidence: float | None
    decision: Decision
    services: Mapping[str, ServiceConfig]


Events = Generator[Piece, None, Reply]


@dataclass(slots=True)
class Run:
    """A task under way.

    `patient` where nobody holds the line: it waits for a free place instead of giving up. `in_pieces` where
    the answer is asked for as a stream. `heard` once somebody has got a piece of it: nothing can be tried
    again from then on. `reply` is there once it is completed.
    """

    task: Task
    request: TaskRequest
    decision: Decision
    services: Mapping[str, ServiceConfig]
    cancel: CancelToken
    patient: bool = False
    in_pieces: bool = False
    heard: bool = False
    reply: Reply | None = None
    attempts: list[Attempt] = field(default_factory=list)
    call: Call = field(init=False)

    @property
    def answering(self) -> Attempt | None:
        """Whose answer it is; None while nobody has said anything, for then another may still take over."""
        return self.attempts[-1] if self.heard or self.reply else None

    def begin(self) -> None:
        """The clock runs from here, not from when a background task was accepted."""
        self.call = Call.within(self.request.timeout_seconds or settings.TASK_TIMEOUT_SECONDS, self.cancel)
        self.task.start(runner_id())


def decide(request: TaskRequest) -> Verdict:
    """Classify the task and rank the services for it.

    Raises `routing.engine.UnknownServiceError` where the task names a service that is not there.
    """
    task_type, confidence = _type_of(request)
    states = availability.states()
    chat = request.chat
    protocol = Feature(chat.native.protocol) if chat.native else None
    demand = Demand(task_type, request.service, chat.model, chat.features, request.forwarded, protocol)
    decision = choose(demand, rulebook.current(), states, _chance)
    return Verdict(task_type, confidence, decision, {name: state.config for name, state in states.items()})


def prepare(request: TaskRequest, cancel: CancelToken | None = None) -> Run:
    """Decide, and make the task ready to be executed. Nothing is recorded yet.

    Raises `UnsuitableError`, and what `decide` raises: the request itself is at fault.
    """
    verdict = decide(request)
    decision = verdict.decision
    considered = [skipped for skipped in decision.skipped if not skipped.aside]
    if not decision.candidates and considered and all(skipped.by_request for skipped in considered):
        raise UnsuitableError(_reasons(decision))
    return Run(
        task=Task.of(request, verdict.task_type, verdict.confidence, decision),
        request=request,
        decision=decision,
        services=verdict.services,
        cancel=cancel or CancelToken(),
    )


def execute(run: Run) -> Task:
    """Do a prepared task, and return it completed or cancelled and durably recorded.

    Raises `TaskFailedError` once a failed one is recorded, `RecorderError` where the database is away.
    """
    for _piece in _work(run):
        pass
    return run.task


def stream(run: Run) -> Iterator[Piece]:
    """Do a prepared task, and yield its answer as it comes. At the end the task is recorded, as `execute` does it.

    Raises what `execute` raises, before the first piece or after it. Whoever stops reading calls the task off.
    """
    run.in_pieces = True
    work = _work(run)
    try:
        for piece in work:
            run.heard = True
            yield piece
    except GeneratorExit:
        run.cancel.cancel()
        for _piece in work:  # it ends at once, and is recorded with what it has come to
            pass
        raise


def _work(run: Run) -> Iterator[Piece]:
    task, failure = run.task, None
    run.begin()
    release_connection()
    recorder.announce(task)
    signals.task_started.send_robust(Task, task=task)
    with running.registered(task, run.cancel):
        try:
            yield from _answer(run)
        except (NoCandidateError, BusyError, ServiceRefusedError) as error:
            failure = _refuse(task, error)
        except ProviderError as error:
            failure = _fail(task, error, run.attempts)
        except Exception:
            # A defect of ours: the caller gets a 500, and the task must not stay running.
            task.fail(Code.INTERNAL_ERROR, "Oxide failed to do this task; its log says why.")
            raise
        finally:
            task.add_up(run.attempts)
            recorder.save(task, run.attempts)
    if failure:
        raise TaskFailedError(task, run.attempts, failure)


def _type_of(request: TaskRequest) -> tuple[TaskType, float | None]:
    if request.task_type is not None:
        return request.task_type, None
    turns = [message for message in request.chat.messages if message.role != "system"]
    verdict = classify(request.prompt, turns=len(turns), has_images=any(message.images for message in turns))
    return verdict.task_type, verdict.confidence


def _answer(run: Run) -> Iterator[Piece]:
    """Ask one candidate after the other until one answers. The last one's error is the task's."""
    problem: Exception = NoCandidateError(_reasons(run.decision))
    for candidate in run.decision.candidates:
        try:
            run.reply = yield from _ask(run, candidate)
        except (BusyError, ServiceRefusedError) as error:
            problem = problem if isinstance(problem, ProviderError) else error
        except ProviderError as error:
            problem = error
            if error.is_callers or run.heard or not run.call.remaining:
                break
        else:
            run.task.complete(candidate.service, run.reply)
            return
    raise problem


def _ask(run: Run, candidate: Candidate) -> Events:
    """Ask one service, again if it is worth it and there is time."""
    service, failures = run.services[candidate.service], 0
    while True:
        try:
            return (yield from _attempt(run, service, candidate))
        except BusyError as error:
            delay = error.retry_after
            if not run.patient or delay >= run.call.remaining:
                raise
            signals.task_waits.send_robust(Task, task=run.task)
        except ProviderError as error:
            failures += 1
            wait = delay_before_retry(error, failures, run.call.remaining)
            if run.heard or failures > service.max_retries or wait is None:
                raise
            delay = wait
        if run.cancel.wait(delay):
            raise ProviderError(ErrorKind.CANCELLED, "Cancelled while waiting to try again.")


def _attempt(run: Run, service: ServiceConfig, candidate: Candidate) -> Events:
    """One call to one service: let in by its bulkhead and breaker, priced, kept."""
    with (
        availability.bulkhead.enter(service.name, service.max_concurrency),
        _admitted(breakers[service.name], service, run.call),
    ):
        attempt = run.task.begin_attempt(len(run.attempts) + 1, candidate)
        run.attempts.append(attempt)
        try:
            reply = yield from _call(run, service, candidate)
        except ProviderError as error:
            attempt.fail(error, _price(error.partial, service, candidate) if error.partial else None)
            raise
        except Exception:
            attempt.fail(ProviderError(ErrorKind.MALFORMED, "Oxide failed to make this call; its log says why."), None)
            raise
        attempt.complete(reply, _price(reply, service, candidate))
    health.note_success(service.name)
    return reply


def _call(run: Run, service: ServiceConfig, candidate: Candidate) -> Events:
    adapter, call = adapter_for(service), run.call.shortened(service.timeout_seconds)
    if run.request.embedding:
        return _embed(adapter, replace(run.request.embedding, model=candidate.model), call)
    chat = run.request.chat
    if chat.model != candidate.model:
        chat = replace(chat, model=candidate.model)
    if run.in_pieces:
        return (yield from read(run.task, adapter.stream(chat, call)))
    return adapter.complete(chat, call)


def _embed(adapter: Adapter, request: EmbeddingRequest, call: Call) -> Reply:
    found = adapter.embed(request, call)
    numbers = len(found.vectors[0]) if found.vectors else 0
    said = f"{len(found.vectors)} vectors of {numbers} numbers"  # the history keeps no more of it
    return Reply(model=found.model, text=said, usage=found.usage, vectors=found.vectors)


@contextmanager
def _admitted(breaker: Breaker, service: ServiceConfig, call: Call) -> Iterator[None]:
    """Tell the breaker how it went, unless that says nothing about the service."""
    wait = breaker.admit()
    if wait is not None:
        raise ServiceRefusedError(service.name, wait)
    try:
        yield
    except ProviderError as error:
        # Where the task's own time ran out, the caller was in a hurry: no fault of the service.
        if error.shows_ill_health and call.remaining:
            breaker.record_failure()
        else:
            breaker.release()
        raise
    except BaseException:
        breaker.release()
        raise
    breaker.record_success()


def _price(reply: Reply, service: ServiceConfig, candidate: Candidate) -> Cost:
    """What a reply cost: by the model that answered or, where only that one is in the price table, the one asked."""
    cost = cost_of(reply.usage, model=reply.model, base_url=service.base_url, override=service.price)
    if cost.nanodollars is None and candidate.model != reply.model:
        return cost_of(reply.usage, model=candidate.model, base_url=service.base_url, override=service.price)
    return cost


def _fail(task: Task, error: ProviderError, attempts: list[Attempt]) -> Failure | None:
    service = attempts[-1].service if attempts else ""
    if error.kind is ErrorKind.CANCELLED:
        task.cancel(service, error.partial)
        return None
    failure = failure_of(error, service)
    earlier = [_told(attempt) for attempt in attempts[:-1] if attempt.status == Status.FAILED]
    if earlier:
        failure = replace(failure, detail=f"{failure.detail} (Before that, {'; '.join(earlier)})")
    task.fail(failure.code, failure.detail, service, error.partial)
    return failure


def _told(attempt: Attempt) -> str:
    """Who failed and how; most errors begin with the name themselves."""
    named = attempt.error.startswith(f"{attempt.service} ")
    return attempt.error if named else f"{attempt.service}: {attempt.error}"


def _refuse(task: Task, error: NoCandidateError | BusyError | ServiceRefusedError) -> Failure:
    code = Code.SERVICE_BUSY if isinstance(error, BusyError) else Code.SERVICE_UNAVAILABLE
    failure = Failure(code, str(error), getattr(error, "retry_after", None))
    task.fail(failure.code, failure.detail)
    return failure


def _reasons(decision: Decision) -> str:
    if not decision.skipped:
        return "There is no service yet: add one to the configuration file or in the admin pages."
    reasons = "; ".join(f"{skipped.service} {skipped.reason}".rstrip(".") for skipped in decision.skipped)
    return f"{reasons}."
