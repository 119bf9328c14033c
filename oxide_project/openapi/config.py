from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view

from config.presentation import Configuration, Reloaded
from config.views import ConfigViewSet
from oxide_project.openapi.shapes import answers


def document() -> None:
    extend_schema_view(
        list=extend_schema(
            operation_id="config_retrieve",
            summary="The configuration in force, without secrets",
            responses=answers({200: Configuration}),
        ),
        reload=extend_schema(
            summary="Read the configuration file again",
            description="An invalid file is refused with `CONFIG_INVALID` and its `problems`; nothing changes then.",
            request=None,
            responses=answers({200: Reloaded}),
        ),
    )(ConfigViewSet)
