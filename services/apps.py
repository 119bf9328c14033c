from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import transaction
from django.db.models.signals import post_delete, post_save


class ServicesConfig(AppConfig):
    name = "services"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models can be imported no earlier than here.
        from apikeys.signals import key_changed  # noqa: PLC0415
        from services import health, signals  # noqa: PLC0415
        from services.directory import directory  # noqa: PLC0415
        from services.models import Service  # noqa: PLC0415
        from services.pauses import pauses  # noqa: PLC0415

        def changed(**_signal: Any) -> None:
            directory.changed()
            transaction.on_commit(lambda: signals.services_changed.send_robust(Service), robust=True)

        for signal in (post_save, post_delete):
            signal.connect(changed, sender=Service, weak=False, dispatch_uid="services.directory")

        def forget(service: str, **_signal: Any) -> None:
            # It was called with another key.
            health.forget(service)
            pauses.forget(service)

        key_changed.connect(forget, weak=False, dispatch_uid="services.health")
