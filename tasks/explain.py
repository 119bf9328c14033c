"""What would become of a task, without doing it."""

from __future__ import annotations

from typing import TypedDict

from routing.engine import Candidate
from services.adapters.base import Usage
from services.adapters.estimate import estimate
from services.config import ServiceConfig
from services.prices import NANO, cost_of
from tasks.pipeline import decide
from tasks.request import TaskRequest

# How long an answer is taken to be where the task sets no limit.
ASSUMED_COMPLETION_TOKENS = 500


class CandidateShown(TypedDict):
    """`demoted` marks a last resort, called after all others; `reason` says why."""

    place: int
    service: str
    model: str
    reason: str
    rule: str | None
    demoted: bool
    estimated_cost: float | None
    cost_basis: str


class SkippedShown(TypedDict):
    service: str
    reason: str


class Estimate(TypedDict):
    prompt_tokens: int
    completion_tokens: int


class Explanation(TypedDict):
    """Who would be asked, in order, and why the others would not. `confidence` is null where the type was given."""

    task_type: str
    confidence: float | None
    candidates: list[CandidateShown]
    skipped: list[SkippedShown]
    estimate: Estimate


def explain(request: TaskRequest) -> Explanation:
    """The decision as `POST /api/routing/explain/` answers it.

    Costs are in US dollars, and null where no price is known.
    """
    verdict = decide(request)
    completion = request.chat.max_tokens or ASSUMED_COMPLETION_TOKENS
    usage = Usage(estimate(request.chat, "").prompt_tokens, completion, reported=False)
    return {
        "task_type": verdict.task_type,
        "confidence": verdict.confidence,
        "candidates": [
            _candidate(place, candidate, verdict.services[candidate.service], usage)
            for place, candidate in enumerate(verdict.decision.candidates, start=1)
        ],
        "skipped": [{"service": skipped.service, "reason": skipped.reason} for skipped in verdict.decision.skipped],
        "estimate": {"prompt_tokens": usage.prompt_tokens, "completion_tokens": completion},
    }


def _candidate(place: int, candidate: Candidate, service: ServiceConfig, usage: Usage) -> CandidateShown:
    cost = cost_of(usage, model=candidate.model, base_url=service.base_url, override=service.price)
    return {
        "place": place,
        "service": candidate.service,
        "model": candidate.model,
        "reason": candidate.reason,
        "rule": candidate.rule_id or None,
        "demoted": candidate.demoted,
        "estimated_cost": None if cost.nanodollars is None else cost.nanodollars / NANO,
        "cost_basis": cost.basis,
    }
