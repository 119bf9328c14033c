from __future__ import annotations

from django.apps import AppConfig


class OxideProjectConfig(AppConfig):
    name = "oxide_project"

    def ready(self) -> None:
        # Views and models can be imported no earlier than here. Importing the checks registers them.
        from oxide_project import checks  # noqa: F401, PLC0415
        from oxide_project.openapi import document  # noqa: PLC0415

        document()
