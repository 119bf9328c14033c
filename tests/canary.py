"""Secrets for tests: another set in each run, so that whatever comes out of Oxide can be searched for them.

All processes of a run have the same ones. Each holds `MARK`, so one look finds them all, and all but the beginning and
the end of each: whatever holds twenty characters of the middle in a row holds the mark.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid

_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
# Letters that no hexadecimal number has, so that none is ever taken for a secret.
_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")
_kinds: dict[str, str] = {}


def _letters(text: str, length: int) -> str:
    return hashlib.sha256(f"{_RUN} {text}".encode()).hexdigest()[:length].translate(_LETTERS)


MARK = _letters("mark", 8)
_AROUND_MARK = re.compile(rf"(.{{4}})?{MARK}(?:(.{{4}}){MARK})?", re.DOTALL)


def secret(kind: str, name: str = "", *, start: str = "", end: str = "") -> str:
    """The one of that kind and name. `start` and `end` are what may be seen of it."""
    own = _letters(f"{kind} {name}", 4)
    _kinds[own] = kind
    return f"{start}{MARK}{own}{MARK}{end}"


def provider_key(name: str = "", *, start: str = "sk-or-", end: str = "-xyz") -> str:
    return secret("provider key", name, start=start, end=end)


def password(name: str = "") -> str:
    return secret("password", name)


def kinds_in(content: bytes) -> set[str]:
    """Of which kinds the secrets are that stand there, also in part."""
    if MARK.encode() not in content:
        return set()
    found = (filter(None, around) for around in _AROUND_MARK.findall(content.decode("utf-8", "replace")))
    return {next((_kinds[own] for own in owns if own in _kinds), "part of a secret") for owns in found}
