"""What may stand in the configuration file, field by field.

A field that the file does not name is not in the `model_fields_set` of its entry: importing leaves
it alone. The defaults here are therefore those of the database's own columns, for whoever reads a
declaration without a database.

What `description` and `examples` say of a field is what docs/configuration-reference.md says of it
(config/reference.py). An example is a value as it stands in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from routing.task_types import TaskType
from services import validation
from services.adapters import network
from services.models import Service, valid_name

# The largest number that PostgreSQL keeps in an integer column.
_INTEGER_MAX = 2_147_483_647


def _wrong(message: str) -> PydanticCustomError:
    # As a value, for pydantic takes the text itself for a template with fields in braces.
    return PydanticCustomError("wrong", "{message}", {"message": message})


@dataclass(slots=True)
class _Context:
    """What a check must know beyond its own field. `services` is None where they cannot be told."""

    services: frozenset[str] | None
    builtin: frozenset[str]
    rule_ids: set[str] = field(default_factory=set)
    default: set[str] = field(default_factory=set)


def _named(value: str) -> str:
    if not re.search(valid_name.regex, value):
        raise _wrong("is not a possible name: use letters, digits, '_', '-' and '.', a letter or digit first")
    return value


def _declared(value: str, info: ValidationInfo) -> str:
    if isinstance(info.context, _Context) and info.context.services is not None and value not in info.context.services:
        raise _wrong(f"there is no service {value!r} in this file: declare it or correct the spelling")
    return value


def _routable(value: str, info: ValidationInfo) -> str:
    if isinstance(info.context, _Context) and value in info.context.builtin:
        raise _wrong(
            f"{value!r} is of type builtin and answers only when a task names it: name another service or leave it out"
        )
    return value


def _unlisted(value: str, info: ValidationInfo) -> str:
    if isinstance(info.context, _Context):
        if value in info.context.default:
            raise _wrong(f"{value!r} stands in the list already: name each service once")
        info.context.default.add(value)
    return value


def _new_rule_id(value: str, info: ValidationInfo) -> str:
    if isinstance(info.context, _Context):
        if value in info.context.rule_ids:
            raise _wrong(f"{value!r} is the id of an earlier rule already: choose another one")
        info.context.rule_ids.add(value)
    return value


def _passing(problem_of: Callable[[Any], str]) -> AfterValidator:
    """One of the checks that forms make too."""

    def check(value: Any) -> Any:
        if problem := problem_of(value):
            raise _wrong(problem)
        return value

    return AfterValidator(check)


def _origin(value: str) -> str:
    if problem := validation.base_url_problem(value):
        raise _wrong(problem)
    if urlsplit(value).path or urlsplit(value).query:
        raise _wrong("must be an origin without a path, like https://app.example.org")
    return value


def _host(value: str) -> str:
    if value != "*" and not re.fullmatch(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]", value):
        raise _wrong("must be a host name or address without scheme and port, like oxide.example.org")
    return value


def _certificates(value: str) -> str:
    if problem := network.ca_file_problem(value):
        raise _wrong(problem)
    return value


def _decimal(value: object) -> object:
    # By way of the text: Decimal(0.15) would be 0.1499999999999999944488848768742172978818416595458984375.
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _rate(value: object) -> object:
    text = "0" if value == 0 and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"0|[1-9][0-9]{0,8}/[smhd]", text):
        raise _wrong("must be a number of requests a second, minute, hour or day, like 100/m, or 0 for no limit")
    return text


Name = Annotated[str, Field(max_length=50), AfterValidator(_named)]
RuleId = Annotated[str, Field(max_length=50), AfterValidator(_named), AfterValidator(_new_rule_id)]
RoutedService = Annotated[str, AfterValidator(_declared), AfterValidator(_routable)]
ModelName = Annotated[str, Field(max_length=200)]
Dollars = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(ge=0, max_digits=12, decimal_places=6),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 999_999.999999}),
]
Rate = Annotated[str, BeforeValidator(_rate)]
# Strict would ask for the enumeration's members, which a file cannot hold.
TaskTypeName = Annotated[TaskType, Field(strict=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )


class Price(_Entry):
    """In US dollars a million tokens, a request and a web search, at the usual service tier.

    Tokens without a price of their own cost what the other tokens of their side do.
    """

    input_per_million: Dollars = Field(description="tokens that are sent", examples=[0.15])
    output_per_million: Dollars = Field(description="tokens that are answered", examples=[0.6])
    cached_input_per_million: Dollars | None = Field(
        default=None, description="sent tokens that the provider had in its cache", examples=[0.075]
    )
    cache_write_per_million: Dollars | None = Field(
        default=None, description="sent tokens that the provider puts into its cache", examples=[3.75]
    )
    cache_write_1h_per_million: Dollars | None = Field(
        default=None,
        description="sent tokens that the provider puts into its cache for an hour; "
        "without it 1.6 times `cache_write_per_million`, as at Anthropic",
        examples=[6],
    )
    reasoning_per_million: Dollars | None = Field(
        default=None, description="answered tokens with which the model thought", examples=[0.6]
    )
    per_request: Dollars | None = Field(default=None, description="each request, beside its tokens", examples=[0.005])
    per_search: Dollars | None = Field(
        default=None, description="each web search that the provider reports", examples=[0.01]
    )


class HealthEntry(_Entry):
    """How a service is checked besides by real calls, which outrank checks."""

    enabled: bool = Field(
        default=True,
        description="whether it is checked; without, its state is that of real calls alone",
        examples=[False],
    )
    path: Annotated[str, Field(max_length=200), _passing(validation.path_problem)] = Field(
        default="",
        description="the address to check: with `/` in front on the server of `base_url`, without it below `base_url`. "
        "There every answer but 401 and 5xx counts as healthy. Empty: the list of models, where only a rejected "
        "key counts as unhealthy",
        examples=["/health"],
    )
    method: Annotated[Service.HealthMethod, Field(strict=False)] = Field(
        default=Service.HealthMethod.GET, description="how `path` is asked", examples=["HEAD"]
    )
    interval: float | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="seconds between two checks; `OXIDE_HEALTH_SECONDS` where it is left out",
        examples=[300],
    )


class ServiceEntry(_Entry):
    type: Annotated[Service.Type, Field(strict=False)] = Field(
        description="what it is: `http` a server, `cli` a program on this machine, `builtin` Oxide itself",
        examples=["http"],
    )
    api: Annotated[Service.Api, Field(strict=False)] | None = Field(
        default=None,
        description="the protocol of the server; `openai` is any server that speaks it. "
        "Needed with `type: http`, and refused with another",
        examples=["openai"],
    )
    base_url: Annotated[str, Field(max_length=500), _passing(validation.base_url_problem)] | None = Field(
        default=None,
        description="the address of the server, with `http://` or `https://`, without a password; a query, such as "
        "`?api-version=2024-10-21`, goes along with every call. "
        "Needed with `type: http`, and refused with another",
        examples=["https://api.openai.com/v1"],
    )
    command: Annotated[list[str], _passing(validation.command_problem)] | None = Field(
        default=None,
        description="the program and its arguments; started without a shell, the prompt on its standard input, "
        "`{model}` replaced by the model. Needed with `type: cli`, and refused with another",
        examples=[["llm", "-m", "{model}"]],
    )
    api_key_env: Annotated[str, Field(max_length=100), _passing(validation.environment_name_problem)] | None = Field(
        default=None,
        description="the environment variable that holds its key, and none of Oxide's own",
        examples=["OPENAI_API_KEY"],
    )
    # Read by whoever looks up keys; never stored in the database, never shown.
    api_key: SecretStr | None = Field(
        default=None,
        description="its key in plain text, used where neither the environment nor the database has one; "
        "`POST /api/api-keys/update/` writes it",
        examples=["sk-or-…"],
    )
    enabled: bool = Field(default=True, description="whether it is asked at all", examples=[False])
    model: ModelName = Field(
        default="", description="the model where neither the task nor the rule names one", examples=["llama2"]
    )
    models: list[Annotated[ModelName, Field(min_length=1)]] = Field(
        default=[],
        description="the only models that may be asked for; empty: any",
        examples=[["llama2"]],
    )
    capabilities: list[TaskTypeName] = Field(
        default=[],
        description="the types of task that it is good at; empty: all of them",
        examples=[["chat", "translation"]],
    )
    timeout_seconds: float = Field(
        default=120,
        ge=0.1,
        le=86_400,
        description="for one attempt, from the connection to the last word",
        examples=[60],
    )
    max_concurrency: int = Field(
        default=16,
        ge=1,
        le=_INTEGER_MAX,
        description="calls in flight of a process; beyond them the next service is asked",
        examples=[64],
    )
    max_retries: int = Field(
        default=2, ge=0, le=10, description="further attempts after a failure that may pass", examples=[1]
    )
    health: HealthEntry | None = Field(
        default=None,
        description="whether, where and how often it is checked",
        examples=[{"path": "/health", "interval": 300}],
    )
    price: Price | None = Field(
        default=None,
        description="what its tokens cost, instead of what the price table says",
        examples=[{"input_per_million": 0, "output_per_million": 0}],
    )
    options: dict[str, object] = Field(
        default={}, description="settings of its protocol alone", examples=[{"omit": ["temperature"]}]
    )

    headers: Annotated[dict[str, Any], _passing(network.headers_problem)] | None = Field(
        default=None,
        description="headers of its own, sent with every call; `${NAME}` in a value is an environment variable. Values "
        "are never shown. Refused with another type than `http`",
        examples=[{"X-Team": "${TEAM_TOKEN}"}],
    )
    proxy: Annotated[str, Field(max_length=500), _passing(network.proxy_problem)] | None = Field(
        default=None,
        description="the proxy through which it is called: `http`, `https` or `socks5`, a password as `${NAME}` of an "
        "environment variable. Refused with another type than `http`",
        examples=["http://me:${PROXY_PASSWORD}@proxy.example.org:3128"],
    )
    ca_file: Annotated[str, Field(max_length=500), AfterValidator(_certificates)] | None = Field(
        default=None,
        description="a file with the certificates (PEM) that its own is checked against, in place of the usual "
        "ones. Refused with another type than `http`",
        examples=["/etc/ssl/company-ca.pem"],
    )

    @field_validator("api", "base_url", "command", "api_key_env", "api_key", "headers", "proxy", "ca_file")
    @classmethod
    def _belongs_to_the_type(cls, value: object, info: ValidationInfo) -> object:
        service_type = info.data.get("type")
        if service_type is None:  # is wrong itself, and reported
            return value
        given = value is not None
        if problem := validation.belonging_problem(service_type, info.field_name or "", given=given):
            raise _wrong(problem)
        return value

    @field_validator("health")
    @classmethod
    def _has_a_server_to_check(cls, health: HealthEntry | None, info: ValidationInfo) -> HealthEntry | None:
        service_type, path = info.data.get("type"), health.path if health else ""
        if service_type is not None and (problem := validation.health_path_problem(service_type, path)):
            raise _wrong(f"has a path, which {problem}")
        return health

    @field_validator("options")
    @classmethod
    def _are_known_to_the_adapter(cls, options: dict[str, object], info: ValidationInfo) -> dict[str, object]:
        service_type = info.data.get("type")
        kind = info.data.get("api") if service_type is Service.Type.HTTP else service_type
        if kind is not None and (problem := validation.options_problem(kind.value, options)):
            raise _wrong(problem)
        return options


class RuleEntry(_Entry):
    id: RuleId = Field(description="its name, once in the file", examples=["rule-1"])
    task_type: TaskTypeName = Field(description="the type of task that it is for", examples=["code_generation"])
    service: RoutedService = Field(
        description="who is asked: a service of this file, and none of `type: builtin`", examples=["openrouter"]
    )
    model: ModelName = Field(
        default="", description="which model; empty: the service's own", examples=["anthropic/claude-sonnet-5.5"]
    )
    priority: int = Field(default=100, ge=0, le=_INTEGER_MAX, description="the lowest is asked first", examples=[1])
    weight: int = Field(
        default=1, ge=0, le=_INTEGER_MAX, description="the share of the load among rules of one priority", examples=[3]
    )
    enabled: bool = Field(default=True, description="whether it counts", examples=[False])
    note: str = Field(default="", max_length=500, description="for people", examples=["cheaper at night"])


class RoutingEntry(_Entry):
    rules: list[RuleEntry] = Field(default=[], description="who does which type of task: see below")
    default: list[Annotated[RoutedService, AfterValidator(_unlisted)]] = Field(
        default=[],
        description="the order in which services are asked for everything that no rule covers",
        examples=[["ollama_local", "openrouter"]],
    )


class RateLimits(_Entry):
    anonymous: Rate = Field(
        default="100/m",
        description="requests of an address a second (`s`), minute (`m`), hour (`h`) or day (`d`); `0`: no limit",
        examples=["20/s"],
    )
    authenticated: Rate = Field(
        default="1000/m", description="the same for each user and each key", examples=["5000/h"]
    )


class SecurityEntry(_Entry):
    """Each of these can also be set in the environment, which wins; but for `cors_origins`."""

    auth_enabled: bool = Field(default=False, description="whether callers must say who they are", examples=[True])
    rate_limits: RateLimits = Field(default=RateLimits(), description="how often one may call: see below")
    allowed_hosts: list[Annotated[str, AfterValidator(_host)]] = Field(
        default=["localhost", "127.0.0.1"],
        description="the host names under which Oxide is addressed; `.example.org` is a domain with all below it, "
        "`*` any name. `localhost`, `127.0.0.1` and `[::1]` always count",
        examples=[["oxide.example.org"]],
    )
    cors_origins: list[Annotated[str, AfterValidator(_origin)]] = Field(
        default=[], description="web pages elsewhere that may call Oxide", examples=[["https://app.example.org"]]
    )


class Declaration(_Entry):
    """A whole configuration file."""

    services: dict[Name, ServiceEntry] = Field(description="who can be asked, by name")
    routing: RoutingEntry = Field(default=RoutingEntry(), description="who is asked for what")
    security: SecurityEntry = Field(default=SecurityEntry(), description="who may call, how often, from where")

    @classmethod
    def checked(cls, content: Mapping[str, object]) -> Self:
        """Check everything, references between the parts included. Raises pydantic's ValidationError."""
        services = content.get("services")
        if not isinstance(services, Mapping):
            return cls.model_validate(content, context=_Context(None, frozenset()))
        builtin = frozenset(name for name, entry in services.items() if _is_builtin(entry))
        return cls.model_validate(content, context=_Context(frozenset(services), builtin))


def _is_builtin(entry: object) -> bool:
    return isinstance(entry, Mapping) and entry.get("type") == Service.Type.BUILTIN.value
