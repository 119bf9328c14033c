from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view

from monitoring import metrics
from monitoring.costs import Costs, CostsQuery
from monitoring.probes import Health, HealthView, Readiness, ReadyView
from monitoring.series import Series
from monitoring.stats import Stats, StatsQuery
from monitoring.views import MonitoringViewSet, PrometheusView
from oxide_project.openapi.shapes import answers, query


def document() -> None:
    extend_schema_view(
        metrics=extend_schema(summary="What Oxide is doing", responses=answers({200: metrics.Snapshot})),
        stats=extend_schema(
            summary="How the services did", parameters=query(StatsQuery), responses=answers({200: Stats})
        ),
        series=extend_schema(summary="The last hour by the minute", responses=answers({200: Series})),
        costs=extend_schema(summary="What it cost", parameters=query(CostsQuery), responses=answers({200: Costs})),
    )(MonitoringViewSet)
    extend_schema_view(
        get=extend_schema(summary="Whether this process answers", responses=answers({200: Health})),
    )(HealthView)
    extend_schema_view(
        get=extend_schema(
            summary="Whether this process can do its work", responses=answers({200: Readiness, 503: Readiness})
        ),
    )(ReadyView)
    text = {(200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, "Prometheus' text format")}
    extend_schema_view(
        get=extend_schema(summary="The figures as Prometheus reads them", responses={**answers({}), **text})
    )(PrometheusView)
