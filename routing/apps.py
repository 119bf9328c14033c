from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save


class RoutingConfig(AppConfig):
    name = "routing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models can be imported no earlier than here.
        from routing.models import DefaultRoute, RoutingRule  # noqa: PLC0415
        from routing.rulebook import rulebook  # noqa: PLC0415
        from services.models import Service  # noqa: PLC0415

        def changed(**_signal: object) -> None:
            rulebook.changed()

        # Rules name their services, so a service's new name changes them too.
        for model in (RoutingRule, DefaultRoute, Service):
            for signal in (post_save, post_delete):
                signal.connect(changed, sender=model, weak=False, dispatch_uid="routing.rulebook")
