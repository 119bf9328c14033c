from __future__ import annotations

from django.db import models, transaction
from django.db.models import F


class Revision(models.Model):
    """How often the rows behind one snapshot have changed: what other processes look at."""

    name = models.CharField(max_length=50, primary_key=True)
    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.number}"

    @classmethod
    def bump(cls, name: str) -> None:
        with transaction.atomic():
            cls.objects.get_or_create(name=name)
            cls.objects.filter(name=name).update(number=F("number") + 1)

    @classmethod
    def numbers(cls) -> dict[str, int]:
        return dict(cls.objects.values_list("name", "number"))
