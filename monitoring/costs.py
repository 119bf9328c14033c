"""What was spent on what: `GET /api/monitoring/costs/`. Pruning the history takes nothing from it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, TypedDict

from django.db.models import F
from django.utils import timezone
from msgspec import Meta, Struct

from monitoring.models import DAY, Rollup, minute_of
from monitoring.sums import sums_of
from services.prices import NANO, CostBasis

Group = Literal["day", "service", "model", "task_type"]
_FIGURES = ("attempts", "prompt_tokens", "completion_tokens", "cost_nanodollars")
_EPOCH = date(1970, 1, 1)


class BasisPart(TypedDict):
    """The part of the requests, tokens and cost that is on one basis, and which share of the requests that is."""

    requests: int
    tokens: int
    cost: float
    share: float


class Spent(TypedDict):
    """`by_basis` says how sure the cost is: what the provider reported, what was computed from its tokens and the
    price, what was estimated, and of how many requests it is unknown.
    """

    cost: float
    requests: int
    tokens: int
    by_basis: dict[CostBasis, BasisPart]


class GroupSpent(Spent):
    """`key` is a date, such as 2026-01-31, or the name of a service, model or task type."""

    key: str


class Costs(TypedDict):
    """Days come in order, none left out; other groups the dearest first."""

    group_by: Group
    days: int
    since: datetime
    currency: Literal["USD"]
    total: Spent
    groups: list[GroupSpent]


class CostsQuery(Struct, forbid_unknown_fields=True):
    """The query of `GET /api/monitoring/costs/`: `days` includes today, and days are those of UTC."""

    group_by: Group = "day"
    days: Annotated[int, Meta(ge=1, le=3650)] = 30


def costs(query: CostsQuery) -> Costs:
    """Sums in US dollars for each group, over the requests that cost something or might have."""
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=query.days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    groups = _groups(query, minute_of(since))
    return {
        "group_by": query.group_by,
        "days": query.days,
        "since": since,
        "currency": "USD",
        "total": _figures(_added(groups.values())),
        "groups": [{"key": key, **_figures(sums)} for key, sums in _ordered(query, groups, first)],
    }


def _groups(query: CostsQuery, since: int) -> dict[str, Counter[str]]:
    """For each group the sums of its figures, and requests and cost by basis."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    rows = Rollup.objects.filter(period__gte=since, attempts__gt=0).exclude(cost_basis="")
    for (group, basis), sums in sums_of(rows.annotate(day=F("period") / DAY), (query.group_by, "cost_basis"), _FIGURES):
        key = str(_EPOCH + timedelta(days=group)) if query.group_by == "day" else group
        found[key].update(sums)
        found[key].update({f"{basis} {name}": value for name, value in sums.items()})
    return found


def _ordered(query: CostsQuery, groups: dict[str, Counter[str]], first: date) -> Iterable[tuple[str, Counter[str]]]:
    if query.group_by == "day":
        days = (str(first + timedelta(days=number)) for number in range(query.days))
        return [(day, groups.get(day, Counter())) for day in days]
    return sorted(groups.items(), key=lambda group: (-group[1]["cost_nanodollars"], group[0]))


def _added(counters: Iterable[Counter[str]]) -> Counter[str]:
    return sum(counters, Counter())


def _figures(sums: Counter[str]) -> Spent:
    return {
        "cost": sums["cost_nanodollars"] / NANO,
        "requests": sums["attempts"],
        "tokens": sums["prompt_tokens"] + sums["completion_tokens"],
        "by_basis": {basis: _part(sums, basis) for basis in CostBasis},
    }


def _part(sums: Counter[str], basis: CostBasis) -> BasisPart:
    requests = sums[f"{basis} attempts"]
    return {
        "requests": requests,
        "tokens": sums[f"{basis} prompt_tokens"] + sums[f"{basis} completion_tokens"],
        "cost": sums[f"{basis} cost_nanodollars"] / NANO,
        "share": round(requests / sums["attempts"], 4) if requests else 0.0,
    }
