"""A real PostgreSQL and a real Redis, each in a folder of its own on a free loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests import canary
from tests.live import free_port
from tests.programs import program
from tests.waiting import wait_until
from tests.watch import watch

PASSWORD = canary.secret("password of the database", start="p@ss:w/rd%")


class Server:
    """One process, started and ended by its own id; `restart` keeps its port and what it has stored."""

    name = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"oxide-{self.name}-"))
        self.output = self.folder / "output.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self) -> None:
        """What is done once, before the first start."""

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(self.command(), stdout=output, stderr=output, **self.surroundings())
        wait_until(self.answers)

    def stop(self, number: int = signal.SIGINT) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)

    def restart(self) -> None:
        self.stop()
        self.start()

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def surroundings(self) -> dict[str, Any]:
        return {"cwd": self.folder}

    def answers(self) -> bool:
        raise NotImplementedError


class Postgres(Server):
    """SIGINT is its fast shutdown: it breaks the connections that are open, as a restart does.

    https://www.postgresql.org/docs/current/server-shutdown.html
    """

    name = "postgres"

    def prepare(self) -> None:
        shutil.chown(self.folder, *self._account)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        shutil.chown(password, *self._account)
        who = ["--username", "oxide", "--pwfile", "password", "--auth", "scram-sha-256"]
        what = ["--pgdata", "data", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        initdb = [_postgres_program("initdb"), *who, *what]
        subprocess.run(initdb, check=True, capture_output=True, **self.surroundings())

    def command(self) -> Sequence[str]:
        # Durable enough for a test, which kills no machine.
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        return [
            _postgres_program("postgres"),
            "-D",
            "data",
            *(word for setting in settings for word in ("-c", setting)),
        ]

    def surroundings(self) -> dict[str, Any]:
        user, group = self._account
        as_other = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
        return {"cwd": self.folder, **as_other}

    def answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.url(name), autocommit=True, connect_timeout=5)

    def url(self, name: str, password: str = PASSWORD) -> str:
        return f"postgres://oxide:{quote(password, safe='')}@127.0.0.1:{self.port}/{name}"

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The address of a new, empty database."""
        identifier = sql.Identifier(name)
        with self.connect("postgres") as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        try:
            yield self.url(name)
        finally:
            self.search(name)
            with self.connect("postgres") as server:
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))

    def search(self, name: str) -> None:
        """What a database holds when it is done with may hold no secret: each row of each table, as text."""
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        with self.connect(name) as database:
            for (table,) in database.execute(tables).fetchall():
                rows = sql.SQL("SELECT row::text FROM {} AS row").format(sql.Identifier(table))
                content = "\n".join(str(row) for (row,) in database.execute(rows))
                watch.note(f"PostgreSQL's {table}", content)

    @property
    def _account(self) -> tuple[int, int]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            account = pwd.getpwnam("nobody")
        return account.pw_uid, account.pw_gid


class Redis(Server):
    name = "redis"

    def __init__(self, password: str = "") -> None:
        super().__init__()
        self.password = password

    def command(self) -> Sequence[str]:
        own = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        asking = ["--requirepass", self.password] if self.password else []
        return [program("redis-server"), *own, "--save", "", "--appendonly", "no", *asking]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    @property
    def url(self) -> str:
        credentials = f":{self.password}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"


def _postgres_program(name: str) -> str:
    # Debian and its kin keep all but the clients off the PATH. The newest first.
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
    return program(name, *map(str, places))
