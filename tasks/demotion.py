"""Candidates in the order in which to call them now: those that would refuse come last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from routing.engine import Candidate
from services.adapters.base import Feature
from services.pauses import pauses
from tasks.request import TaskRequest

CHAT = "chat"
STREAM = "stream"
EMBEDDINGS = "embeddings"
COMPLETIONS = "completions"
COUNT_TOKENS = "count_tokens"


def operation_of(request: TaskRequest, *, in_pieces: bool = False) -> str:
    """What a service is asked to do: one that lacks it may well do the others."""
    if request.embedding:
        return EMBEDDINGS
    if Feature.COMPLETIONS in request.chat.needs:
        return COMPLETIONS
    return STREAM if in_pieces else CHAT


def demoted(candidates: tuple[Candidate, ...], operation: str) -> tuple[Candidate, ...]:
    """Demote those that asked to wait or refused this operation lately; what has asked to wait longest is last."""
    if pauses.is_empty:
        return candidates
    return tuple(sorted(_marked(candidates, operation), key=_order))


def _marked(candidates: Iterable[Candidate], operation: str) -> Iterable[Candidate]:
    for candidate in candidates:
        left = pauses.remaining(candidate.service, candidate.model)
        lacks = pauses.lacks(candidate.service, candidate.model, operation)
        if (left or lacks) and not candidate.demoted:
            why = f"limits the rate of requests for {left:.0f} s more" if left else f"refused {operation} lately"
            yield replace(candidate, demoted=True, reason=f"{candidate.reason}; {why}")
        else:
            yield candidate


def _order(candidate: Candidate) -> tuple[bool, float]:
    left = pauses.remaining(candidate.service, candidate.model) if candidate.demoted else 0.0
    return candidate.demoted, left
