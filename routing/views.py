from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

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

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:  # noqa: ARG002
        rules = self.get_serializer(self.get_queryset(), many=True).data
        return Response({"rules": rules, "default": rulebook.current().default})
