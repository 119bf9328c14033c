"""What `manage.py check` finds."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from pytest_django import Settings

from tests.people import make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def configured(settings: Settings, tmp_path: Path) -> Callable[[str], Path]:
    """Make the configuration file say something."""

    def write(text: str) -> Path:
        settings.CONFIG_FILE = tmp_path / "oxide.yaml"
        settings.CONFIG_FILE.write_text(text)
        return tmp_path / "oxide.yaml"

    return write


def found(*, deploy: bool = False) -> list[CheckMessage]:
    return [message for message in run_checks(include_deployment_checks=deploy) if str(message.id).startswith("oxide.")]


def test_a_checkout_is_in_order() -> None:
    assert found() == []


def test_a_deployment_with_identity_and_hosts_is_in_order(settings: Settings) -> None:
    settings.AUTH_ENABLED, settings.ENVIRONMENT_HOSTS = True, ["oxide.example.org"]
    assert found(deploy=True) == []


def test_each_problem_of_the_configuration_file_is_an_error(configured: Callable[[str], Path]) -> None:
    path = configured("services:\n  echo: {type: builtin, enabled: 1}\ntypo: 1\n")
    assert [(message.id, message.msg.partition(":")[0]) for message in found()] == [
        ("oxide.E001", f"{path}, line 2, services.echo.enabled"),
        ("oxide.E001", f"{path}, line 3, typo"),
    ]
    assert all("OXIDE_CONFIG" in str(message.hint) for message in found())


def test_a_missing_configuration_file_fails_the_command(settings: Settings, tmp_path: Path) -> None:
    settings.CONFIG_FILE = tmp_path / "gone.yaml"
    with pytest.raises(SystemCheckError, match=r"oxide\.E001.*gone\.yaml: does not exist"):
        call_command("check", stdout=StringIO(), stderr=StringIO())


def test_serving_every_host_is_a_warning_for_a_deployment_alone(
    settings: Settings, configured: Callable[[str], Path]
) -> None:
    configured("services: {echo: {type: builtin}}\nsecurity: {allowed_hosts: ['*'], auth_enabled: true}\n")
    settings.ENVIRONMENT_HOSTS = []
    assert found() == []
    (warning,) = found(deploy=True)
    assert (warning.id, "OXIDE_ALLOWED_HOSTS=" in str(warning.hint)) == ("oxide.W001", True)
    settings.ENVIRONMENT_HOSTS = ["localhost"]  # wins over the file
    assert found(deploy=True) == []
    settings.ENVIRONMENT_HOSTS = ["localhost", "*"]
    assert [message.id for message in found(deploy=True)] == ["oxide.W001"]


def test_a_deployment_without_identity_is_a_warning(settings: Settings, configured: Callable[[str], Path]) -> None:
    configured("services: {echo: {type: builtin}}\n")
    (warning,) = found(deploy=True)
    assert (warning.id, "OXIDE_AUTH_ENABLED=true" in str(warning.hint)) == ("oxide.W002", True)
    configured("services: {echo: {type: builtin}}\nsecurity: {auth_enabled: true}\n")
    assert found(deploy=True) == []
    settings.AUTH_ENABLED = False  # wins over the file
    assert [message.id for message in found(deploy=True)] == ["oxide.W002"]


def test_keys_without_an_owner_are_a_warning(settings: Settings) -> None:
    settings.AUTH_ENABLED, settings.ENVIRONMENT_HOSTS = True, ["oxide.example.org"]
    make_key("adopted")
    make_key("nightly", owner=None)
    make_key("forgotten", owner=None)
    make_key("switched off", owner=None, enabled=False)
    assert found() == []
    (warning,) = found(deploy=True)
    assert (warning.id, "forgotten, nightly." in warning.msg, "owner" in str(warning.hint)) == (
        "oxide.W003",
        True,
        True,
    )
    assert "switched off" not in warning.msg


def test_without_a_database_there_are_no_keys_to_warn_of(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUTH_ENABLED, settings.ENVIRONMENT_HOSTS = True, ["oxide.example.org"]
    make_key("forgotten", owner=None)
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "none.sqlite3"))
    assert found(deploy=True) == []
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE apikeys_clientkey")
    assert found(deploy=True) == []
