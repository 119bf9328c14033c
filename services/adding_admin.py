"""Admin pages on which a row is made."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class AddingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    """Its form for a new row is without what is only known of one that is there: its `readonly_fields`."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj:
            return fieldsets
        return [
            (title, {**shown, "fields": [name for name in shown["fields"] if name not in self.readonly_fields]})
            for title, shown in fieldsets
        ]
