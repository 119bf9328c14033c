from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from apikeys.editable_lists import EditableList
from routing.models import DefaultRoute, RoutingRule


@admin.register(RoutingRule)
class RoutingRuleAdmin(EditableList):
    list_display = ["id", "task_type", "service", "model", "priority", "weight", "enabled"]
    list_editable = ["priority", "weight", "enabled"]
    list_filter = ["task_type", "service", "enabled", "declared"]
    list_select_related = ["service"]
    search_fields = ["id", "service__name", "model", "note"]
    ordering = ["task_type", "priority", "id"]
    fields = ["id", "task_type", "service", "model", "priority", "weight", "enabled", "note", "declared", "updated_at"]
    readonly_fields = ["declared", "updated_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: RoutingRule | None = None) -> list[str]:
        # A changed primary key would be saved as a second rule beside the old one.
        fields = [str(field) for field in super().get_readonly_fields(request, obj)]
        return [*fields, "id"] if obj else fields


@admin.register(DefaultRoute)
class DefaultRouteAdmin(EditableList):
    list_display = ["service", "position"]
    list_editable = ["position"]
    list_select_related = ["service"]
    search_fields = ["service__name"]
    ordering = ["position", "service__name"]
