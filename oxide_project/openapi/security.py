from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class Identity(OpenApiAuthenticationExtension):  # importing it registers it
    """With identity on: a token from `/auth/login`, or a program's key in one of two headers."""

    target_class = "apikeys.authentication.ByIdentity"
    name: ClassVar[list[str]] = ["bearer", "apiKey"]  # type: ignore[misc]  # as its documentation allows

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:  # noqa: ARG002
        return [
            {"type": "http", "scheme": "bearer", "description": "An access token, or a key for programs (`ox-…`)."},
            {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "A key for programs."},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:  # noqa: ARG002
        return [{name: []} for name in self.name]  # either, not both
