from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config import reference
from oxide_project import variables

PAGE = """# Configuration reference

Every environment variable, and every field of the configuration file. [configuration.md](configuration.md) says how the
two go together. This page is written by `python manage.py reference` from what checks them; change it there.

## Environment variables

A wrong value ends the start with one line that names it. Space around a value does not count, and an empty one is as
good as none.

{variables}

Keys of providers are read from the variables that `api_key_env` of a service names (below).

## Configuration file

YAML, of at most 256 kB. A field that is left out stays as it is in the database, and in a new one has its default.

{fields}
"""


class Command(BaseCommand):
    help = "Print docs/configuration-reference.md: every environment variable and every field of the file."
    requires_system_checks = []  # it says the same whatever is configured

    def handle(self, **_: Any) -> None:
        self.stdout.write(PAGE.format(variables=variables.tables(), fields=reference.tables()), ending="")
