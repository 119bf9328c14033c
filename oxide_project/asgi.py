"""The ASGI application: HTTP on the thread pool. `manage.py serve` runs it under daphne."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oxide_project.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402 - the apps must be there first

from oxide_project.handler import PooledHandler, Receive, Send  # noqa: E402

# Every request is answered on it; it grows as it is needed, and a thread that waits costs little.
pool = ThreadPoolExecutor(settings.THREADS, thread_name_prefix="request")


async def refuse_websocket(_scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close"})


application = ProtocolTypeRouter(
    {
        "http": PooledHandler(pool, limit=settings.THREADS),
        "websocket": refuse_websocket,
    }
)
