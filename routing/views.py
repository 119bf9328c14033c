from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from apikeys.audited_admin import note
from routing import rulebook
from routing.models import RoutingRule
from routing.serializers import RuleSerializer


class RuleViewSet(ModelViewSet[RoutingRule]):
    """Which service does which type of task. A change holds from the next task on.

    The list also names, as `default`, the services that are asked after the rules, in their order.
    """

    queryset = RoutingRule.objects.select_related("service")
    serializer_class = RuleSerializer
    lookup_value_regex = "[^/]+"

    def perform_create(self, serializer: BaseSerializer[RoutingRule]) -> None:
        super().perform_create(serializer)
        self._note("created", serializer.instance)

    def perform_update(self, serializer: BaseSerializer[RoutingRule]) -> None:
        super().perform_update(serializer)
        self._note("changed", serializer.instance, fields=sorted(serializer.validated_data))

    def perform_destroy(self, instance: RoutingRule) -> None:
        self._note("deleted", instance)
        super().perform_destroy(instance)

    def _note(self, verb: str, rule: RoutingRule | None, **details: object) -> None:
        note(self.request._request, verb, rule, **details)  # noqa: SLF001 - DRF documents it as the way to Django's

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:  # noqa: ARG002
        rules = self.get_serializer(self.get_queryset(), many=True).data
        return Response({"rules": rules, "default": rulebook.current().default})
