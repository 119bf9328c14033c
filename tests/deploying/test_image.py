"""The image of the Dockerfile, made and run as far as that goes without a container engine."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import tomllib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests import canary
from tests.deploying import compose
from tests.deploying import image as images
from tests.deploying.container import Container
from tests.deploying.image import Image
from tests.live import ROOT
from tests.programs import program
from tests.servers import PASSWORD, Postgres, Redis

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("image")]

SECRET_KEY = canary.secret("secret key of an image", start="0123456789", end="abcdef")
REDIS_PASSWORD = canary.secret("password of Redis")


def test_it_runs_as_a_user_of_its_own_and_the_data_are_nobody_elses(image: Image) -> None:
    assert image.run(["id", "--user"]).stdout.strip() == "10001"
    assert image.run(["stat", "--format=%a %U", "/data"]).stdout.strip() == "700 oxide"


def test_it_has_its_own_python_and_packages_and_nothing_to_test_with(image: Image) -> None:
    assert image.run(["python", "-c", "import sys; print(sys.prefix)"]).stdout.strip() == "/opt/oxide"
    assert image.run(["python", "-c", "import pytest"], check=False).returncode != 0
    assert image.run(["python", "manage.py", "check"]).stdout.startswith("System check identified no issues")


def test_it_serves_from_a_read_only_root_is_healthy_and_ends_when_told(container: Container) -> None:
    assert not container.is_healthy()
    container.start(container.image.command, {})
    assert container.is_healthy()
    answer = requests.post(
        f"{container.url}/api/tasks/execute/", json={"prompt": "Hello", "service": "echo"}, timeout=30
    )
    assert (answer.status_code, answer.json()["result"]) == (200, "Hello")
    page = requests.get(container.url, timeout=30)
    style = re.search(r'href="(/static/[^"]+\.css)"', page.text)
    assert style
    assert requests.get(container.url + style[1], timeout=30).status_code == 200
    data = container.image.root / "data"
    assert {"oxide.sqlite3", "secret.key"} <= {path.name for path in data.iterdir()}
    assert stat.S_IMODE((data / "secret.key").stat().st_mode) == 0o600
    assert container.stop() == 0


def test_it_serves_as_compose_says_with_workers_postgres_and_redis(container: Container) -> None:
    own = {"POSTGRES_PASSWORD": quote(PASSWORD, safe=""), "REDIS_PASSWORD": REDIS_PASSWORD}
    given = {"OXIDE_SECRET_KEY": SECRET_KEY, **own}
    services = compose.interpolated(given)["services"]
    oxide = services["oxide"]
    with Postgres() as postgres, Redis(REDIS_PASSWORD) as redis, postgres.database("oxide") as url:
        check(services["postgres"], {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.port)})
        check(services["redis"], services["redis"]["environment"], "-p", str(redis.port))
        environment = oxide["environment"]
        assert environment["DATABASE_URL"] == url.replace(f"127.0.0.1:{postgres.port}", "postgres:5432")
        assert environment["REDIS_URL"] == redis.url.replace(f"127.0.0.1:{redis.port}", "redis:6379")
        container.start(oxide["command"], {**environment, "DATABASE_URL": url, "REDIS_URL": redis.url})
        assert container.is_healthy()
        assert requests.get(f"{container.url}/ready", timeout=30).status_code == 200
        assert requests.get(f"{container.url}/api/services/", timeout=30).status_code == 401
        assert container.stop() == 0


# What is seen without running anything


def test_nothing_that_is_private_or_of_no_use_goes_into_it() -> None:
    tops = {name.partition("/")[0] for name in images.context()}
    parts = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks"}
    assert tops == {"LICENSE", "manage.py", "pyproject.toml", "requirements.lock", "templates", *parts}
    for name in (".env", ".git/config", "var/secret.key", "config/.default.yaml.new", "tasks/__pycache__/a.pyc"):
        assert images.ignored(name)


def test_its_python_is_one_that_the_project_is_for() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (base,) = {rest.partition(" ")[0] for word, rest in images.instructions() if word == "FROM"}
    assert base == f"python:{wanted.removeprefix('>=')}-slim-bookworm"


def test_its_commands_are_lists_so_that_signals_arrive() -> None:
    written = dict(images.instructions())
    assert json.loads(written["CMD"])[:3] == ["python", "manage.py", "serve"]
    assert json.loads(written["HEALTHCHECK"].partition("CMD ")[2])[0] == "python"


def check(service: Mapping[str, Any], environment: Mapping[str, str], *more: str) -> None:
    """A health check of a server beside Oxide holds, as it is written, for a real one."""
    kind, name, *arguments = service["healthcheck"]["test"]
    assert kind == "CMD"
    subprocess.run(
        [program(name), *more, *arguments], env=dict(environment), check=True, capture_output=True, timeout=30
    )
