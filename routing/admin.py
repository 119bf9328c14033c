from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apikeys.badges import badge
from apikeys.editable_lists import EditableList
from routing.models import DefaultRoute, RoutingRule
from services import availability
from services.adding_admin import AddingAdmin
from services.declared_filter import DeclaredFilter
from services.models import Service
from services.outcomes import Outcome, tell
from services.switching_admin import SwitchingAdmin

DETAIL_CHARACTERS = 60


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    class Meta:
        help_texts = {
            "id": "What the history and the answers call it, such as rule-1. It cannot be changed later.",
            "task_type": "The tasks that it is for. Where a task names no type, Oxide finds one out.",
            "service": "Who is asked for such tasks, if it can be. Built-in services are asked only by name.",
            "model": "Such as gpt-6-luna. Empty: the service's own default model.",
            "priority": "The lowest number is asked first, such as 1; the next ones when it fails or cannot be asked.",
            "weight": "Share of the load among rules of the same type and priority: of 3 and 1, the first gets three "
            "quarters. 0 is asked only when the others fail.",
            "enabled": "Only rules that are switched on are in force, from the next task on.",
            "note": "For whoever reads this later, such as: cheaper for long texts, agreed in May.",
        }


class DefaultRouteForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        help_texts = {
            "service": "Who is asked at this place, for tasks that no rule covers and when all rules have failed.",
            "position": "The lowest number is asked first, such as 1.",
        }


@admin.register(RoutingRule)
class RoutingRuleAdmin(SwitchingAdmin, AddingAdmin, EditableList):
    noun = "Rule"
    when_empty = (
        "There are no rules yet, so the default order holds for every task. Add one to have a type of task done by a "
        "service of your choice."
    )
    form = RuleForm
    list_display = ["id", "task_type", "service", "model", "priority", "weight", "enabled", "state"]
    list_editable = ["priority", "weight", "enabled"]
    list_filter = ["task_type", "service", "enabled", ("declared", DeclaredFilter)]
    list_select_related = ["service"]
    search_fields = ["id", "service__name", "model", "note"]
    search_help_text = "A part of the id, the service, the model or the note."
    ordering = ["task_type", "priority", "id"]
    actions = ["duplicate", "switch_on", "switch_off"]
    readonly_fields = ["state", "origin", "updated_at"]
    fieldsets = [
        (None, {"fields": ["id", "enabled", "state", "note", "origin", "updated_at"]}),
        (
            "What goes where",
            {
                "fields": ["task_type", "service", "model"],
                "description": "Tasks of this type are done by this service.",
            },
        ),
        (
            "Beside other rules of the type",
            {"fields": ["priority", "weight"], "description": "Which of them is asked first, and how often."},
        ),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: RoutingRule | None = None) -> list[str]:
        # A changed primary key would be saved as a second rule beside the old one.
        fields = [str(field) for field in super().get_readonly_fields(request, obj)]
        return [*fields, "id"] if obj else fields

    @admin.display(description="state")
    def state(self, rule: RoutingRule) -> SafeString:
        if not rule.enabled:
            return badge("quiet", "switched off")
        return _standing(rule.service, "in force")

    @admin.display(description="origin")
    def origin(self, rule: RoutingRule) -> str:
        return "Declared in the configuration file." if rule.declared else "Made here or over the API."

    @admin.action(description="Duplicate", permissions=["add"])
    def duplicate(self, request: HttpRequest, chosen: QuerySet[RoutingRule]) -> None:
        tell(request, [_duplicated(rule) for rule in chosen])


@admin.register(DefaultRoute)
class DefaultRouteAdmin(EditableList):
    when_empty = "The default order is empty: a task that no rule covers fails. Add the services that are to be asked."
    form = DefaultRouteForm
    list_display = ["service", "position", "state"]
    list_editable = ["position"]
    list_select_related = ["service"]
    search_fields = ["service__name"]
    search_help_text = "A part of the name of the service."
    ordering = ["position", "service__name"]

    @admin.display(description="state")
    def state(self, place: DefaultRoute) -> SafeString:
        return _standing(place.service, "can be asked")


def _standing(service: Service, well: str) -> SafeString:
    """Whether what leads to this service leads anywhere now."""
    if not service.enabled:
        return badge("bad", "passed over: its service is switched off")
    if obstacle := availability.obstacle_of(service.config):
        what = "passed over" if obstacle.excludes else "asked last"
        return badge("bad", f"{what}: its service {Truncator(obstacle.text).chars(DETAIL_CHARACTERS)}")
    return badge("good", well)


def _duplicated(rule: RoutingRule) -> Outcome:
    copy = rule.duplicate()
    text = f"Rule {rule.id} was copied as {copy.id}, which is switched off: change it, then switch it on."
    return Outcome(messages.SUCCESS, text)
