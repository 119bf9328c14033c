from __future__ import annotations

import secrets

from django.db import models

from routing.engine import Rule
from routing.task_types import CHOICES, TaskType
from services.models import Service, valid_name
from services.switchable import Switchable

# A built-in service answers only when a task names it.
CHOOSABLE = ~models.Q(type=Service.Type.BUILTIN)


def make_rule_id() -> str:
    return f"rule-{secrets.token_hex(4)}"


class RoutingRule(Switchable):
    """Tasks of one type go to one service. The lowest priority number is asked first."""

    id = models.CharField(
        max_length=50,
        primary_key=True,
        default=make_rule_id,
        validators=[valid_name],
    )
    task_type = models.CharField(max_length=20, choices=CHOICES)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="rules", limit_choices_to=CHOOSABLE)
    model = models.CharField(max_length=200, blank=True, help_text="Empty: the service's own default model.")
    priority = models.PositiveIntegerField(default=100, help_text="The lowest number is asked first.")
    weight = models.PositiveIntegerField(
        default=1, help_text="Share among the rules of equal priority; 0 is asked only when the others fail."
    )
    note = models.CharField(max_length=500, blank=True)
    declared = models.BooleanField(default=False, editable=False, help_text="Stands in the configuration file.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["task_type", "priority", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(task_type__in=[task_type.value for task_type in TaskType]),
                name="rule_task_type_known",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    def duplicate(self) -> RoutingRule:
        """A copy that is not in force, to be changed before it is."""
        copied = {name: getattr(self, name) for name in ("task_type", "service", "model", "priority", "weight", "note")}
        return RoutingRule.objects.create(enabled=False, **copied)

    @property
    def rule(self) -> Rule:
        return Rule(
            id=self.id,
            task_type=TaskType(self.task_type),
            service=self.service.name,
            model=self.model,
            priority=self.priority,
            weight=self.weight,
        )


class DefaultRoute(models.Model):
    """One place in the order of services that are asked when no rule covers a task."""

    service = models.OneToOneField(
        Service, on_delete=models.CASCADE, related_name="default_route", limit_choices_to=CHOOSABLE
    )
    position = models.PositiveIntegerField(help_text="The lowest number is asked first.")

    class Meta:
        verbose_name = "default service"
        verbose_name_plural = "default services"
        ordering = ["position", "service__name"]

    def __str__(self) -> str:
        return f"{self.position}: {self.service}"
