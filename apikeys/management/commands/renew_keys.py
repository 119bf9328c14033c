from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apikeys.models import ProviderKey
from apikeys.vault import VaultError


class Command(BaseCommand):
    help = (
        "Encrypt the stored keys of providers with the OXIDE_SECRET_KEY of today. "
        "Afterwards the earlier one can leave OXIDE_SECRET_KEY_FALLBACKS."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        rows = list(ProviderKey.objects.all())
        failed = [problem for row in rows if (problem := _renew(row))]
        if failed:
            raise CommandError("\n".join(failed))
        self.stdout.write(f"{len(rows)} {'key' if len(rows) == 1 else 'keys'} renewed.")


def _renew(row: ProviderKey) -> str:
    try:
        row.renew()
    except VaultError as error:
        return f"The stored key of {row.service} {error}."
    return ""
