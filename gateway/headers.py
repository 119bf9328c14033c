"""Headers of answers, many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http.response import BadHeaderError, HttpResponseBase


def put(response: HttpResponseBase, values: Mapping[str, str]) -> None:
    """Set headers whose names and values are Latin-1 text. Each answer has two dozen of them.

    `response[name] = value` says the same, and takes as long for five of them as a database does for a row.
    """
    headers: Any = response.headers
    for name, value in values.items():
        if "\n" in value or "\r" in value:
            raise BadHeaderError(f"The header {name} would end early: {value!r}")
        headers._store[name.lower()] = (name, value)  # noqa: SLF001 - what `headers` is made of


def all_of(response: HttpResponseBase) -> list[tuple[str, str]]:
    headers: Any = response.headers
    found = list(headers._store.values())  # noqa: SLF001 - as above
    found += [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    return found
