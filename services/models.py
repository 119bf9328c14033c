from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import cast

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.text import capfirst

from services import validation
from services.adapters import network
from services.adapters.base import Method, Probe
from services.config import HealthSettings, ServiceConfig
from services.prices import PriceOverride
from services.switchable import Switchable

# No slash and no colon: a service's name stands in front of a model's in "<service>/<model>". And not
# "auto", which leaves the choice to Oxide.
valid_name = RegexValidator(
    r"^(?!auto\Z)[A-Za-z0-9][A-Za-z0-9_.-]*\Z", "Use letters, digits, '_', '-' and '.', and not the word auto."
)


class Service(Switchable):
    """A provider that Oxide can call, and how."""

    class Type(models.TextChoices):
        HTTP = "http", "HTTP server"
        CLI = "cli", "Command-line tool"
        BUILTIN = "builtin", "Built in"

    class Api(models.TextChoices):
        OPENAI = "openai", "OpenAI-compatible"
        OLLAMA = "ollama", "Ollama"
        ANTHROPIC = "anthropic", "Anthropic Messages"
        GEMINI = "gemini", "Gemini generateContent"

    class HealthMethod(models.TextChoices):
        GET = "GET", "GET"
        HEAD = "HEAD", "HEAD"
        POST = "POST", "POST"
        OPTIONS = "OPTIONS", "OPTIONS"

    name = models.CharField(max_length=50, unique=True, validators=[valid_name])
    type = models.CharField(max_length=10, choices=Type, default=Type.HTTP)
    api = models.CharField(max_length=20, choices=Api, blank=True, help_text="Protocol of an HTTP server.")
    base_url = models.CharField(max_length=500, blank=True, help_text="For example http://localhost:11434")
    command = models.JSONField(
        default=list,
        blank=True,
        help_text='Program and arguments, as a list; "{model}" stands for the model. No shell is involved.',
    )
    model = models.CharField(max_length=200, blank=True, help_text="Used when neither task nor rule names one.")
    allowed_models = models.JSONField(default=list, blank=True, help_text="The only models to be used; empty: any.")
    capabilities = models.JSONField(default=list, blank=True, help_text="Task types it is good at; empty: all.")
    api_key_env = models.CharField(
        max_length=100, blank=True, help_text="Environment variable that holds the key. Empty: no key is needed."
    )
    timeout_seconds = models.FloatField(
        default=120, validators=[MinValueValidator(0.1), MaxValueValidator(86_400)], help_text="For one attempt."
    )
    max_concurrency = models.PositiveIntegerField(
        default=16, validators=[MinValueValidator(1)], help_text="Calls in flight at once, in each process."
    )
    max_retries = models.PositiveSmallIntegerField(default=2, validators=[MaxValueValidator(10)])
    health_enabled = models.BooleanField(default=True, help_text="Checked regularly, besides real calls.")
    health_path = models.CharField(max_length=200, blank=True, help_text="Empty: the protocol's list of models.")
    health_method = models.CharField(max_length=10, choices=HealthMethod, default=HealthMethod.GET, blank=True)
    health_interval = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="Seconds between two checks. Empty: OXIDE_HEALTH_SECONDS.",
    )
    input_price = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True, help_text="US dollars a million tokens."
    )
    output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cached_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cache_write_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cache_write_1h_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    reasoning_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    request_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    search_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    options = models.JSONField(default=dict, blank=True, help_text="The protocol's own settings.")
    headers = models.JSONField(default=dict, blank=True, help_text="Sent along with every call, by name.")
    proxy = models.CharField(max_length=500, blank=True, help_text="For example http://proxy.example.org:3128")
    ca_file = models.CharField(
        max_length=500, blank=True, help_text="File with the certificates (PEM) that its own is checked against."
    )
    declared = models.BooleanField(default=False, editable=False, help_text="Stands in the configuration file.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(type="http") | (~models.Q(api="") & ~models.Q(base_url="")),
                name="http_service_has_api_and_base_url",
            ),
            models.CheckConstraint(condition=models.Q(max_concurrency__gte=1), name="max_concurrency_positive"),
            models.CheckConstraint(condition=models.Q(timeout_seconds__gt=0), name="timeout_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        # Not in `clean`, which cannot tell what a form does not show.
        # https://docs.djangoproject.com/en/5.2/ref/models/instances/#django.db.models.Model.clean
        found: dict[str, list[ValidationError]] = {}
        try:
            super().clean_fields(exclude)
        except ValidationError as error:
            found = error.error_dict
        for name, problem in self._problems().items():
            if problem and name not in found and name not in (exclude or ()):
                found[name] = [ValidationError(f"{capfirst(problem)}.", code="unusable")]
        if found:
            raise ValidationError(found)

    def _problems(self) -> dict[str, str]:
        """What is wrong with each field, where several must fit together."""
        if self.type not in self.Type.values:
            return {}
        belonging = {
            name: validation.belonging_problem(self.type, name, given=bool(getattr(self, name)))
            for name in ("api", "base_url", "command", "api_key_env", "headers", "proxy", "ca_file")
        }
        kind = self.api if self.type == self.Type.HTTP else self.type
        values = {
            "base_url": validation.base_url_problem(self.base_url) if self.base_url else "",
            "command": validation.command_problem(self.command) if self.command != [] else "",
            "api_key_env": validation.environment_name_problem(self.api_key_env),
            "allowed_models": validation.texts_problem(self.allowed_models),
            "capabilities": validation.texts_problem(self.capabilities),
            "health_path": validation.health_path_problem(self.type, self.health_path),
            "options": validation.options_problem(kind, self.options),
            "headers": network.headers_problem(self.headers),
            "proxy": network.proxy_problem(self.proxy),
            "ca_file": network.ca_file_problem(self.ca_file),
            "input_price": validation.price_problem(self.input_price, self.output_price),
            "output_price": validation.price_problem(self.output_price, self.input_price),
            "cached_price": validation.extra_price_problem(self.cached_price, self.input_price),
            "cache_write_price": validation.extra_price_problem(self.cache_write_price, self.input_price),
            "cache_write_1h_price": validation.extra_price_problem(self.cache_write_1h_price, self.input_price),
            "reasoning_price": validation.extra_price_problem(self.reasoning_price, self.output_price),
            "request_price": validation.extra_price_problem(self.request_price, self.input_price),
            "search_price": validation.extra_price_problem(self.search_price, self.input_price),
        }
        return values | {name: problem for name, problem in belonging.items() if problem}

    @property
    def config(self) -> ServiceConfig:
        return ServiceConfig(
            name=self.name,
            type=self.type,
            api=self.api,
            enabled=self.enabled,
            base_url=self.base_url,
            command=tuple(self.command),
            model=self.model,
            allowed_models=frozenset(self.allowed_models),
            capabilities=frozenset(self.capabilities),
            api_key_env=self.api_key_env,
            timeout_seconds=self.timeout_seconds,
            max_concurrency=self.max_concurrency,
            max_retries=self.max_retries,
            health=self.health,
            price=self.price,
            options=self.options,
            headers=self.headers,
            proxy=self.proxy,
            ca_file=self.ca_file,
        )

    @property
    def health(self) -> HealthSettings:
        probe = Probe(self.health_path, cast("Method", self.health_method or "GET"))
        return HealthSettings(self.health_enabled, probe, self.health_interval)

    @property
    def price(self) -> PriceOverride | None:
        if self.input_price is None and self.output_price is None:
            return None
        return PriceOverride(
            self.input_price or Decimal(0),
            self.output_price or Decimal(0),
            cached_input_per_million=self.cached_price,
            cache_write_per_million=self.cache_write_price,
            cache_write_1h_per_million=self.cache_write_1h_price,
            reasoning_per_million=self.reasoning_price,
            per_request=self.request_price,
            per_search=self.search_price,
        )


class KeyHost(models.Model):
    """A host, as scheme, name and port, to which a key in the environment goes: see `services.key_binding`."""

    variable = models.CharField(max_length=100)
    origin = models.CharField(max_length=500)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["variable", "origin"], name="one_key_host")]

    def __str__(self) -> str:
        return f"{self.variable} for {self.origin}"


class SharedHealth(models.Model):
    """What one process knows of a service's health (`services.health.Health`), for the others."""

    service = models.CharField(max_length=50, primary_key=True)
    healthy = models.BooleanField(null=True)
    checked_at = models.DateTimeField(null=True)
    response_ms = models.FloatField(null=True)
    detail = models.TextField(blank=True)
    listed_models = models.JSONField(default=list)
    refused = models.BooleanField(default=False)
    list_problem = models.TextField(blank=True, default="")
    timed_out = models.BooleanField(default=False)
    succeeded_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    # By the database's clock: those of several hosts differ.
    stored_at = models.DateTimeField()

    def __str__(self) -> str:
        state = "not known" if self.healthy is None else "healthy" if self.healthy else "unhealthy"
        return f"{self.service} {state}"
