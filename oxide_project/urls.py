from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from rest_framework.routers import SimpleRouter

from apikeys.auth_views import LoginViewSet, MeViewSet, PasswordViewSet
from apikeys.client_key_views import ClientKeyViewSet
from config.views import ConfigViewSet
from gateway.anthropic_views import CountTokensView, MessagesView
from gateway.model_views import ModelListView, ModelView
from gateway.openai_views import ChatCompletionsView, CompletionsView, EmbeddingsView
from gateway.responses_views import ResponsesView
from monitoring import pages
from monitoring.probes import HealthView, ReadyView
from monitoring.views import MonitoringViewSet, PrometheusView
from oxide_project import errors
from oxide_project.openapi.pages import RedocPage, SwaggerPage
from oxide_project.openapi.served import DocumentView
from oxide_project.password_page import PasswordPage
from routing.views import RuleViewSet
from services.key_views import KeyViewSet
from services.views import ServiceViewSet
from tasks.explain_views import ExplainView
from tasks.views import TaskViewSet


class Router(SimpleRouter):
    """Every route answers with and without the trailing slash: a redirect would lose a POST's body."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


router = Router()
router.register("tasks", TaskViewSet, basename="task")
router.register("services", ServiceViewSet, basename="service")
router.register("api-keys/clients", ClientKeyViewSet, basename="client-key")
router.register("api-keys", KeyViewSet, basename="api-key")
router.register("monitoring", MonitoringViewSet, basename="monitoring")
router.register("config", ConfigViewSet, basename="config")
router.register("routing/rules", RuleViewSet, basename="rule")

login = Router()
login.register("auth", LoginViewSet, basename="auth")

urlpatterns: list[URLPattern | URLResolver] = [
    # Tried in this order: what is called most stands first.
    re_path("^v1/chat/completions/?$", ChatCompletionsView.as_view(), name="chat-completions"),
    re_path("^v1/completions/?$", CompletionsView.as_view(), name="completions"),
    re_path("^v1/embeddings/?$", EmbeddingsView.as_view(), name="embeddings"),
    re_path("^v1/models/?$", ModelListView.as_view(), name="models"),
    re_path("^v1/models/(?P<model>.+?)/?$", ModelView.as_view(), name="model"),
    re_path("^v1/responses/?$", ResponsesView.as_view(), name="responses"),
    re_path("^v1/messages/?$", MessagesView.as_view(), name="messages"),
    re_path("^v1/messages/count_tokens/?$", CountTokensView.as_view(), name="count-tokens"),
    re_path("^api/routing/explain/?$", ExplainView.as_view(), name="explain"),
    path("api/", include(router.urls)),
    path("", include(login.urls)),
    re_path("^auth/password/?$", PasswordViewSet.as_view({"post": "create"}), name="own-password"),
    re_path("^auth/me/?$", MeViewSet.as_view({"get": "retrieve"}), name="me"),
    re_path("^health/?$", HealthView.as_view(), name="health"),
    re_path("^ready/?$", ReadyView.as_view(), name="ready"),
    re_path("^metrics/?$", PrometheusView.as_view(), name="prometheus"),
    re_path("^openapi.json/?$", DocumentView.as_view(), name="openapi"),
    re_path("^docs/?$", SwaggerPage.as_view(url_name="openapi"), name="docs"),
    re_path("^redoc/?$", RedocPage.as_view(url_name="openapi"), name="redoc"),
    path("", pages.now, name="now"),
    re_path("^try/?$", pages.try_it, name="try"),
    re_path("^history/?$", pages.history, name="history"),
    re_path("^history/(?P<task_id>[0-9a-f-]{32,36})/?$", pages.task, name="history-task"),
    re_path("^routing/?$", pages.routing, name="routing"),
    re_path("^costs/?$", pages.costs, name="costs"),
    re_path("^keys/?$", pages.keys, name="keys"),
    re_path("^password/?$", PasswordPage.as_view(), name="password"),
    re_path("^login/?$", pages.LoginPage.as_view(), name="log-in"),
    re_path("^logout/?$", pages.LogoutPage.as_view(), name="log-out"),
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
