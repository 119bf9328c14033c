from __future__ import annotations

import asyncio
import logging
import socket
import sys
from argparse import ArgumentParser
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.problems import ConfigInvalidError
from oxide_project import startup
from oxide_project.loops import Loops
from oxide_project.workers import supervise
from services import connections
from tasks import runner, running
from tasks.background import background
from tasks.recorder import recorder

logger = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Command(BaseCommand):
    help = "Serve Oxide: brings the database up to date, seeds a new one, and drains on SIGTERM."
    requires_system_checks = ["__all__"]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument(
            "--workers", type=int, default=1, help="processes; more than one needs DATABASE_URL and REDIS_URL"
        )
        parser.add_argument("--worker", action="store_true", help="be one of several; used by --workers itself")

    def handle(self, *, host: str, port: int, workers: int, worker: bool, **_: Any) -> None:
        if workers < 1:
            raise CommandError("--workers must be at least 1.")
        if workers > 1 and not (settings.DATABASE_URL and settings.REDIS_URL):
            raise CommandError(
                "--workers above 1 needs DATABASE_URL and REDIS_URL: processes share their database and their "
                "counters. Set both, or leave --workers at 1."
            )
        startup.raise_file_limit()
        with startup.listen(host, port, shared=worker or workers > 1) as sock:
            if not worker:
                self._prepare(host, sock.getsockname()[1])
            if workers > 1:
                sys.exit(supervise(workers, host, sock.getsockname()[1]))
            _serve(sock)

    def _prepare(self, host: str, port: int) -> None:
        self._lock = startup.claim_data_dir()
        startup.migrate()
        try:
            changes = startup.seed()
        except ConfigInvalidError as error:
            raise CommandError(str(error)) from None
        if changes is not None:
            self.stdout.write(f"Seeded from {settings.CONFIG_FILE}: {changes}.")
        self._introduce(host, port)

    def _introduce(self, host: str, port: int) -> None:
        address = f"http://{'localhost' if host in LOOPBACK else f'[{host}]' if ':' in host else host}:{port}"
        password = startup.create_first_user()
        if password:
            self.stdout.write(f"Made the user admin with the password {password} (shown only this once).")
        if host not in LOOPBACK:
            self.stderr.write(
                self.style.WARNING(
                    f"WARNING: listening on {host} without identity: whoever reaches this address can spend your "
                    "money. Listen on 127.0.0.1, or put a proxy that asks who calls in front."
                )
            )
        self.stdout.write(f"Oxide listens on {address} (tasks: {address}/api/tasks/execute/, admin: {address}/admin/)")
        self.stdout.flush()


def _serve(sock: socket.socket) -> None:
    # Before daphne is imported: its reactor takes the loop that this policy makes.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    from oxide_project.asgi import application, pool  # noqa: PLC0415
    from oxide_project.server import OxideServer  # noqa: PLC0415

    server = OxideServer(application, sock.detach(), settings.DRAIN_SECONDS)
    runner.begin(alone=startup.is_embedded())
    loops = Loops()
    loops.start()
    startup.calm_garbage_collector()
    try:
        server.run()
    finally:
        # What the drain did not let end is called off, so that no thread keeps the process.
        background.stop()
        running.cancel_all()
        pool.shutdown(cancel_futures=True)
        loops.stop()
        recorder.stop()
        runner.end()
        connections.close_all()
