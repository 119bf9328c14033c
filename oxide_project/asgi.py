"""The ASGI application: HTTP on the thread pool, WebSockets on the event loop. `manage.py serve` runs it."""

from __future__ import annotations

import os

import django
from channels.routing import ProtocolTypeRouter, URLRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oxide_project.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402 - the apps must be there first

from monitoring import websocket_urls  # noqa: E402
from oxide_project.handler import PooledHandler  # noqa: E402
from oxide_project.pool import Pool  # noqa: E402

# Every request is answered on it; it grows as it is needed, and a thread that waits costs little.
# Two more than there are requests let in are for probes.
pool = Pool(settings.THREADS + 2, "request")
handler = PooledHandler(pool, limit=settings.THREADS)

application = ProtocolTypeRouter(
    {
        "http": handler,
        "websocket": URLRouter(websocket_urls.urlpatterns),
    }
)
