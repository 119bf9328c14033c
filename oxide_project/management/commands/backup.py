from __future__ import annotations

import os
import sqlite3
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from snapshots.connections import is_embedded


class Command(BaseCommand):
    help = "Copy the SQLite database to a file, also while Oxide serves. With PostgreSQL, use pg_dump."
    requires_system_checks = []  # a copy can be made whatever the configuration file says

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="where the copy goes; one that is there is replaced")

    def handle(self, *, file: Path, **_: Any) -> None:
        if not is_embedded():
            raise CommandError('DATABASE_URL is set: copy PostgreSQL with pg_dump --format=custom "$DATABASE_URL".')
        database = Path(connection.settings_dict["NAME"])
        if not database.exists():
            raise CommandError(f"There is no database {database} yet: start Oxide once, or set OXIDE_DATA_DIR.")
        if file.is_dir():
            raise CommandError(f"{file} is a directory: name a file in it, such as {file / 'oxide.sqlite3'}.")
        if file.exists() and file.samefile(database):
            raise CommandError(f"{file} is the database itself: name another file.")
        try:
            copy(database, file)
        except (OSError, sqlite3.Error) as error:
            raise CommandError(f"{file} could not be written: {getattr(error, 'strerror', None) or error}.") from None
        self.stdout.write(f"Copied {database} to {file}. Keep secret.key, or OXIDE_SECRET_KEY, apart from it.")


def copy(database: Path, file: Path) -> None:
    """SQLite's own way to copy what is in use: https://www.sqlite.org/backup.html

    The copy takes its name in one step, when it is whole: the last good one stays until then.
    """
    unfinished = file.with_name(f".{file.name}.new")
    unfinished.unlink(missing_ok=True)
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(unfinished)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, without a WAL beside it
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
