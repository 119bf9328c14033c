"""compose.yaml is one that Compose takes, and says what docs/deploying/container.md says of it."""

from __future__ import annotations

import re

import pytest
import yaml
from compose_spec import PyCompose

from oxide_project import settings, variables
from tests.deploying import compose
from tests.live import ROOT

EXAMPLE = (ROOT / "deploy" / "compose.env.example").read_text()
SECRETS = {
    "OXIDE_SECRET_KEY": "a-secret-of-at-least-32-characters",
    "POSTGRES_PASSWORD": "another",
    "REDIS_PASSWORD": "a-third",
}
KNOWN = {variable.name for group in variables.GROUPS.values() for variable in group}


def test_it_is_valid_by_the_compose_specification() -> None:
    parsed = PyCompose.from_yaml(yaml.safe_dump(compose.interpolated(SECRETS)))
    parsed.validate()
    assert set(parsed.service_names()) == {"oxide", "postgres", "redis"}


def test_the_parser_would_tell_a_mistake() -> None:
    content = compose.interpolated(SECRETS)
    content["services"]["redis"]["restrat"] = content["services"]["redis"].pop("restart")
    with pytest.raises(ValueError, match="restrat"):
        PyCompose.from_yaml(yaml.safe_dump(content))


@pytest.mark.parametrize("name", SECRETS)
def test_it_does_not_start_without_its_secrets(name: str) -> None:
    with pytest.raises(ValueError, match=rf"Set {name} in \.env"):
        compose.interpolated({**SECRETS, name: ""})


def test_the_example_names_what_it_asks_for_and_holds_no_secret() -> None:
    named = dict(re.findall(r"^#? ?([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE))
    assert set(named) <= compose.variables()
    assert all(named[name] == "" for name in SECRETS)


def test_oxide_knows_every_variable_that_it_is_given() -> None:
    given = compose.interpolated(SECRETS)["services"]["oxide"]["environment"]
    config = settings.CONFIG_FILE.read_text()
    assert {name for name in given if name not in KNOWN and f"api_key_env: {name}" not in config} == set()


def test_only_this_machine_reaches_it_and_it_asks_who_calls() -> None:
    services = compose.interpolated(SECRETS)["services"]
    assert services["oxide"]["ports"] == ["127.0.0.1:8000:8000"]
    assert [name for name, service in services.items() if "ports" in service] == ["oxide"]
    assert services["oxide"]["environment"]["OXIDE_AUTH_ENABLED"] == "true"


def test_each_starts_again_and_has_time_to_end() -> None:
    services = compose.interpolated(SECRETS)["services"]
    assert {service["restart"] for service in services.values()} == {"unless-stopped"}
    grace = int(services["oxide"]["stop_grace_period"].removesuffix("s"))
    assert grace >= settings.DRAIN_SECONDS + 10


def test_redis_asks_for_the_password_that_oxide_has() -> None:
    services = compose.interpolated(SECRETS)["services"]
    assert services["oxide"]["environment"]["REDIS_URL"] == "redis://:a-third@redis:6379/0"
    assert services["redis"]["command"][-2:] == ["--requirepass", "a-third"]
    assert services["redis"]["environment"] == {"REDISCLI_AUTH": "a-third"}
