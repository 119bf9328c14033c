"""What the candidates of a task came to, and with which of their errors the task ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from routing.engine import Candidate
from services import context_windows
from services.adapters.base import ErrorKind, ProviderError
from services.adapters.context_length import Figures
from services.bulkhead import BusyError
from services.config import ServiceConfig
from tasks.errors import Code, Failure, ServicePausedError, ServiceRefusedError, failure_of

NOT_CALLED = (BusyError, ServiceRefusedError, ServicePausedError)
CandidateError = ProviderError | BusyError | ServiceRefusedError | ServicePausedError


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate that did not answer, and why."""

    candidate: Candidate
    error: CandidateError

    @property
    def is_transient(self) -> bool:
        return not (isinstance(self.error, ProviderError) and self.error.permanent)

    @property
    def text(self) -> str:
        """Most errors begin with the service's name themselves."""
        service, said = self.candidate.service, str(self.error).rstrip(".")
        return said if said.startswith(service) else f"{service}: {said}"


@dataclass(slots=True)
class Outcome:
    """Collects the failures of one task in the order in which they came."""

    failed: list[Failed] = field(default_factory=list)
    _final: Failed | None = None
    _window: int | None = None

    def add(self, candidate: Candidate, error: CandidateError, service: ServiceConfig, *, is_final: bool) -> None:
        """`is_final`: whatever else happened, the task ends with this one."""
        failed = Failed(candidate, error)
        self.failed.append(failed)
        if is_final:
            self._final = failed
        if isinstance(error, ProviderError) and error.kind is ErrorKind.CONTEXT_LENGTH:
            maximum = error.context.maximum or context_windows.window_of(service, candidate.model)
            error.context = Figures(error.context.prompt, maximum)
            self._window = max(filter(None, (self._window, maximum)), default=None)

    def is_known_to_be_too_small(self, candidate: Candidate, service: ServiceConfig) -> bool:
        """Whether the prompt, too long for another model, cannot fit into this one either."""
        if self._window is None:
            return False
        window = context_windows.window_of(service, candidate.model)
        return window is not None and window < self._window

    @property
    def decisive(self) -> Failed:
        """The failure that the task ends with.

        One that a retry may mend comes before one that it cannot, a call before a service that was not called; a
        demoted candidate's is only told where there was no other.
        """
        if self._final:
            return self._final
        pool = [each for each in self.failed if not each.candidate.demoted] or self.failed
        transient = [each for each in pool if each.is_transient]
        called = [each for each in transient if isinstance(each.error, ProviderError)]
        return next(iter(called or transient or pool))

    def failure(self, estimate: Callable[[], int]) -> Failure:
        """The task's failure; `estimate` counts the tokens of its prompt."""
        decisive = self.decisive
        others = "; ".join(dict.fromkeys(each.text for each in self.failed if each is not decisive))
        failure = _failure(decisive, estimate)
        return replace(failure, detail=f"{failure.detail} (Other services: {others}.)") if others else failure


def _failure(failed: Failed, estimate: Callable[[], int]) -> Failure:
    error = failed.error
    if isinstance(error, ProviderError):
        failure = failure_of(error, failed.candidate.service)
        if error.kind is ErrorKind.CONTEXT_LENGTH:
            return _with_figures(failure, error.context, estimate)
        return failure
    return Failure(_CODES[type(error)], str(error), error.retry_after)


def _with_figures(failure: Failure, known: Figures, estimate: Callable[[], int]) -> Failure:
    if failure.provider is None or known.maximum is None or known.prompt is not None:
        return failure
    # Whatever its length, the prompt has more tokens than fit.
    prompt = max(estimate(), known.maximum + 1)
    return replace(failure, provider={**failure.provider, "prompt_tokens": prompt})


_CODES = {
    BusyError: Code.SERVICE_BUSY,
    ServiceRefusedError: Code.SERVICE_UNAVAILABLE,
    ServicePausedError: Code.PROVIDER_RATE_LIMITED,
}
