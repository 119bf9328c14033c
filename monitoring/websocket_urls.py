"""The one address for WebSockets."""

from __future__ import annotations

from typing import Any

from django.urls import re_path

from monitoring.consumers import EventsConsumer


async def refuse(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


urlpatterns = [
    re_path(r"^ws/?\Z", EventsConsumer.as_asgi()),
    re_path(r"", refuse),  # type: ignore[arg-type]  # Channels' router calls it, not Django's
]
