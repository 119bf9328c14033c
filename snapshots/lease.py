"""What one of several processes does for all: which one, they settle among themselves in the database."""

from __future__ import annotations

import logging
import math
import time
import uuid

from django.db import Error

from snapshots.models import Lease

logger = logging.getLogger(__name__)

# When one has died, another takes over once the lease has run out and the other next asks.
LEASE_SECONDS = 20.0
RENEW_SECONDS = 2.0


class Claim:
    """This process's claim to a lease. One thread renews it, any may ask whether it is held.

    `is_unclear` while the database does not say who holds it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._me = uuid.uuid4()
        self._held_until = self._renew_at = -math.inf
        self.is_unclear = False

    @property
    def is_held(self) -> bool:
        return time.monotonic() < self._held_until

    def renew(self) -> None:
        """Take the lease if it is free, keep it if it is ours. Asks the database every few seconds only."""
        # Taken before the database is asked: what it gives us must not end later here than there.
        now = time.monotonic()
        if now < self._renew_at:
            return
        self._renew_at = now + RENEW_SECONDS
        try:
            held = Lease.take(self._name, self._me, LEASE_SECONDS)
        except Error:
            self.is_unclear = True
            raise
        self.is_unclear = False
        self._held_until = now + LEASE_SECONDS if held else -math.inf

    def give_back(self) -> None:
        """Let another process have it now."""
        self._held_until = -math.inf
        try:
            Lease.give_back(self._name, self._me)
        except Error:
            logger.warning(
                "The database is away: another process takes over the %s within %g seconds.", self._name, LEASE_SECONDS
            )
