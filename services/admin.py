from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apikeys import keyring
from apikeys.editable_lists import EditableList
from services import health, key_admin, keys  # noqa: F401 - the other pages of this app
from services.adapters.registry import ADAPTERS, adapter_class
from services.badges import badge
from services.breaker import breakers
from services.config import ServiceConfig
from services.models import Service

CHECKS_AT_ONCE = 8


class LinesField(forms.CharField):
    """A list of texts, written one a line."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]


class StructureField(forms.JSONField):
    """A list or a mapping as JSON. An empty one is an empty field."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})

    def __init__(self, empty: type[list[Any]] | type[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.empty = empty

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None or value == self.empty() else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        return self.empty() if found is None else found


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    command = StructureField(
        list,
        help_text='Program and arguments, as in ["llm", "-m", "{model}"]; "{model}" stands for the model. No shell.',
    )
    allowed_models = LinesField(
        required=False, help_text="The only models to be used, one a line; empty: whatever the server lists."
    )
    capabilities = LinesField(required=False, help_text="Task types it is good at, one a line; empty: all.")
    options = StructureField(dict)

    class Meta:
        labels = {
            "api": "API",
            "base_url": "Base URL",
            "api_key_env": "Key variable",
            "timeout_seconds": "Timeout in seconds",
            "max_concurrency": "Calls at once",
            "max_retries": "Retries",
        }
        help_texts = {
            "max_concurrency": "In each process. Beyond it the next service is asked.",
            "max_retries": "Further attempts after a failure that may pass.",
            "input_price": "",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "options" in self.fields and self.instance.pk:
            self.fields["options"].help_text = _known_options(self.instance.config.kind)


@admin.register(Service)
class ServiceAdmin(EditableList):
    form = ServiceForm
    list_display = ["name", "enabled", "health_in_brief", "key", "kind", "model", "reached_at", "max_concurrency"]
    list_editable = ["enabled"]
    search_fields = ["name", "model", "base_url"]
    ordering = ["name"]
    actions = ["check_now"]
    readonly_fields = ["health_in_full", "key", "origin", "updated_at"]
    fieldsets = [
        (None, {"fields": ["name", "enabled", "health_in_full", "origin", "updated_at"]}),
        (
            "How it is reached",
            {
                "fields": ["type", "api", "base_url", "command", "api_key_env", "key"],
                "description": "An HTTP server needs a protocol (API) and an address, a command-line tool a command. "
                "Leave empty what belongs to another type.",
            },
        ),
        ("Models", {"fields": ["model", "allowed_models", "capabilities"]}),
        ("Limits", {"fields": ["timeout_seconds", "max_concurrency", "max_retries"]}),
        (
            "Price",
            {
                "fields": ["input_price", "output_price", "cached_price", "cache_write_price", "reasoning_price"],
                "description": "US dollars a million tokens. Leave all empty to go by the price table; 0 for a server "
                "of your own. Tokens read from or written to a cache, and those of thinking, cost what the others do "
                "where they have no price here.",
            },
        ),
        ("The protocol's own settings", {"fields": ["options"], "classes": ["collapse"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Service | None = None) -> list[str]:
        # History, the configuration file and whoever calls know a service by its name.
        fields = [str(field) for field in super().get_readonly_fields(request, obj)]
        return [*fields, "name"] if obj else fields

    def get_fieldsets(self, request: HttpRequest, obj: Service | None = None) -> Any:
        """Without what is only known of a service that is there."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj:
            return fieldsets
        unknown = set(self.readonly_fields)
        return [(title, {**shown, "fields": _without(shown["fields"], unknown)}) for title, shown in fieldsets]

    @admin.display(description="kind")
    def kind(self, service: Service) -> str:
        kind = service.config.kind
        return ADAPTERS[kind][0] if kind in ADAPTERS else kind

    @admin.display(description="address or command")
    def reached_at(self, service: Service) -> str:
        return service.base_url or Truncator(shlex.join(map(str, service.command))).chars(60)

    @admin.display(description="health")
    def health_in_brief(self, service: Service) -> SafeString:
        return _health(service.config, characters=80)

    @admin.display(description="health")
    def health_in_full(self, service: Service) -> SafeString:
        return _health(service.config, characters=2_000)

    @admin.display(description="key")
    def key(self, service: Service) -> SafeString:
        secret = keyring.secret_for(service.name, service.api_key_env)
        if secret:
            return badge("good", f"there: {keyring.preview(secret)}")
        if service.api_key_env:
            return badge("bad", f"needs {service.api_key_env}, missing")
        return badge("quiet", "none needed")

    @admin.display(description="origin")
    def origin(self, service: Service) -> str:
        if not service.declared:
            return "Made here or over the API."
        file = settings.CONFIG_FILE.name
        return f"Declared in {file}. A reload sets every field that {file} names back to what stands there."

    @admin.action(description="Check now whether they answer", permissions=["change"])
    def check_now(self, request: HttpRequest, chosen: QuerySet[Service]) -> None:
        configs = [service.config for service in chosen]
        askable = [config for config in configs if not keys.is_missing(config)]
        with ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="check-now") as pool:
            for config, found in zip(askable, pool.map(health.check, askable), strict=True):
                self.message_user(
                    request, _report(config, found), messages.SUCCESS if found.healthy else messages.ERROR
                )
        for config in configs:
            if keys.is_missing(config):
                text = f"Service {config.name} was not asked: it needs a key. Set {config.api_key_env} and restart."
                self.message_user(request, text, messages.WARNING)


def _without(names: Any, unknown: set[str]) -> list[str]:
    return [name for name in names if name not in unknown]


def _health(config: ServiceConfig, characters: int) -> SafeString:
    known = health.of(config.name)
    if not config.enabled:
        return badge("quiet", "switched off")
    if known and not known.healthy:
        return badge("bad", f"unhealthy: {Truncator(_detail(config, known)).chars(characters)}")
    if keys.is_missing(config):
        return badge("quiet", "not checked: no key")
    if breakers[config.name].blocked():
        return badge("bad", "left alone for a while after failures")
    return badge("good", "healthy") if known else badge("quiet", "not checked yet")


def _report(config: ServiceConfig, found: health.Health) -> str:
    if not found.healthy:
        return f"Service {config.name} is unhealthy: {_detail(config, found)}"
    models = f" and lists {_counted(len(found.models), 'model')}" if found.models else ""
    return f"Service {config.name} is healthy: it answered in {found.response_ms:.0f} ms{models}."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _detail(config: ServiceConfig, found: health.Health) -> str:
    return found.detail.removeprefix(config.name).strip()


def _known_options(kind: str) -> str:
    known = adapter_class(kind).OPTIONS if kind in ADAPTERS else {}
    defaults = ", ".join(f"{name} ({json.dumps(default)})" for name, default in known.items())
    return f"As a mapping. Known, with their defaults: {defaults}." if defaults else "There are none."
