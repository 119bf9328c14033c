"""Lists of the admin pages that are changed in place."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest

from apikeys.audited_admin import AuditedAdmin


class RowForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    """Names each field by its column and row, which only who sees the table could tell otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:  # of an empty list, whose form stands for no row
            return
        for field in self.fields.values():
            if not field.widget.is_hidden:
                field.widget.attrs["aria-label"] = f"{field.label} of {self.instance}"


class EditableList(AuditedAdmin):
    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, **{"form": RowForm, **kwargs})
