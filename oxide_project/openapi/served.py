"""`/openapi.json`: the same for everybody, and so made once in each process."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request


@dataclass(frozen=True, slots=True)
class _Document:
    content: bytes
    etag: str


_lock = threading.Lock()
_made: list[_Document] = []


class DocumentView(SpectacularJSONAPIView):
    """drf-spectacular's own view makes the document for each request, which takes a fifth of a second."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_args: Any, **_kwargs: Any) -> HttpResponse:
        document = _document()
        whole: HttpRequest = request._request  # noqa: SLF001 - DRF documents it as the way to Django's
        response = HttpResponse(document.content, content_type=OpenApiJsonRenderer.media_type)
        found = get_conditional_response(whole, etag=document.etag, response=response) or response
        found["ETag"] = document.etag
        found["Cache-Control"] = "no-cache"  # kept, but asked about each time: a new version has another document
        found["Content-Disposition"] = 'inline; filename="Oxide.json"'
        return found


def _document() -> _Document:
    with _lock:  # of many who ask first, one makes it
        if not _made:
            view = SpectacularJSONAPIView
            made = view.generator_class(urlconf=view.urlconf).get_schema(request=None, public=True)
            content = OpenApiJsonRenderer().render(made)
            _made.append(_Document(content, f'"{hashlib.sha256(content).hexdigest()}"'))
        return _made[0]
