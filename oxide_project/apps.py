from __future__ import annotations

from django.apps import AppConfig
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries


class OxideProjectConfig(AppConfig):
    name = "oxide_project"

    def ready(self) -> None:
        # Views and models can be imported no earlier than here. Importing the checks registers them.
        from oxide_project import checks  # noqa: F401, PLC0415
        from oxide_project.openapi import document  # noqa: PLC0415

        document()
        _listen_less()


def _listen_less() -> None:
    """Leave out what Django does around each request and Oxide has no use for, which takes as long as its routing.

    A thread's database connection is looked after at the end of each request, so not at its beginning as well; no
    cache here has anything to close; nobody logs queries; and no request has routes of its own.
    """
    request_started.disconnect(close_old_connections)
    request_started.disconnect(reset_queries)
    request_finished.disconnect(close_caches)
    request_finished.disconnect(reset_urlconf)
