"""The admin site as a whole: its front page, the order of its lists, and what its pages may load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from apikeys import devices
from apikeys.login_guard import account_key
from monitoring import front_page
from monitoring.pages import View, limited

# By what people come for, not by the app that holds the model.
ORDER: Mapping[str, tuple[str, ...]] = {
    "Services": ("Service", "ProviderKey"),
    "Routing": ("RoutingRule", "DefaultRoute"),
    "History": ("Task", "Runner"),
    "Access": ("ClientKey", "User"),
}


class OxideAdminSite(admin.AdminSite):
    site_header = "Oxide"
    site_title = "Oxide"
    index_title = "Administration"
    index_template = "admin/front.html"  # what each app lists alone has Django's
    site_url = None
    enable_nav_sidebar = False  # the few lists there are stand in the header: see base_site.html

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "front": front_page.read()})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer = limited(super().login)(request, extra_context)
        if request.method == "POST" and request.user.is_authenticated:
            devices.remember(answer, request, account_key(request.user.get_username()))
        return answer

    def password_change(self, _request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:  # type: ignore[override]
        """By the page for all roles: Django's own would let a stolen session guess the current password for ever."""
        return redirect("password")

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        return limited(super().admin_view(view, cacheable))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The lists by what they are for; those of one app alone as Django has them."""
        apps = super().get_app_list(request, app_label)
        if app_label:
            return apps
        models = {model["object_name"]: (model, app) for app in apps for model in app["models"]}
        return [group for title, names in ORDER.items() if (group := _group(title, names, models))]


def _group(title: str, names: tuple[str, ...], models: Mapping[str, tuple[Any, Any]]) -> dict[str, Any] | None:
    """Under the address of its first model's app; None where somebody may see nothing of it."""
    found = [models[name] for name in names if name in models]
    return {**found[0][1], "name": title, "models": [model for model, _ in found]} if found else None
