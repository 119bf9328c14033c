from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from tasks.storing import prune


def days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 36_500:
        raise ArgumentTypeError(f"give a number of days from 1 to 36500, not {text!r}")
    return int(text)


class Command(BaseCommand):
    help = "Delete finished tasks that are older than a number of days, with their attempts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=days, required=True, help="keep the history of this many days")

    def handle(self, *, days: int, **_: Any) -> None:
        deleted = prune(timedelta(days=days))
        self.stdout.write(f"Deleted {deleted} tasks older than {days} days.")
