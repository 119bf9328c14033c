"""Admin pages of what is switched on and off."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apikeys.audited_admin import note
from services.outcomes import Outcome, tell


class SwitchingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    """Its rows, each called a `noun` and its name, are switched from their list."""

    noun: str

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        tell(request, [self._switched(request, row, on=True) for row in chosen])

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        tell(request, [self._switched(request, row, on=False) for row in chosen])

    def _switched(self, request: HttpRequest, row: Any, *, on: bool) -> Outcome:
        state = "on" if on else "off"
        if row.enabled == on:
            return Outcome(messages.INFO, f"{self.noun} {row} was {state} already.")
        row.switch(on=on)
        note(request, "changed", row, fields=["enabled"], enabled=on)
        return Outcome(messages.SUCCESS, f"{self.noun} {row} is switched {state}: that holds from the next task on.")
