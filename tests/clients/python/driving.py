"""The asynchronous client called like its twin, so that one test holds both to the same."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from oxide_client import AsyncOxide, Oxide

Make = Callable[..., Any]
"""Makes a client of one kind or the other; the arguments are those of `Oxide`."""


class Driven:
    """Something asynchronous: its coroutines are run, its asynchronous iterators are iterated."""

    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self._inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._called(found) if callable(found) else found

    def __enter__(self) -> Self:
        self._runner.run(self._inner.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._inner.__aexit__(None, None, None))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._runner.run(self._step())
        except StopAsyncIteration:
            raise StopIteration from None

    async def _step(self) -> Any:
        return await self._inner.__anext__()

    def _called(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            made = method(*arguments, **options)
            return self._runner.run(made) if inspect.iscoroutine(made) else Driven(made, self._runner)

        return call


@contextmanager
def clients(kind: str) -> Iterator[Make]:
    """Makes as many as a test needs, and closes them."""
    made: list[Any] = []
    with asyncio.Runner() as runner:

        def make(*arguments: Any, **options: Any) -> Any:
            client: Any = Oxide(*arguments, **options)
            if kind == "async":
                client = Driven(AsyncOxide(*arguments, **options), runner)
            made.append(client)
            return client

        try:
            yield make
        finally:
            for client in made:
                client.close()


def spoil(client: Any) -> None:
    """What an access token is worth after ten minutes."""
    inner: Any = client._inner if isinstance(client, Driven) else client
    inner._tokens.access = "eyJ.ended"
