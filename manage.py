#!/usr/bin/env python
"""Oxide's command line: `serve`, `seed`, `reload`, `prune`, and Django's own commands."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oxide_project.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"oxide: {error}")
    except OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        sys.exit(f"oxide: the database cannot be used: {reason}. Check DATABASE_URL or OXIDE_DATA_DIR, then try again.")


if __name__ == "__main__":
    main()
