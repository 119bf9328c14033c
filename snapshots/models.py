from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now


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


class Lease(models.Model):
    """Which of several processes does what one does for all, and until when by the database's clock."""

    name = models.CharField(max_length=50, primary_key=True)
    holder = models.UUIDField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} until {self.until}"

    @classmethod
    def take(cls, name: str, holder: uuid.UUID, seconds: float) -> bool:
        """Take it, or keep it for longer. False where another has it."""
        terms = {"holder": holder, "until": Now() + timedelta(seconds=seconds)}
        # One statement: of several that want it at once, PostgreSQL lets each look again after the one before it.
        # https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
        if cls.objects.filter(Q(holder=holder) | Q(until__lte=Now()), name=name).update(**terms):
            return True
        return cls.objects.get_or_create(name=name, defaults=terms)[1]  # the very first makes the row

    @classmethod
    def give_back(cls, name: str, holder: uuid.UUID) -> None:
        cls.objects.filter(name=name, holder=holder).update(until=Now())
