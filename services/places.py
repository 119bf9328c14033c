"""The places for provider calls of this process."""

from __future__ import annotations

from django.conf import settings

from services.bulkhead import Bulkhead

bulkhead = Bulkhead(settings.THREADS - settings.RESERVED_THREADS)
