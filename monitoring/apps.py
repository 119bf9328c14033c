from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Every signal that monitoring listens to is connected here."""
        # Models can be imported no earlier than here.
        from monitoring import receivers, rollups  # noqa: PLC0415
        from services.signals import health_changed, services_changed  # noqa: PLC0415
        from tasks.signals import (  # noqa: PLC0415
            answer_begins,
            task_queued,
            task_said,
            task_started,
            task_unrecorded,
            task_waits,
            tasks_recorded,
        )

        tasks_recorded.connect(rollups.count, dispatch_uid="monitoring.rollups")
        task_queued.connect(receivers.task_queued, dispatch_uid="monitoring.events")
        task_started.connect(receivers.task_started, dispatch_uid="monitoring.events")
        task_waits.connect(receivers.task_waits, dispatch_uid="monitoring.events")
        answer_begins.connect(receivers.answer_begins, dispatch_uid="monitoring.events")
        task_said.connect(receivers.task_said, dispatch_uid="monitoring.events")
        task_unrecorded.connect(receivers.task_unrecorded, dispatch_uid="monitoring.events")
        tasks_recorded.connect(receivers.tasks_recorded, dispatch_uid="monitoring.events")
        health_changed.connect(receivers.services_changed, dispatch_uid="monitoring.events")
        services_changed.connect(receivers.services_changed, dispatch_uid="monitoring.events")
