"""A wrong value of any setting ends the start soon, with one line that names it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import LiveOxide


@pytest.fixture
def oxide(tmp_path: Path) -> Iterator[LiveOxide]:
    live = LiveOxide(tmp_path)
    live.environment["OXIDE_LOG_LEVEL"] = "INFO"  # what it says in one line is looked at here
    live.write_config()
    yield live
    live.kill()


def refused(oxide: LiveOxide, *arguments: str) -> str:
    """The one line that the start ends with."""
    told = oxide.run("serve", "--port", "0", *arguments, check=False)
    assert told.returncode not in (0, None)
    assert "listens on" not in told.stdout
    (line,) = told.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OXIDE_DATA_DIR", "/proc/oxide"),
        ("OXIDE_DATA_DIR", "/dev/null"),
        ("OXIDE_CONFIG", "/nowhere/oxide.yaml"),
        ("OXIDE_CONFIG", "/dev/null"),
        ("OXIDE_CONFIG", "~nosuchuser/oxide.yaml"),
        ("OXIDE_AUTH_ENABLED", "maybe"),
        ("OXIDE_SECRET_KEY", "short"),
        ("OXIDE_SECRET_KEY", "a" * 64),
        ("OXIDE_THREADS", "abc"),
        ("OXIDE_THREADS", "0"),
        ("OXIDE_THREADS", "-5"),
        ("OXIDE_THREADS", "1000000"),
        ("OXIDE_LOG_LEVEL", "LOUD"),
        ("OXIDE_MAX_BODY_MB", "0"),
        ("OXIDE_MAX_BODY_MB", "a lot"),
        ("OXIDE_MAX_REPLY_MB", "1.5"),
        ("OXIDE_TASK_TIMEOUT", "forever"),
        ("OXIDE_HEALTH_SECONDS", "0"),
        ("OXIDE_HEALTH_SECONDS", "3601"),
        ("OXIDE_DRAIN_SECONDS", "-1"),
        ("OXIDE_KEY_STORE", "post-it"),
        ("OXIDE_RATE_LIMIT_ANON", "often"),
        ("OXIDE_RATE_LIMIT_USER", "-1/m"),
        ("OXIDE_ALLOWED_HOSTS", "http://oxide.example.org/"),
        ("OXIDE_DB_POOL", "1"),
        ("DATABASE_URL", "mysql://somewhere/oxide"),
        ("DATABASE_URL", "nonsense"),
        ("REDIS_URL", "http://somewhere"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(oxide: LiveOxide, name: str, value: str) -> None:
    oxide.environment[name] = value
    line = refused(oxide)
    assert name in line or (name == "OXIDE_CONFIG" and value in line)


def test_a_secret_is_not_shown_when_it_is_refused(oxide: LiveOxide) -> None:
    oxide.environment["OXIDE_SECRET_KEY"] = "hunter2"
    assert "hunter2" not in refused(oxide)


def test_a_configuration_file_that_is_wrong_is_told_with_line_and_field(oxide: LiveOxide) -> None:
    (oxide.folder / "oxide.yaml").write_text("services:\n  echo: {type: builtin, enabled: 1}\n")
    assert "oxide.yaml, line 2, services.echo.enabled: must be true or false" in refused(oxide)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--port", "99999"), "99999"),
        (("--port", "-1"), "-1"),
        (("--host", "nonsense.invalid"), "nonsense.invalid"),
        (("--host", "192.0.2.1"), "192.0.2.1"),
        (("--workers", "0"), "--workers"),
        (("--workers", "2"), "DATABASE_URL and REDIS_URL"),
    ],
)
def test_a_wrong_option_stops_the_start_and_is_named(oxide: LiveOxide, arguments: tuple[str, str], named: str) -> None:
    assert named in refused(oxide, *arguments)


def test_a_port_that_is_taken_stops_the_start(oxide: LiveOxide) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused(oxide, "--port", str(port))


def test_allowed_hosts_that_are_set_are_the_only_ones(oxide: LiveOxide) -> None:
    oxide.environment["OXIDE_ALLOWED_HOSTS"] = "localhost, oxide.example.org,.internal"
    oxide.start()

    def status(host: str) -> int:
        return oxide.get("/api/services/", headers={"Host": host}).status_code

    assert [status(host) for host in ("localhost", "oxide.example.org", "a.b.internal")] == [200, 200, 200]
    assert [status(host) for host in ("127.0.0.1", "evil.example", "oxide.example.org.evil")] == [400, 400, 400]
