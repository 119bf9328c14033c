"""How long a prompt is, as whoever would answer it counts. Nothing is recorded, and nothing is paid for."""

from __future__ import annotations

import logging
from dataclasses import replace

from services.adapters.base import ProviderError
from services.adapters.call import Call
from services.adapters.estimate import estimate
from services.connections import adapter_for
from services.pauses import pauses
from snapshots.connections import release_connection
from tasks.demotion import COUNT_TOKENS
from tasks.pipeline import decide
from tasks.request import TaskRequest

logger = logging.getLogger(__name__)

COUNT_SECONDS = 10.0


def count_tokens(request: TaskRequest) -> int:
    """Where the provider has no count, or does not answer, it is estimated."""
    verdict = decide(request)
    release_connection()
    for candidate in verdict.decision.candidates[:1]:
        if pauses.lacks(candidate.service, candidate.model, COUNT_TOKENS):
            continue
        adapter = adapter_for(verdict.services[candidate.service])
        try:
            counted = adapter.count_tokens(replace(request.chat, model=candidate.model), Call.within(COUNT_SECONDS))
        except ProviderError as error:
            logger.info("%s does not count tokens: %s", candidate.service, error)
            if error.lacks_operation:
                pauses.note_lacking(candidate.service, candidate.model, COUNT_TOKENS)
        else:
            if counted is not None:
                return counted
    return estimate(request.chat, "").prompt_tokens
