from __future__ import annotations

import asyncio
import faulthandler
import logging
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apikeys import policy
from config.problems import ConfigInvalidError
from monitoring import health_checks
from oxide_project import memory, processor, servers, startup
from oxide_project.loops import LOOPS, Loop, Loops
from oxide_project.workers import Tether, supervise
from services import connections, shared_health
from snapshots import snapshot
from snapshots.connections import is_embedded
from tasks import runner, running
from tasks.background import background
from tasks.recorder import recorder

logger = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Command(BaseCommand):
    help = "Serve Oxide: brings the database up to date, seeds a new one, and drains on SIGTERM."
    requires_system_checks = []  # a wrong configuration file is told by `_prepare`, in one line

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument(
            "--workers", type=int, default=1, help="processes; more than one needs DATABASE_URL and REDIS_URL"
        )
        parser.add_argument("--worker", type=int, metavar="FD", help="be one of several; used by --workers itself")

    def handle(self, *, host: str, port: int, workers: int, worker: int | None, **_: Any) -> None:
        if not host:
            raise CommandError("--host is empty: give an address to listen on, 0.0.0.0 for every one.")
        if workers < 1:
            raise CommandError("--workers must be at least 1.")
        if workers > 1 and not (settings.DATABASE_URL and settings.REDIS_URL):
            raise CommandError(
                "--workers above 1 needs DATABASE_URL and REDIS_URL: processes share their database and their "
                "counters. Set both, or leave --workers at 1."
            )
        faulthandler.enable()  # a crash in a library's native code leaves a trace in the log, not silence
        startup.raise_file_limit()
        memory.share_arenas()
        if worker is not None:
            servers.connect_to_database().close()
            _serve(lambda: startup.listen(host, port, shared=True), Tether(worker))
        elif workers == 1:
            with startup.listen(host, port, shared=False) as sock:
                self._prepare(host, several=False)
                self._introduce(host, sock.getsockname()[1])
                _serve(lambda: sock)
        else:
            with startup.reserve(host, port) as sock:
                self._prepare(host, several=True)
                startup.let_go_of_database()
                sys.exit(self._supervise(workers, host, sock.getsockname()[1]))

    def _prepare(self, host: str, *, several: bool) -> None:
        self._lock = startup.claim_data_dir()
        startup.reach_redis(needed=several)
        startup.migrate()
        try:
            changes = startup.seed()
        except ConfigInvalidError as error:
            raise CommandError(str(error)) from None
        if changes is not None:
            self.stdout.write(f"Seeded from {settings.CONFIG_FILE}: {changes}.")
        password = startup.create_first_user()
        if password:
            self.stdout.write(f"Made the user admin with the password {password} (shown only this once).")
        startup.warn_of_ownerless_keys()
        if host not in LOOPBACK and not policy.current().auth_enabled:
            self.stderr.write(
                self.style.WARNING(
                    f"WARNING: listening on {host} without identity: whoever reaches this address can spend your "
                    "money. Set OXIDE_AUTH_ENABLED=true, or listen on 127.0.0.1."
                )
            )

    def _supervise(self, workers: int, host: str, port: int) -> int:
        command = [sys.executable, sys.argv[0], "serve", "--host", host, "--port", str(port)]
        return supervise(command, workers, lambda: self._introduce(host, port))

    def _introduce(self, host: str, port: int) -> None:
        address = f"http://{'localhost' if host in LOOPBACK else f'[{host}]' if ':' in host else host}:{port}"
        self.stdout.write(f"Oxide listens on {address} (tasks: {address}/api/tasks/execute/, admin: {address}/admin/)")
        self.stdout.flush()


def _serve(listen: Callable[[], socket.socket], tether: Tether | None = None) -> None:
    # Before daphne is imported: its reactor takes the loop that this policy makes.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    from oxide_project.asgi import application, handler, pool  # noqa: PLC0415
    from oxide_project.server import OxideServer  # noqa: PLC0415

    snapshot.read_all()  # which hosts are served, for example, is known before the first request
    runner.begin(alone=is_embedded())
    startup.let_go_of_database()
    place = processor.choose() if settings.PROCESSORS == "one" else None
    loops = Loops([*LOOPS, Loop("processor", 1.0, place.keep)] if place else LOOPS)
    loops.start()
    startup.calm_garbage_collector()
    # A worker listens only now: a connection that the kernel gives it earlier would wait, or be lost where it fails.
    server = OxideServer(application, listen().detach(), settings.DRAIN_SECONDS, handler)
    if tether:
        tether.tell_listening()
        tether.follow(lambda: server.draining)
    try:
        server.run()
    finally:
        # What the drain did not let end is called off, so that no thread keeps the process.
        background.stop()
        running.cancel_all()
        pool.stop()
        health_checks.stop()
        loops.stop()
        shared_health.end()
        recorder.stop()
        runner.end()
        connections.close_all()
