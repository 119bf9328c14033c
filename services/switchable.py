from __future__ import annotations

from django.db import models


class Switchable(models.Model):
    """What is in force only while it is switched on."""

    enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def switch(self, *, on: bool) -> None:
        self.enabled = on
        self.save(update_fields=["enabled", "updated_at"])
