from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class OxideAdminConfig(AdminConfig):
    """Django's admin with our site in the place of its own.

    https://docs.djangoproject.com/en/5.2/ref/contrib/admin/#overriding-the-default-admin-site
    """

    default_site = "oxide_project.admin_site.OxideAdminSite"
