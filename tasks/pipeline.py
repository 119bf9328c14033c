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
from services.adapters.base import Adapter, EmbeddingRequest, ErrorKind, ProviderError, Reply
from services.adapters.call import Call, CancelToken
from services.adapters.estimate import estimate
from services.breaker import Breaker, breakers
from services.bulkhead import BusyError
from services.config import ServiceConfig
from services.connections import adapter_for
from services.pauses import pauses
from services.prices import Cost, cost_of
from snapshots.connections import release_connection
from tasks import running, signals
from tasks.backoff import delay_before_retry, waiting
from tasks.demotion import demoted, operation_of
from tasks.errors import (
    Code,
    Failure,
    NoCandidateError,
    ServicePausedError,
    ServiceRefusedError,
    TaskFailedError,
    UnsuitableError,
)
from tasks.models import Attempt, Task
from tasks.outcome import NOT_CALLED, CandidateError, Failed, Outcome
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
    outcome: Outcome = field(default_factory=Outcome)
    call: Call = field(init=False)

    @property
    def answering(self) -> Attempt | None:
        """Whose answer it is; None while nobody has said anything, for then another may still take over."""
        return self.attempts[-1] if self.heard or self.reply else None

    @property
    def operation(self) -> str:
        return operation_of(self.request, in_pieces=self.in_pieces)

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
    protocol = chat.native.protocol if chat.native else ""
    demand = Demand(task_type, request.service, chat.model, chat.features, chat.needed_by, request.forwarded, protocol)
    decision = choose(demand, rulebook.current(), states, _chance)
    if not pauses.is_empty:
        decision = replace(decision, candidates=demoted(decision.candidates, operation_of(request)))
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
        except NoCandidateError as error:
            failure = _fail(task, Failure(Code.SERVICE_UNAVAILABLE, str(error)))
        except (ProviderError, *NOT_CALLED):
            failure = _fail_after(run, run.outcome.decisive)
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
    """Call one candidate after the other until one answers. `run.outcome` keeps their errors; one of them is raised."""
    candidates = demoted(run.decision.candidates, run.operation)
    if not candidates:
        raise NoCandidateError(_reasons(run.decision))
    for place, candidate in enumerate(candidates, start=1):
        service = run.services[candidate.service]
        if run.outcome.is_known_to_be_too_small(candidate, service):
            continue
        has_good = any(not each.demoted for each in candidates[place:])
        try:
            run.reply = yield from _ask(run, service, candidate, has_good=has_good)
        except (ProviderError, *NOT_CALLED) as error:
            run.outcome.add(candidate, error, service, is_final=run.heard or run.cancel.cancelled)
            if _ends(run, error):
                break
        else:
            run.task.complete(candidate.service, run.reply)
            return
    raise run.outcome.decisive.error


def _ends(run: Run, error: CandidateError) -> bool:
    """Whether no other candidate is to be called after this error."""
    return isinstance(error, ProviderError) and (error.is_callers or run.heard or not run.call.remaining)


def _ask(run: Run, service: ServiceConfig, candidate: Candidate, *, has_good: bool) -> Events:
    """Call one service, again if it is worth it and there is time. `has_good`: another that is not demoted follows."""
    failures, last = 0, None
    while True:
        try:
            _wait_for_pause(run, candidate, may_wait=not has_good)
            return (yield from _attempt(run, service, candidate, is_last_resort=not has_good))
        except (ServiceRefusedError, ServicePausedError) as error:
            raise last or error from None
        except BusyError as error:
            delay = error.retry_after
            if not run.patient or delay >= run.call.remaining:
                raise last or error from None
            signals.task_waits.send_robust(Task, task=run.task)
        except ProviderError as error:
            failures, last = failures + 1, error
            wait = delay_before_retry(error, failures, run.call.remaining)
            falls_back = error.kind in (ErrorKind.RATE_LIMITED, ErrorKind.TIMEOUT) and has_good
            if run.heard or falls_back or wait is None or failures > (0 if candidate.demoted else service.max_retries):
                raise
            delay = wait
        _wait(run, delay)


def _wait_for_pause(run: Run, candidate: Candidate, *, may_wait: bool) -> None:
    """Where a service has asked not to be called for now: wait if it is short, and there is no alternative."""
    left = 0.0 if pauses.is_empty else pauses.remaining(candidate.service, candidate.model)
    if not left:
        return
    with waiting(left, run.call.remaining, is_patient=run.patient) as is_worth_it:
        if not (may_wait and is_worth_it):
            raise ServicePausedError(candidate.service, left)
        signals.task_waits.send_robust(Task, task=run.task)
        _wait(run, left)


def _wait(run: Run, seconds: float) -> None:
    if run.cancel.wait(seconds):
        raise ProviderError(ErrorKind.CANCELLED, "Cancelled while waiting to try again.")


def _attempt(run: Run, service: ServiceConfig, candidate: Candidate, *, is_last_resort: bool) -> Events:
    """One call to one service: let in by its bulkhead and breaker, priced, kept."""
    with (
        availability.bulkhead.enter(service.name, service.max_concurrency),
        _admitted(breakers[service.name], service, run.call, is_last_resort=is_last_resort or candidate.demoted),
    ):
        attempt = run.task.begin_attempt(len(run.attempts) + 1, candidate)
        run.attempts.append(attempt)
        try:
            reply = yield from _call(run, service, candidate)
        except ProviderError as error:
            attempt.fail(error, _price(error.partial, service, candidate) if error.partial else None)
            _note_refusal(run, candidate, error)
            raise
        except Exception:
            attempt.fail(ProviderError(ErrorKind.MALFORMED, "Oxide failed to make this call; its log says why."), None)
            raise
        attempt.complete(reply, _price(reply, service, candidate))
    health.note_success(service.name)
    pauses.note_success(service.name, candidate.model, run.operation)
    return reply


def _note_refusal(run: Run, candidate: Candidate, error: ProviderError) -> None:
    """Keep what says that the next request to this service would be refused as well."""
    if error.kind is ErrorKind.RATE_LIMITED:
        pauses.pause(candidate.service, candidate.model, error.retry_after)
    if error.lacks_operation:
        model = candidate.model if error.lacks_operation == "model" else ""
        pauses.note_lacking(candidate.service, model, run.operation)


def _call(run: Run, service: ServiceConfig, candidate: Candidate) -> Events:
    adapter, call = adapter_for(service), run.call.shortened(service.timeout_seconds)
    run.attempts[-1].dropped = call.dropped
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
def _admitted(breaker: Breaker, service: ServiceConfig, call: Call, *, is_last_resort: bool) -> Iterator[None]:
    """Tell the breaker how it went, unless that says nothing about the service."""
    wait = breaker.admit(last_resort=is_last_resort)
    if wait is not None:
        obstacle = availability.obstacle_of(service)
        raise ServiceRefusedError(service.name, wait, obstacle.text if obstacle and obstacle.code != "resting" else "")
    try:
        yield
    except ProviderError as error:
        health.note_failure(service.name, error)
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


def _fail_after(run: Run, failed: Failed) -> Failure | None:
    """End the task with the error of one candidate; None where it was cancelled, which is no failure."""
    error = failed.error
    partial, service = getattr(error, "partial", None), failed.candidate.service
    if isinstance(error, ProviderError) and error.kind is ErrorKind.CANCELLED:
        run.task.cancel(service if run.attempts else "", partial)
        return None
    failure = run.outcome.failure(lambda: estimate(run.request.chat, "").prompt_tokens)
    return _fail(run.task, failure, service, partial)


def _fail(task: Task, failure: Failure, service: str = "", partial: Reply | None = None) -> Failure:
    task.fail(failure.code, failure.detail, service, partial)
    return failure


def _reasons(decision: Decision) -> str:
    if not decision.skipped:
        return "There is no service yet: add one to the configuration file or in the admin pages."
    reasons = "; ".join(f"{skipped.service} {skipped.reason}".rstrip(".") for skipped in decision.skipped)
    return f"{reasons}."
