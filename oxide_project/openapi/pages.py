"""The interactive documentation: other people's pages, which may load and run only what Oxide serves."""

from __future__ import annotations

from typing import Any

from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

# Both write styles into the page while they run, and Redoc searches in a worker that it makes of a text.
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class _Limited(APIView):
    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response["Content-Security-Policy"] = POLICY
        return super().finalize_response(request, response, *args, **kwargs)


class SwaggerPage(_Limited, SpectacularSwaggerSplitView):
    """`/docs`, whose own script is at the same address with `?script`."""


class RedocPage(_Limited, SpectacularRedocView):
    """`/redoc`"""
