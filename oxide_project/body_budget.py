"""How much of bodies is kept while they come in, of callers who are not known yet.

Who calls is found out when a request is whole. Until then nobody may fill memory or disk with halves of requests: so
credentials that hold by what is in memory are looked at early, and all others share a small budget.
"""

from __future__ import annotations

from collections.abc import Callable

from apikeys import credentials, policy

FREE_BYTES = 64 * 1024
"""As much of each body costs nothing: no login is longer."""
TOTAL_BYTES = 64 * 1024 * 1024
"""What all bodies of unknown callers may hold beyond that, in this process."""

_held = 0


class Share:
    """One request's part of the budget. For the event loop's thread alone."""

    def __init__(self, header: Callable[[str], str | None]) -> None:
        """`header` gives a request's header by its name."""
        self._header = header
        self._is_known: bool | None = None
        self._taken = 0

    def covers(self, received: int) -> bool:
        """Whether so much of a body may be kept."""
        global _held  # noqa: PLW0603 - it is one for the process
        if received <= FREE_BYTES or self._is_caller_known():
            return True
        more = received - FREE_BYTES - self._taken
        if _held + more > TOTAL_BYTES:
            return False
        _held += more
        self._taken += more
        return True

    def give_back(self) -> None:
        global _held  # noqa: PLW0603
        _held -= self._taken
        self._taken = 0

    def _is_caller_known(self) -> bool:
        if self._is_known is None:
            rules = policy.policy.in_memory()  # on the event loop nothing may wait for the database
            self._is_known = rules is not None and (not rules.auth_enabled or self._has_credential())
        return self._is_known

    def _has_credential(self) -> bool:
        credential = credentials.presented_in(self._header)
        return credential is not None and credentials.identify(credential) is not None
