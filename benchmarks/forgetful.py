"""Serves Oxide as `manage.py serve` does, but keeps no task. What it is quicker by is what the history costs.

Oxide itself has no such switch.
"""

from __future__ import annotations

import os
import sys
from unittest.mock import patch

import django
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oxide_project.settings")
    django.setup()
    from tasks.recorder import Recorder  # noqa: PLC0415 - it needs what was just set up

    with patch.object(Recorder, "announce", _forget), patch.object(Recorder, "save", _forget):
        execute_from_command_line(["manage.py", *sys.argv[1:]])


def _forget(*_: object) -> None: ...


if __name__ == "__main__":
    main()
