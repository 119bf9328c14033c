from __future__ import annotations

from pathlib import Path

from config.apply import Changes
from config.management.commands import seed


class Command(seed.Command):
    help = "Import the configuration file again. Running processes follow by themselves within about a second."

    def report(self, config: Path, changes: Changes) -> str:
        follow = " Running processes follow within about a second." if changes else ""
        return super().report(config, changes) + follow
