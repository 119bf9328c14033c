"""Where the other APIs live, and which address speaks which dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Dialect = Literal["openai", "anthropic"]

_ENDPOINTS = r"(chat/completions|completions|embeddings|messages|models|responses)"
# Some clients want their base address with /v1 and some without, and some add it all the same.
_LOOSE = re.compile(rf"/(v1/v1/)?(?={_ENDPOINTS}(/|\Z))")

_VERSIONED = re.compile(r"/v1(/|\Z)")
_OPENAI_ONLY = re.compile(r"/v1/(chat|completions|embeddings|responses)(/|\Z)")
# Anthropic's SDKs for Python, TypeScript and others, Claude Code and the Agent SDK.
_ANTHROPIC_AGENTS = re.compile(r"(Async)?Anthropic/|anthropic-|claude-(cli|code)/", re.IGNORECASE)


def canonical(path: str) -> str:
    """The address that is meant, where a client was given its base address with or without `/v1`."""
    return _LOOSE.sub("/v1/", path, count=1) if _LOOSE.match(path) else path


def dialect_of(path: str, headers: Mapping[str, str]) -> Dialect | None:
    """In which dialect an address answers; None for those of Oxide's own API.

    Where both APIs have an address, or neither has, the headers of the request tell whose client it is.
    """
    if not _VERSIONED.match(path):
        return None
    if path.startswith("/v1/messages"):
        return "anthropic"
    if _OPENAI_ONLY.match(path):
        return "openai"
    return "anthropic" if _is_anthropics(headers, is_shared=path.startswith("/v1/models")) else "openai"


def counts_tokens(path: str) -> bool:
    """Whether a request at this address only counts tokens, which is free."""
    return path.startswith("/v1/messages/count_tokens")


def _is_anthropics(headers: Mapping[str, str], *, is_shared: bool) -> bool:
    """https://platform.claude.com/docs/en/api/overview#authentication"""
    if any(name in headers for name in ("anthropic-version", "anthropic-beta")):
        return True
    # `x-api-key` alone says too little at an address that clients of OpenAI use, too: some send any key in all headers.
    if not is_shared and "x-api-key" in headers and "authorization" not in headers:
        return True
    return bool(_ANTHROPIC_AGENTS.match(headers.get("user-agent", "")))
