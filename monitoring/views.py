from __future__ import annotations

from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from apikeys import decoding
from monitoring import costs, metrics, prometheus, series, stats
from monitoring.negotiation import Unnegotiated


class MonitoringViewSet(ViewSet):
    """What Oxide is doing, how the services did, and what it cost."""

    @action(detail=False)
    def metrics(self, _request: Request) -> Response:
        return Response(metrics.snapshot())

    @action(detail=False)
    def stats(self, request: Request) -> Response:
        return Response(stats.stats(decoding.query(request.query_params.dict(), stats.StatsQuery)))

    @action(detail=False)
    def series(self, _request: Request) -> Response:
        return Response(series.series())

    @action(detail=False)
    def costs(self, request: Request) -> Response:
        return Response(costs.costs(decoding.query(request.query_params.dict(), costs.CostsQuery)))


class PrometheusView(APIView):
    """The figures as Prometheus reads them; errors as JSON."""

    content_negotiation_class = Unnegotiated

    def get(self, request: Request) -> HttpResponse:
        text, content_type = prometheus.render(request.headers.get("Accept", ""))
        return HttpResponse(text, content_type=content_type)
