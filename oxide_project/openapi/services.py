from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view

from oxide_project.openapi.shapes import answers
from services.presentation import ModelList, ServiceDetail, ServiceList, ServiceTested
from services.views import ServiceViewSet


def document() -> None:
    extend_schema_view(
        list=extend_schema(summary="All services and how they are", responses=answers({200: ServiceList})),
        retrieve=extend_schema(summary="One service", responses=answers({200: ServiceDetail}, 404)),
        test=extend_schema(
            summary="Check a service now",
            description="Asks its free endpoint; costs nothing.",
            request=None,
            responses=answers({200: ServiceTested}, 404),
        ),
        models=extend_schema(
            summary="The models that a service lists", responses=answers({200: ModelList}, 404, 502, 503, 504, 529)
        ),
        enable=extend_schema(
            summary="Let a service be called", request=None, responses=answers({200: ServiceDetail}, 404)
        ),
        disable=extend_schema(
            summary="Let a service be called no longer", request=None, responses=answers({200: ServiceDetail}, 404)
        ),
    )(ServiceViewSet)
