from __future__ import annotations

from typing import Any

from rest_framework import serializers

from routing.models import CHOOSABLE, RoutingRule
from routing.task_types import TaskType
from services.models import Service


class KnownService(serializers.SlugRelatedField[Service]):
    """A service by its name; an unknown one is refused with those there are."""

    queryset = Service.objects.filter(CHOOSABLE)

    def __init__(self, **options: Any) -> None:
        super().__init__(slug_field="name", **options)

    def to_internal_value(self, data: Any) -> Service:
        services = Service.objects.filter(CHOOSABLE)
        service = services.filter(name=data).first() if isinstance(data, str) else None
        if service is None:
            known = ", ".join(services.values_list("name", flat=True)) or "none yet"
            raise serializers.ValidationError(f"There is no service {data!r} that a rule can choose. Known: {known}.")
        return service


class RuleSerializer(serializers.ModelSerializer[RoutingRule]):
    task_type = serializers.ChoiceField(
        choices=[task_type.value for task_type in TaskType],
        error_messages={"invalid_choice": f"{{input!r}} is no task type. Use one of {', '.join(TaskType)}."},
    )
    service = KnownService()
    priority = serializers.IntegerField(min_value=0, max_value=1_000_000, default=100)
    weight = serializers.IntegerField(min_value=0, max_value=1_000_000, default=1)

    class Meta:
        model = RoutingRule
        fields = ["id", "task_type", "service", "model", "priority", "weight", "enabled", "note"]
        extra_kwargs = {"id": {"required": False}}

    def validate_id(self, value: str) -> str:
        if self.instance and value != self.instance.pk:
            raise serializers.ValidationError("The id of a rule does not change: delete it and make another.")
        return value

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else ()
        if unknown:
            raise serializers.ValidationError({name: ["There is no such field."] for name in sorted(unknown)})
        return super().to_internal_value(data)
