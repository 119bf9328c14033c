from __future__ import annotations

import json
import re
import shlex
from copy import copy
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apikeys import security_log
from apikeys.editable_lists import EditableList
from services import health, key_admin, key_binding, keys, state_badges  # noqa: F401 - the other pages of this app
from services.adapters import network
from services.adapters.registry import ADAPTERS, adapter_class
from services.adding_admin import AddingAdmin
from services.asking_admin import AskingAdmin
from services.breaker import breakers
from services.config import ServiceConfig
from services.declared_filter import DeclaredFilter
from services.models import Service
from services.outcomes import Outcome, tell
from services.switching_admin import SwitchingAdmin

_COMMANDS_FROM_FILE = (
    "The command of a program, and its options, are set in the configuration file alone: whoever sets them can run any "
    "program as Oxide's user. To allow it here, start Oxide with OXIDE_ALLOW_CLI_COMMANDS=true."
)


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
        help_text='For a command-line tool: program and arguments, as in ["llm", "-m", "{model}"]. "{model}" stands '
        "for the model; the prompt goes to the standard input. No shell is involved.",
    )
    allowed_models = LinesField(
        required=False,
        help_text="The only models that may be asked for, one a line, such as gpt-6-luna. Empty: any.",
    )
    capabilities = LinesField(
        required=False,
        help_text="The task types it is good at, one a line, such as translation or code_generation. Empty: all.",
    )
    options = StructureField(
        dict,
        help_text='A mapping as JSON, such as {"omit": ["temperature"]}. Which there are is shown here once the '
        "service is saved.",
    )

    headers = StructureField(
        dict,
        help_text='A mapping as JSON, such as {"X-Team": "${TEAM_TOKEN}"}: sent with every call. ${TEAM_TOKEN} stands '
        "for an environment variable. Other values are shown as *** and stay as they are where you leave that.",
    )

    class Meta:
        labels = {
            "ca_file": "CA file",
            "api": "API",
            "base_url": "Base URL",
            "api_key_env": "Key variable",
            "timeout_seconds": "Timeout in seconds",
            "max_concurrency": "Calls at once",
            "max_retries": "Retries",
            "health_enabled": "Check its health",
            "health_path": "Path to check",
            "health_method": "Method",
            "health_interval": "Seconds between checks",
            "cache_write_1h_price": "Cache write price, one hour",
            "request_price": "Price of a request",
            "search_price": "Price of a web search",
        }
        help_texts = {
            "name": "What rules, tasks and the history call it, such as ollama_local. It cannot be changed later.",
            "type": "A server on the network, a program on this machine, or built in (answers without any model).",
            "api": "The protocol that an HTTP server speaks. Most servers, such as LM Studio, vLLM and Groq, speak "
            "OpenAI's.",
            "enabled": "Only services that are switched on are asked. Switching one off holds from the next task on.",
            "base_url": "Where an HTTP server is, such as http://localhost:11434 for Ollama or "
            "https://api.openai.com/v1.",
            "model": "Asked for when neither the task nor the rule names one, such as llama2.",
            "api_key_env": "The name of the environment variable that holds the key, such as OPENAI_API_KEY; never the "
            "key itself. A key may also be entered under Provider keys. Empty: no key is needed.",
            "timeout_seconds": "For one attempt, from the connection to the last word, such as 120.",
            "max_concurrency": "Calls under way at the same time, in each process, such as 16. Beyond it the next "
            "service is asked.",
            "max_retries": "Further attempts after a failure that may pass, from 0 to 10. Then the next service is "
            "asked.",
            "proxy": "The proxy for all calls to it, such as http://me:${PROXY_PASSWORD}@proxy.example.org:3128 or "
            "socks5://127.0.0.1:1080. ${PROXY_PASSWORD} stands for an environment variable. Empty: none.",
            "ca_file": "A file on this machine with the certificates (PEM) that are trusted for this service, such as "
            "/etc/ssl/company-ca.pem. Empty: the usual ones.",
            "health_enabled": "Without checks, its state comes from real calls alone.",
            "health_path": "Such as /health on the server of the base URL, or health below the base URL. Every answer "
            "but 401 and 5xx counts as healthy there. Empty: the list of models, where of all answers only a rejected "
            "key counts as unhealthy.",
            "health_method": "The HTTP method for the path.",
            "health_interval": "From 1 to 86400, such as 300. Empty: OXIDE_HEALTH_SECONDS.",
            "input_price": "US dollars for a million tokens of the prompt, such as 3.",
            "output_price": "US dollars for a million tokens of the answer, such as 15.",
            "cached_price": "Tokens read from the provider's cache, such as 0.3.",
            "cache_write_price": "Tokens written to the provider's cache, such as 3.75.",
            "cache_write_1h_price": "Tokens written to it for an hour, such as 6. Empty: 1.6 times the price above.",
            "reasoning_price": "Tokens of thinking, such as 15.",
            "request_price": "US dollars for each request, beside its tokens, such as 0.005.",
            "search_price": "US dollars for each web search that the provider reports, such as 0.01.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "command" in self.fields and not settings.ALLOW_CLI_COMMANDS:
            self.fields["command"].help_text = _COMMANDS_FROM_FILE
        if "options" in self.fields and self.instance.pk:
            self.fields["options"].help_text = _known_options(self.instance.config.kind)
        if "headers" in self.fields and self.instance.pk:
            self.initial["headers"] = network.shown_headers(self.instance.headers)
        self._before = copy(self.instance) if self.instance.pk else None

    def _post_clean(self) -> None:
        """After the model's own checks, which say what is wrong with each field by itself."""
        super()._post_clean()  # type: ignore[misc]  # missing in the stubs
        if "command" in self.fields and not self.errors and self._sets_command():
            self.add_error("command", _COMMANDS_FROM_FILE)
        if "base_url" in self.fields and not self.errors:
            found = key_binding.objection(self.instance, self._before)
            if found:
                self.add_error(found.field, found.problem)

    def _sets_command(self) -> bool:
        if settings.ALLOW_CLI_COMMANDS or self.instance.type != Service.Type.CLI:
            return False
        kept = ("type", "command", "options")
        return self._before is None or any(getattr(self._before, name) != getattr(self.instance, name) for name in kept)

    def clean_headers(self) -> Any:
        """Values that are not shown stay, but not for another address: who enters that must know them."""
        headers = self.cleaned_data["headers"]
        kept = self.instance.headers if self.instance.pk else {}
        if not isinstance(headers, dict):
            return headers
        masked = [name for name, value in headers.items() if value == network.MASK and name in kept]
        if masked and {"base_url", "proxy"} & {*self.changed_data}:
            raise forms.ValidationError("With another address or proxy, enter the values shown as *** again.")
        return {**headers, **{name: kept[name] for name in masked}}


@admin.register(Service)
class ServiceAdmin(AskingAdmin, SwitchingAdmin, AddingAdmin, EditableList):
    noun = "Service"
    when_empty = "There is no service yet. Add one with a model, such as an Ollama on this machine."
    form = ServiceForm
    list_display = ["name", "enabled", "health_in_brief", "breaker", "key", "kind", "reached_at"]
    list_editable = ["enabled"]
    list_filter = ["enabled", "type", "api", ("declared", DeclaredFilter)]
    search_fields = ["name", "model", "base_url"]
    search_help_text = "A part of the name, the model or the address."
    ordering = ["name"]
    actions = ["check_now", "switch_on", "switch_off", "close_breaker"]
    readonly_fields = ["health_in_full", "breaker", "key", "origin", "updated_at", "headers_shown"]
    fieldsets = [
        (None, {"fields": ["name", "enabled", "health_in_full", "breaker", "origin", "updated_at"]}),
        (
            "How it is reached",
            {
                "fields": ["type", "api", "base_url", "command", "api_key_env", "key"],
                "description": "An HTTP server needs a protocol (API) and an address, a command-line tool a command. "
                "Leave empty what belongs to another type.",
            },
        ),
        (
            "Models",
            {
                "fields": ["model", "allowed_models", "capabilities"],
                "description": "Which models may be asked for, and what for.",
            },
        ),
        (
            "Limits",
            {
                "fields": ["timeout_seconds", "max_concurrency", "max_retries"],
                "description": "How long and how often it is asked before the next service is.",
            },
        ),
        (
            "Health checks",
            {
                "fields": ["health_enabled", "health_path", "health_method", "health_interval"],
                "description": "Checks decide only in which order services are asked, and real calls outrank them.",
            },
        ),
        (
            "Price",
            {
                "fields": [
                    "input_price",
                    "output_price",
                    "cached_price",
                    "cache_write_price",
                    "cache_write_1h_price",
                    "reasoning_price",
                    "request_price",
                    "search_price",
                ],
                "description": "US dollars a million tokens, or each request and web search. Leave all empty to go by "
                "the price table; 0 for a server of your own. Tokens read from or written to a cache, and those of "
                "thinking, cost what the others do where they have no price here.",
            },
        ),
        (
            "Network",
            {
                "fields": ["headers", "proxy", "ca_file"],
                "classes": ["collapse"],
                "description": "For an HTTP server behind a gateway, a proxy, or with a certificate of your own.",
            },
        ),
        ("The protocol's own settings", {"fields": ["options"], "classes": ["collapse"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Service | None = None) -> Any:
        """Who may only look gets the fields as text, and so the headers without their values."""
        fieldsets = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj):
            return fieldsets
        shown = {"headers": "headers_shown"}
        return [
            (title, {**options, "fields": [shown.get(str(name), name) for name in options["fields"]]})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Service | None = None) -> list[str]:
        # History, the configuration file and whoever calls know a service by its name.
        fields = [str(field) for field in super().get_readonly_fields(request, obj)]
        return [*fields, "name"] if obj else fields

    @admin.display(description="kind and model")
    def kind(self, service: Service) -> SafeString:
        kind = service.config.kind
        shown = ADAPTERS[kind][0] if kind in ADAPTERS else kind
        return format_html('{}<br><span class="why">{}</span>', shown, service.model)

    @admin.display(description="address or command")
    def reached_at(self, service: Service) -> str:
        """An address may be broken behind a slash, so that it is not broken inside a word."""
        if not service.base_url:
            return Truncator(shlex.join(map(str, service.command))).chars(60)
        parts = re.split(r"(?<=[^/]/)(?!/)", service.base_url)
        return format_html_join(SafeString("<wbr>"), "{}", ((part,) for part in parts))

    @admin.display(description="headers")
    def headers_shown(self, service: Service) -> str:
        return json.dumps(network.shown_headers(service.headers)) if service.headers else ""

    @admin.display(description="health")
    def health_in_brief(self, service: Service) -> SafeString:
        return state_badges.of_health(service.config, characters=80)

    @admin.display(description="health")
    def health_in_full(self, service: Service) -> SafeString:
        return state_badges.of_health(service.config, characters=2_000)

    @admin.display(description="breaker")
    def breaker(self, service: Service) -> SafeString:
        return state_badges.of_breaker(service.config)

    @admin.display(description="key")
    def key(self, service: Service) -> SafeString:
        return state_badges.of_key(service.config)

    @admin.display(description="origin")
    def origin(self, service: Service) -> str:
        if not service.declared:
            return "Made here or over the API."
        file = settings.CONFIG_FILE.name
        return f"Declared in {file}. A reload sets every field that {file} names back to what stands there."

    def save_model(self, request: HttpRequest, obj: Service, form: Any, change: bool) -> None:
        before = Service.objects.filter(pk=obj.pk).first() if change else None
        super().save_model(request, obj, form, change)
        if key_binding.drop_moved_key(obj, before):
            security_log.record("provider_key_dropped", request, service=obj.name)
            text = f"The stored key of {obj.name} was for another host or proxy. Enter it again under Provider keys."
            self.message_user(request, text, messages.WARNING)
        key_binding.note(obj)

    def ask(self, row: Service) -> Outcome:
        return _checked(row.config)

    @admin.action(description="Check now whether they answer", permissions=["change"])
    def check_now(self, request: HttpRequest, chosen: QuerySet[Service]) -> None:
        self.ask_all(request, chosen)

    @admin.action(description="Close the breaker", permissions=["change"])
    def close_breaker(self, request: HttpRequest, chosen: QuerySet[Service]) -> None:
        tell(request, [_closed(service.name) for service in chosen])


def _checked(config: ServiceConfig) -> Outcome:
    if keys.is_missing(config):
        how = f"Enter it under Provider keys, or set {config.api_key_env} and restart."
        return Outcome(messages.WARNING, f"Service {config.name} was not asked: it needs a key. {how}")
    found = health.check(config)
    return Outcome(messages.SUCCESS if found.healthy else messages.ERROR, _report(config, found))


def _closed(name: str) -> Outcome:
    if breakers[name].state == "closed":
        return Outcome(messages.INFO, f"The breaker of {name} was closed already.")
    breakers[name].close()
    return Outcome(messages.SUCCESS, f"The breaker of {name} is closed in this process: it is asked again.")


def _report(config: ServiceConfig, found: health.Health) -> str:
    if not found.healthy:
        return f"Service {config.name} is unhealthy: {state_badges.detail(config, found)}"
    if found.list_problem:
        problem = found.list_problem.removeprefix(config.name).strip()
        return f"Service {config.name} is reachable, but its models are not known: {problem}"
    models = f" and lists {_counted(len(found.models), 'model')}" if found.models else ""
    return f"Service {config.name} is healthy: it answered in {found.response_ms:.0f} ms{models}."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _known_options(kind: str) -> str:
    known = adapter_class(kind).OPTIONS if kind in ADAPTERS else {}
    defaults = ", ".join(f"{name} ({json.dumps(default)})" for name, default in known.items())
    return f"As a mapping. Known, with their defaults: {defaults}." if defaults else "There are none."
