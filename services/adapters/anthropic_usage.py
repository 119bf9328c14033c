"""What the Messages protocol counts: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.adapters.base import Usage
from services.adapters.usage import Raw, count

# Values that stand for the usual price.
_USUAL: Final = frozenset({"", "standard", "standard_only", "default", "auto", "global", "not_available"})
_TIERS: Final = {
    ("service_tier", "batch"): ("processing", "batch"),
    ("service_tier", "priority"): ("commitment", "priority"),  # paid for by contract, at no listed price
}
_COUNTS: Final = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
)


def anthropic_usage(raw: Raw) -> Usage | None:
    """The usage in a message, or in the events of a stream taken together; None where nothing was counted.

    `input_tokens` are only those that the cache had no part in:
    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
    """
    extra = list(_beside(raw))
    plain, cached, written, completion = (sum(count(each, name) for each in (raw, *extra)) for name in _COUNTS)
    one_hour = sum(count(each, "cache_creation", "ephemeral_1h_input_tokens") for each in (raw, *extra))
    five_minutes = sum(count(each, "cache_creation", "ephemeral_5m_input_tokens") for each in (raw, *extra))
    written = max(written, one_hour + five_minutes)
    usage = Usage(
        prompt_tokens=plain + cached + written,
        completion_tokens=completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=one_hour,
        reasoning_tokens=count(raw, "output_tokens_details", "thinking_tokens"),
        searches=count(raw, "server_tool_use", "web_search_requests"),
        terms=_terms(raw),
    )
    return usage if usage.total_tokens else None


def _beside(raw: Raw) -> Iterator[Raw]:
    """Steps whose tokens are charged beside those of the message itself.

    https://platform.claude.com/docs/en/build-with-claude/compaction#understanding-usage
    """
    steps = raw.get("iterations")
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, Mapping) and step.get("type") in ("compaction", "advisor_message"):
            yield step


def _terms(raw: Raw) -> tuple[tuple[str, str], ...]:
    """What changes the price of the tokens, see `Usage.terms`.

    https://platform.claude.com/docs/en/api/service-tiers
    https://platform.claude.com/docs/en/manage-claude/data-residency
    https://platform.claude.com/docs/en/build-with-claude/fast-mode
    """
    terms = [(name, _word(raw.get(name))) for name in ("service_tier", "speed", "inference_geo")]
    if any(step.get("type") == "advisor_message" for step in _beside(raw)):
        terms.append(("model", "advisor"))  # its tokens are charged at the price of another model
    return tuple(_TIERS.get(term, term) for term in terms if term[1] not in _USUAL)


def _word(value: Any) -> str:
    return value.lower() if isinstance(value, str) else ""
