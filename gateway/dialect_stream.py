"""What the streams of all other APIs have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from gateway import calling
from services.adapters.base import Reply
from tasks.event_stream import EventStream


class DialectStream(EventStream):
    """Says in the headers who answers, and at the end of a task that was called off that it was."""

    def opening(self) -> bytes:
        calling.tell(self, self.run)
        return b""

    def closing(self) -> Iterator[bytes]:
        reply = self.run.reply
        if reply is None:
            called_off = {"detail": calling.CALLED_OFF, "code": "CANCELLED", "task_id": str(self.run.task.pk)}
            yield self.complaint(503, called_off)
        else:
            yield from self.ending(reply)

    @abstractmethod
    def ending(self, reply: Reply) -> Iterator[bytes]:
        """The events at the end of a task that was answered."""
