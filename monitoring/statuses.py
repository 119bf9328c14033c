"""Which services are well and switched on, and telling it where that changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from monitoring import events
from monitoring.events import ServiceState
from monitoring.hub import hub
from services import directory, presentation


class Statuses:
    """Remembers what was told, so that each change is told once, whatever brought it about."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: Mapping[str, ServiceState] | None = None

    def tell_changes(self) -> None:
        """May have to read the database, once."""
        if not hub.has_listeners:
            self._told = None
            return
        now = current()
        with self._lock:
            before, self._told = self._told or {}, now
            for name, state in now.items():
                if before.get(name) != state:
                    events.service_status(name, state)
            for name in before.keys() - now.keys():
                events.service_status(name, None)

    def note_told(self, states: Mapping[str, ServiceState]) -> None:
        """They were told with the whole, to the first who listens."""
        with self._lock:
            if self._told is None:
                self._told = states


statuses = Statuses()


def current() -> dict[str, ServiceState]:
    summaries = {name: presentation.summary(config) for name, config in directory.current().items()}
    return {name: {"healthy": known["healthy"], "enabled": known["enabled"]} for name, known in summaries.items()}
