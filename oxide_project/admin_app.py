from __future__ import annotations

from django.apps import apps
from django.contrib.admin.apps import AdminConfig


class OxideAdminConfig(AdminConfig):
    """Django's admin with our site in the place of its own.

    https://docs.djangoproject.com/en/5.2/ref/contrib/admin/#overriding-the-default-admin-site
    """

    default_site = "oxide_project.admin_site.OxideAdminSite"

    def ready(self) -> None:
        super().ready()
        # Users stand beside the keys for programs, whichever app holds them.
        apps.get_app_config("auth").verbose_name = apps.get_app_config("apikeys").verbose_name
