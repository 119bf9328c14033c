"""The rules in force, without asking the database."""

from __future__ import annotations

from routing.engine import Rulebook
from routing.models import DefaultRoute, RoutingRule
from snapshots.snapshot import Snapshot


def current() -> Rulebook:
    return rulebook.get()


def _load() -> Rulebook:
    rows = RoutingRule.objects.filter(enabled=True).select_related("service")
    default = DefaultRoute.objects.values_list("service__name", flat=True)
    return Rulebook.of((row.rule for row in rows), default)


rulebook: Snapshot[Rulebook] = Snapshot("routing", _load)
