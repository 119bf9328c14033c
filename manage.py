#!/usr/bin/env python
"""Oxide's command line: `serve`, `seed`, `reload`, `prune`, and Django's own commands."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oxide_project.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"oxide: {error}")


if __name__ == "__main__":
    main()
