"""The documents of one stream as they come in, up to the end of the answer: however the connection ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from requests import exceptions

from services.adapters import sse
from services.adapters.arrived import StreamReader

if TYPE_CHECKING:
    from services.adapters.transport import CurlStream

# After the finish reason only the usage is still to come. Servers that send no mark of the end close the connection
# at once; some keep it open until it times out.
_GRACE_SECONDS: Final = 2.0
# What leaves an answer that is complete by then as good as it is.
BREAKS: Final = (exceptions.ChunkedEncodingError, exceptions.ConnectionError, exceptions.Timeout)


class Incoming:
    """Reads `stream` for `reader`. Iterate once; afterwards `fault` is what broke the connection, if anything did.

    A connection that breaks, or stays silent, once the answer is complete ends it as well as a mark of the end does.
    """

    def __init__(self, stream: CurlStream, reader: StreamReader) -> None:
        self.fault: exceptions.RequestException | None = None
        self._stream = stream
        self._reader = reader
        self._progress: object = None

    def __iter__(self) -> Iterator[bytes]:
        reader = self._reader
        try:
            for document in sse.documents(self._chunks()):
                if document is sse.DONE:
                    reader.mark_done()
                    return
                yield document
                if reader.is_over:
                    return
                if reader.finish is not None and reader.is_complete:
                    self._allow_for_usage()
        except sse.NoEventsError:
            if self.fault is None:  # else nothing has come yet
                raise

    def _chunks(self) -> Iterator[bytes]:
        try:
            yield from self._stream.chunks()
        except BREAKS as error:
            self.fault = error

    def _allow_for_usage(self) -> None:
        """Wait a moment longer after each document that brings something, but not after mere signs of life."""
        reader = self._reader
        progress = (reader.meter.usage, reader.deltas, len(reader.beside))
        if progress != self._progress:
            self._progress = progress
            self._stream.end_within(_GRACE_SECONDS)
