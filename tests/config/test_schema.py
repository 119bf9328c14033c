from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import CharField, Model
from pydantic import ValidationError

from config.problems import worded
from config.schema import Declaration, HealthEntry, RuleEntry, ServiceEntry
from routing.models import RoutingRule
from services.models import Service
from tests.authority import make_authority

HTTP = {"type": "http", "api": "openai", "base_url": "http://localhost:1234/v1"}


def declaration(**service: object) -> Declaration:
    return Declaration.checked({"services": {"one": {**HTTP, **service}}})


def problems(content: dict[str, object]) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(ValidationError) as caught:
        Declaration.checked(content)
    return dict(worded(caught.value))


def service_problem(field: str, /, **service: object) -> str:
    found = problems({"services": {"one": service}})
    assert list(found) == [("services", "one", field)]
    return found["services", "one", field]


@pytest.mark.parametrize("name", ["a", "ollama_local", "my-gpu.2", "7b", "x" * 50])
def test_possible_names(name: str) -> None:
    assert name in Declaration.checked({"services": {name: {"type": "builtin"}}}).services


@pytest.mark.parametrize("name", ["", " a", "a b", "a/b", "a:b", "-a", ".a", "é", "a\n", "x" * 51])
def test_impossible_names(name: str) -> None:
    assert list(problems({"services": {name: {"type": "builtin"}}})) == [("services", name)]


@pytest.mark.parametrize("field", ["api", "base_url"])
def test_an_http_service_needs_an_api_and_a_base_url(field: str) -> None:
    rest = {name: value for name, value in HTTP.items() if name != field}
    assert "is missing" in service_problem(field, **rest)


def test_a_program_needs_a_command() -> None:
    assert "is missing" in service_problem("command", type="cli")


@pytest.mark.parametrize("command", [[], [""], [" ", "-m"]])
def test_a_command_names_a_program(command: list[str]) -> None:
    assert "must begin with the program" in service_problem("command", type="cli", command=command)


def test_a_command_is_a_list_not_a_line_for_a_shell() -> None:
    assert service_problem("command", type="cli", command="llm -m x") == "must be a list"


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("headers", {"Host": "a.example"}, "must not hold Host"),
        ("headers", {"X-Team": "${OXIDE_SECRET_KEY}"}, "must not refer to OXIDE_SECRET_KEY"),
        ("proxy", "proxy.example", "must start with one of http, https"),
        ("proxy", "http://me:hunter22@proxy.example:3128", "must not hold a password"),
        ("ca_file", "/nowhere/ca.pem", "cannot be read"),
        ("ca_file", __file__, "PEM"),
    ],
)
def test_network_settings_are_checked(field: str, value: object, problem: str) -> None:
    found = service_problem(field, **{**HTTP, field: value})
    assert problem in found
    assert "hunter22" not in found


def test_network_settings_belong_to_a_server(tmp_path: Path) -> None:
    authority, _ = make_authority(tmp_path)
    given = {"headers": {"X-Team": "${TEAM}"}, "proxy": "socks5://127.0.0.1:1080", "ca_file": str(authority)}
    service = declaration(**given).services["one"]
    assert (service.headers, service.proxy, service.ca_file) == tuple(given.values())
    for field, value in given.items():
        assert "does not belong" in service_problem(field, type="cli", command=["a"], **{field: value})


@pytest.mark.parametrize("field", ["api", "base_url", "command", "api_key_env", "api_key"])
def test_a_builtin_service_is_reached_without_any_of_it(field: str) -> None:
    values = {"api": "openai", "base_url": "http://a.example", "command": ["llm"], "api_key_env": "K", "api_key": "k"}
    assert "does not belong" in service_problem(field, type="builtin", **{field: values[field]})


def test_a_program_has_no_base_url() -> None:
    assert "does not belong" in service_problem("base_url", type="cli", command=["a"], base_url="http://a.example")


def test_an_http_service_has_no_command() -> None:
    assert "does not belong" in service_problem("command", **HTTP, command=["a"])


def test_an_unknown_type() -> None:
    assert service_problem("type", type="grpc") == "must be 'http', 'cli' or 'builtin' (got 'grpc')"


def test_a_service_without_a_type() -> None:
    assert service_problem("type", api="openai", base_url="http://a.example") == "is missing: add it"


def test_an_unknown_field() -> None:
    assert "not a known field" in service_problem("timeout", **HTTP, timeout=3)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:11434",
        "https://openrouter.ai/api/v1",
        "http://[::1]:8080/",
        "http://192.168.1.5",
        "HTTPS://API.example/v1",
        "https://a.example/openai/v1?api-version=2024-10-21",
        "http://localhost/v1?",
    ],
)
def test_possible_base_urls(url: str) -> None:
    assert declaration(base_url=url).services["one"].base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:11434",
        "//localhost",
        "ftp://localhost",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://:8080",
        "http://localhost:99999",
        "http://localhost:port",
        "http://[::1",
        "http://user@localhost",
        "http://user:secret@localhost",
        "http://local host",
        "http://localhost/#top",
        "http://localhost/v1?a=b#top",
        "http://localhost/v1?key=abc",
        "http://localhost/v1?a=b&api-key=abc",
        "http://localhost/v1?access_token=abc",
        "http://localhost/v1?a= b",
        "http://localhost/" + "x" * 500,
    ],
)
def test_impossible_base_urls(url: str) -> None:
    assert service_problem("base_url", **{**HTTP, "base_url": url})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("enabled", "true"),
        ("enabled", 1),
        ("enabled", None),
        ("model", 4),
        ("model", None),
        ("model", "x" * 201),
        ("max_concurrency", "12"),
        ("max_concurrency", 0),
        ("max_concurrency", 1.5),
        ("max_concurrency", True),
        ("max_concurrency", 10**12),
        ("max_retries", -1),
        ("max_retries", 11),
        ("timeout_seconds", "30"),
        ("timeout_seconds", 0),
        ("timeout_seconds", 0.09),
        ("timeout_seconds", 86_401),
        ("timeout_seconds", False),
        ("models", "llama2"),
        ("capabilities", "chat"),
        ("api_key_env", "sk-or-v1-0123"),
        ("options", ["a"]),
        ("price", 3),
        ("health", "/health"),
    ],
)
def test_wrong_values(field: str, value: object) -> None:
    assert service_problem(field, **{**HTTP, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "http://elsewhere.example/health"),
        ("path", "//elsewhere.example/health"),
        ("path", "/two words"),
        ("path", "/health#part"),
        ("path", "/" + "x" * 200),
        ("method", "DELETE"),
        ("interval", 0.5),
        ("interval", 90_000),
        ("enabled", "no"),
        ("url", "/health"),
    ],
)
def test_wrong_settings_of_health_checks(field: str, value: object) -> None:
    found = problems({"services": {"one": {**HTTP, "health": {field: value}}}})
    assert list(found) == [("services", "one", "health", field)]


def test_only_a_server_has_a_path_to_check() -> None:
    tool = {"type": "cli", "command": ["llm"]}
    assert "does not belong" in service_problem("health", **tool, health={"path": "/health"})
    assert declaration(**HTTP, health={"interval": 5}).services["one"].health == HealthEntry(interval=5)


@pytest.mark.parametrize("seconds", [0.1, 1, 86_400])
def test_a_timeout_may_be_a_whole_number_too(seconds: float) -> None:
    assert declaration(timeout_seconds=seconds).services["one"].timeout_seconds == seconds


def test_capabilities_are_task_types() -> None:
    found = problems({"services": {"one": {**HTTP, "capabilities": ["chat", "coding"]}}})
    assert list(found) == [("services", "one", "capabilities", 1)]


def test_a_price_is_exact() -> None:
    price = declaration(price={"input_per_million": 0.15, "output_per_million": 3}).services["one"].price
    assert price is not None
    assert (price.input_per_million, price.output_per_million) == (Decimal("0.15"), Decimal(3))


@pytest.mark.parametrize("value", [-1, -0.01, "3", True, None, 1_000_000, 0.0000001])
def test_impossible_prices(value: object) -> None:
    found = problems({"services": {"one": {**HTTP, "price": {"input_per_million": value, "output_per_million": 0}}}})
    assert list(found) == [("services", "one", "price", "input_per_million")]


def test_cached_tokens_and_thinking_may_have_prices_of_their_own() -> None:
    price = declaration(price={"input_per_million": 3, "output_per_million": 15, "cached_input_per_million": 0.3})
    found = price.services["one"].price
    assert found is not None
    assert (found.cached_input_per_million, found.reasoning_per_million) == (Decimal("0.3"), None)


def test_a_price_has_two_sides() -> None:
    found = problems({"services": {"one": {**HTTP, "price": {"input_per_million": 1}}}})
    assert found == {("services", "one", "price", "output_per_million"): "is missing: add it"}


def test_an_option_that_the_adapter_does_not_know() -> None:
    message = service_problem("options", type="builtin", options={"colour": "red"})
    assert message.startswith("builtin does not know colour: ")


@pytest.mark.parametrize("value", ["2", True, None, [2]])
def test_an_option_of_another_kind_than_its_default(value: object) -> None:
    assert "delay_seconds must be" in service_problem("options", type="builtin", options={"delay_seconds": value})


@pytest.mark.parametrize("value", [2, 0.5])
def test_an_option_of_the_kind_of_its_default(value: float) -> None:
    content = {"services": {"one": {"type": "builtin", "options": {"delay_seconds": value}}}}
    assert Declaration.checked(content).services["one"].options == {"delay_seconds": value}


def test_an_option_that_has_no_default_may_be_anything() -> None:
    ollama = {"type": "http", "api": "ollama", "base_url": "http://localhost:11434"}
    content = {"services": {"one": {**ollama, "options": {"keep_alive": "5m"}}}}
    assert Declaration.checked(content).services["one"].options == {"keep_alive": "5m"}


def rule(**values: object) -> dict[str, object]:
    return {"id": "rule-1", "task_type": "chat", "service": "one", **values}


def routing_problems(routing: dict[str, object]) -> dict[tuple[str | int, ...], str]:
    return problems({"services": {"one": HTTP}, "routing": routing})


def test_a_rule_names_a_service_of_the_file() -> None:
    found = routing_problems({"rules": [rule(service="two")]})
    assert list(found) == [("routing", "rules", 0, "service")]


def test_the_default_order_names_services_of_the_file_and_each_once() -> None:
    found = routing_problems({"default": ["one", "two", "one"]})
    assert list(found) == [("routing", "default", 1), ("routing", "default", 2)]


@pytest.mark.parametrize(
    ("routing", "place"),
    [
        ({"rules": [rule(), rule(id="rule-2", service="echo")]}, ("routing", "rules", 1, "service")),
        ({"default": ["one", "echo"]}, ("routing", "default", 1)),
    ],
)
def test_a_builtin_service_is_never_one_that_is_chosen(
    routing: dict[str, object], place: tuple[str | int, ...]
) -> None:
    found = problems({"services": {"one": HTTP, "echo": {"type": "builtin"}}, "routing": routing})
    assert list(found) == [place]
    assert "'echo' is of type builtin and answers only when a task names it" in found[place]


def test_two_rules_with_one_id() -> None:
    found = routing_problems({"rules": [rule(), rule(task_type="analysis")]})
    assert list(found) == [("routing", "rules", 1, "id")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "a b"),
        ("id", "x" * 51),
        ("id", 1),
        ("task_type", "coding"),
        ("priority", -1),
        ("priority", "1"),
        ("priority", 10**12),
        ("weight", -1),
        ("enabled", "on"),
        ("note", "x" * 501),
    ],
)
def test_wrong_rules(field: str, value: object) -> None:
    assert list(routing_problems({"rules": [rule(**{field: value})]})) == [("routing", "rules", 0, field)]


@pytest.mark.parametrize("field", ["id", "task_type", "service"])
def test_a_rule_has_an_id_a_task_type_and_a_service(field: str) -> None:
    rest = {name: value for name, value in rule().items() if name != field}
    assert routing_problems({"rules": [rest]}) == {("routing", "rules", 0, field): "is missing: add it"}


def security_problems(**security: object) -> dict[tuple[str | int, ...], str]:
    return problems({"services": {}, "security": security})


@pytest.mark.parametrize(("rate", "kept"), [("100/m", "100/m"), ("5/s", "5/s"), ("0", "0"), (0, "0")])
def test_possible_rates(rate: str | int, kept: str) -> None:
    content = {"services": {}, "security": {"rate_limits": {"anonymous": rate}}}
    assert Declaration.checked(content).security.rate_limits.anonymous == kept


@pytest.mark.parametrize(
    "rate", ["100", "0/m", "-1/m", "1.5/m", "100/w", "many", "100/m\n", "", 100, True, False, None]
)
def test_impossible_rates(rate: object) -> None:
    assert list(security_problems(rate_limits={"anonymous": rate})) == [("security", "rate_limits", "anonymous")]


@pytest.mark.parametrize("value", [True, False])
def test_identity_is_on_or_off(value: bool) -> None:
    assert Declaration.checked({"services": {}, "security": {"auth_enabled": value}}).security.auth_enabled is value


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_anything_else_about_identity_is_refused(value: object) -> None:
    assert list(security_problems(auth_enabled=value)) == [("security", "auth_enabled")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", ".example.org", "oxide.example.org", "*"])
def test_possible_hosts(host: str) -> None:
    assert Declaration.checked({"services": {}, "security": {"allowed_hosts": [host]}}).security.allowed_hosts == [host]


@pytest.mark.parametrize("host", ["", "http://localhost", "localhost:8000", "a b", "a/b"])
def test_impossible_hosts(host: str) -> None:
    assert list(security_problems(allowed_hosts=[host])) == [("security", "allowed_hosts", 0)]


@pytest.mark.parametrize("origin", ["https://app.example.org", "http://localhost:3000"])
def test_possible_origins(origin: str) -> None:
    content = {"services": {}, "security": {"cors_origins": [origin]}}
    assert Declaration.checked(content).security.cors_origins == [origin]


@pytest.mark.parametrize(
    "origin", ["*", "app.example.org", "https://app.example.org/", "https://app.example.org/x", ""]
)
def test_impossible_origins(origin: str) -> None:
    assert list(security_problems(cors_origins=[origin])) == [("security", "cors_origins", 0)]


def test_services_are_the_one_section_that_must_be_there() -> None:
    assert problems({}) == {("services",): "is missing: add it"}
    assert Declaration.checked({"services": {}}).routing.rules == []


def test_the_defaults_are_those_of_the_columns() -> None:
    service, rule_row = Service(), RoutingRule()
    columns = {"models": "allowed_models", "price": "price"}
    for name, field in ServiceEntry.model_fields.items():
        if name in {"type", "api", "base_url", "command", "api_key_env", "api_key"}:
            continue
        if name in {"headers", "proxy", "ca_file", "health"}:
            continue
        assert field.get_default() == getattr(service, columns.get(name, name)), name
    for name, field in HealthEntry.model_fields.items():
        assert field.get_default() == getattr(service, f"health_{name}"), name
    for name in ("model", "priority", "weight", "enabled", "note"):
        assert RuleEntry.model_fields[name].get_default() == getattr(rule_row, name), name


def width(model: type[Model], name: str) -> int:
    """How many characters the column takes."""
    column = model._meta.get_field(name)
    assert isinstance(column, CharField)
    assert column.max_length is not None
    return column.max_length


@pytest.mark.parametrize("field", ["base_url", "model", "api_key_env"])
def test_text_that_just_fits_the_column_of_a_service_is_taken(field: str) -> None:
    start = "http://a.example/" if field == "base_url" else ""
    text = start.ljust(width(Service, field), "x")
    assert getattr(declaration(**{field: text}).services["one"], field) == text
    assert "at most" in service_problem(field, **{**HTTP, field: text + "x"})


@pytest.mark.parametrize("field", ["id", "model", "note"])
def test_text_that_just_fits_the_column_of_a_rule_is_taken(field: str) -> None:
    text = "x" * width(RoutingRule, field)
    content = {"services": {"one": HTTP}, "routing": {"rules": [rule(**{field: text})]}}
    assert getattr(Declaration.checked(content).routing.rules[0], field) == text
    assert "at most" in routing_problems({"rules": [rule(**{field: text + "x"})]})["routing", "rules", 0, field]
