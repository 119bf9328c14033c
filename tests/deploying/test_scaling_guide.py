"""What docs/deploying/scaling.md says, with a PostgreSQL and a Redis of the test's own."""

from __future__ import annotations

import re
import shlex

import psutil
import pytest

from tests import canary
from tests.docs.pages import DOCS
from tests.documents import blocks_of
from tests.live import LiveOxide
from tests.servers import Postgres, Redis

SECRET_KEY = canary.secret("secret key of several", start="0123456789", end="abcdef")
(SERVE,) = blocks_of(DOCS / "deploying" / "scaling.md")


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_as_many_workers_serve_as_it_says(live: LiveOxide) -> None:
    *exports, serve = SERVE.code.splitlines()
    named = dict(re.findall(r"(\w+)=(\S+)", "\n".join(exports)))
    python, script, command, *arguments = shlex.split(serve)
    assert (python, script, command) == ("python", "manage.py", "serve")
    workers = int(arguments[arguments.index("--workers") + 1])
    with Postgres() as postgres, Redis() as redis, postgres.database("oxide") as url:
        own = {"DATABASE_URL": url, "REDIS_URL": redis.url, "OXIDE_SECRET_KEY": SECRET_KEY}
        assert named.keys() == own.keys()
        assert all(value.split(":")[0] == own[name].split(":")[0] for name, value in named.items() if "URL" in name)
        live.environment |= own
        live.start(*(word.replace("0.0.0.0", "127.0.0.1") for word in arguments))
        assert live.get("/ready").status_code == 200
        assert len(psutil.Process(live.process.pid).children()) == workers
        assert live.stop() == 0
