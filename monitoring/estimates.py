"""What a running task costs so far, before its provider has counted anything."""

from __future__ import annotations

from typing import TypedDict

from monitoring.progress import asked_first, service_of
from services import directory
from services.adapters.estimate import CHARACTERS_PER_TOKEN
from services.prices import per_token
from tasks.models import Task


class Estimate(TypedDict):
    """US dollars: of the prompt, by its length, and of each token that the model writes."""

    prompt_cost: float
    token_cost: float


def estimate_of(task: Task) -> Estimate | None:
    """Of an open task, by the prices of the service that is asked first. None where they are not known, or where the
    task comes without its prompt.
    """
    if task.get_deferred_fields():
        return None
    service = directory.current().get(service_of(task))
    prices = service and per_token(asked_first(task).get("model") or service.model, service.base_url, service.price)
    if not prices:
        return None
    read, written = prices
    return Estimate(prompt_cost=round(read * _characters(task) / CHARACTERS_PER_TOKEN, 9), token_cost=written)


def _characters(task: Task) -> int:
    """Those of the whole conversation, where there is more of it than the prompt."""
    parts = [part for message in task.messages for part in message["content"]]
    return sum(len(part.get("text", "")) for part in parts) or len(task.prompt)
