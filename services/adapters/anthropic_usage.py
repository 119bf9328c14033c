"""What the Messages protocol counts: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from services.adapters.base import Usage
from services.adapters.charged import charged
from services.adapters.usage import Raw, count, count_in

# Values that stand for the usual price.
_USUAL: Final = frozenset({"", "standard", "standard_only", "default", "auto", "global", "not_available"})
_TERMS: Final = ("service_tier", "speed", "inference_geo")
_TIERS: Final = {
    ("service_tier", "batch"): ("processing", "batch"),
    ("service_tier", "priority"): ("commitment", "priority"),  # paid for by contract, at no listed price
}


def anthropic_usage(raw: Raw) -> Usage | None:
    """The usage in a message, or in the events of a stream taken together; None where nothing was counted.

    `input_tokens` are only those that the cache had no part in:
    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
    """
    plain, cached, written, one_hour, completion = _counts(raw)
    if "iterations" in raw:
        for step in _beside(raw):
            beside = _counts(step)
            plain, cached, written = plain + beside[0], cached + beside[1], written + beside[2]
            one_hour, completion = one_hour + beside[3], completion + beside[4]
    is_within = "total_tokens" in raw and count(raw["total_tokens"]) == plain + completion
    cost = charged(raw)
    usage = Usage(
        # A server that only imitates the protocol may count them within, which the total tells.
        prompt_tokens=plain if is_within else plain + cached + written,
        completion_tokens=completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=one_hour,
        reasoning_tokens=count_in(raw, "output_tokens_details", "thinking_tokens"),
        searches=count_in(raw, "server_tool_use", "web_search_requests"),
        cost=cost.cost,
        estimated_cost=cost.estimated,
        terms=_terms(raw) + cost.terms,
    )
    return usage if usage.total_tokens or usage.cost else None


def _counts(raw: Raw) -> tuple[int, int, int, int, int]:
    """Tokens without a part of the cache, read from it, written to it, of these for an hour, and answered."""
    five_minutes = count_in(raw, "cache_creation", "ephemeral_5m_input_tokens")
    one_hour = count_in(raw, "cache_creation", "ephemeral_1h_input_tokens")
    written = max(count(raw.get("cache_creation_input_tokens")), five_minutes + one_hour)
    cached = count(raw.get("cache_read_input_tokens"))
    return count(raw.get("input_tokens")), cached, written, one_hour, count(raw.get("output_tokens"))


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
    terms = [(name, value.lower()) for name in _TERMS if isinstance(value := raw.get(name), str)]
    if any(step.get("type") == "advisor_message" for step in _beside(raw)):
        terms.append(("model", "advisor"))  # its tokens are charged at the price of another model
    return tuple(_TIERS.get(term, term) for term in terms if term[1] not in _USUAL)
