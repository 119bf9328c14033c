from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from rest_framework.routers import SimpleRouter

from oxide_project import errors
from routing.views import RuleViewSet
from services.views import ServiceViewSet
from tasks.explain_views import ExplainView
from tasks.views import TaskViewSet


class Router(SimpleRouter):
    """Every route answers with and without the trailing slash: a redirect would lose a POST's body."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


router = Router()
router.register("services", ServiceViewSet, basename="service")
router.register("tasks", TaskViewSet, basename="task")
router.register("routing/rules", RuleViewSet, basename="rule")

urlpatterns: list[URLPattern | URLResolver] = [
    re_path("^api/routing/explain/?$", ExplainView.as_view(), name="explain"),
    path("api/", include(router.urls)),
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
