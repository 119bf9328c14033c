"""The API's documentation: one file for each app, beside the views instead of inside them."""

from oxide_project.openapi import apikeys, config, gateway, monitoring, routing, security, services, tasks

__all__ = ["document", "security"]


def document() -> None:
    """Tell drf-spectacular what its look at the views does not show."""
    for part in (apikeys, config, gateway, monitoring, routing, services, tasks):
        part.document()
