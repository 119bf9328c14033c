"""The machine's last hour by the minute, as this process has seen it. In memory alone: it begins with the process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from monitoring.system import System

MINUTES = 60


@dataclass(frozen=True, slots=True)
class Load:
    """The mean of the looks at it in a minute, in percent."""

    cpu: float
    memory: float
    looks: int

    def with_look(self, system: System) -> Load:
        looks = self.looks + 1
        return Load(
            self.cpu + (system["cpu_percent"] - self.cpu) / looks,
            self.memory + (system["memory_percent"] - self.memory) / looks,
            looks,
        )


class Machine:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minutes: OrderedDict[int, Load] = OrderedDict()

    def note(self, minute: int, system: System) -> None:
        with self._lock:
            self._minutes[minute] = self._minutes.get(minute, Load(0.0, 0.0, 0)).with_look(system)
            while len(self._minutes) > MINUTES:
                self._minutes.popitem(last=False)

    def by_minute(self) -> dict[int, Load]:
        with self._lock:
            return dict(self._minutes)


machine = Machine()
