"""Admin pages whose changes stand in the security log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apikeys import security_log

# What each kind of row is called in the log, which names no tables.
_KINDS = {"clientkey": "key", "routingrule": "rule", "defaultroute": "default_order", "providerkey": "provider_key"}


class AuditedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    """Django calls these for each row that a form, a list or an action has added, changed or is about to delete."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        note(request, "created", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        note(request, "changed", obj, fields=sorted(_fields(message)))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            note(request, "deleted", obj)
        return super().log_deletions(request, queryset)


def note(request: HttpRequest, verb: str, obj: Any, **details: object) -> None:
    """The same for a change by other ways. `verb` is "created", "changed" or "deleted"."""
    name = str(obj._meta.model_name)
    kind = _KINDS.get(name, name)
    security_log.record(f"{kind}_{verb}", request, **{"name": str(obj), **details})


def _fields(message: Any) -> Iterator[str]:
    """The names of the fields, never their values. `message` is as `construct_change_message` makes it."""
    entries: Iterable[Any] = message if isinstance(message, list) else ()
    for entry in entries:
        yield from entry.get("changed", {}).get("fields", ())
