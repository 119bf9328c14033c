from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from config.apply import Changes, apply
from config.problems import ConfigInvalidError
from config.reading import read


class Command(BaseCommand):
    requires_system_checks = []  # of which one looks at the file that OXIDE_CONFIG names, not at --config
    help = "Import the configuration file into the database. Doing it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--config", type=Path, default=settings.CONFIG_FILE, help="Default: %(default)s")

    def handle(self, *args: Any, config: Path, **options: Any) -> None:  # noqa: ARG002
        try:
            changes = apply(read(config))
        except ConfigInvalidError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database refused: {error}. Is it there, and migrated (manage.py migrate)?"
            ) from None
        changes.note()
        self.stdout.write(self.report(config, changes))

    def report(self, config: Path, changes: Changes) -> str:
        return f"{config}: {changes}."
