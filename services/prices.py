"""What a call cost, and how sure that is. Money is counted in whole nano-dollars."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

import genai_prices

from services.adapters.base import Usage

NANO = 1_000_000_000
# So many tokens that a price is exact, and so few that no model's price for long prompts applies.
_SAMPLE = 10_000


class CostBasis(enum.StrEnum):
    """Where a cost comes from."""

    REPORTED = "reported"  # the provider named it
    COMPUTED = "computed"  # reported tokens at a known price
    ESTIMATED = "estimated"  # a known price, but tokens that were only counted by us
    UNKNOWN = "unknown"  # no price is known: there is no cost, which is not a cost of zero


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """The operator's own price, in US dollars a million tokens.

    Tokens read from or written to a cache, and those of thinking, cost what all others of the prompt
    or of the answer do, where they have no price of their own.
    """

    input_per_million: Decimal
    output_per_million: Decimal
    cached_input_per_million: Decimal | None = None
    cache_write_per_million: Decimal | None = None
    reasoning_per_million: Decimal | None = None

    def cost(self, usage: Usage) -> Decimal:
        parts = (
            (usage.cached_tokens, self.cached_input_per_million, self.input_per_million),
            (usage.cache_write_tokens, self.cache_write_per_million, self.input_per_million),
            (usage.reasoning_tokens, self.reasoning_per_million, self.output_per_million),
        )
        spent = usage.prompt_tokens * self.input_per_million + usage.completion_tokens * self.output_per_million
        spent += sum(tokens * (own - usual) for tokens, own, usual in parts if own is not None)
        return Decimal(spent) / 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """`nanodollars` is None exactly where the basis is unknown."""

    nanodollars: int | None
    basis: CostBasis


def cost_of(usage: Usage, *, model: str, base_url: str = "", override: PriceOverride | None = None) -> Cost:
    """Price one call: what the provider itself named, else the operator's price, else the price table."""
    if usage.cost is not None:
        return Cost(_nano(usage.cost), CostBasis.REPORTED)
    if not _adds_up(usage):
        return Cost(None, CostBasis.UNKNOWN)
    dollars = override.cost(usage) if override else _table_cost(usage, model, base_url)
    if dollars is None:
        return Cost(None, CostBasis.UNKNOWN)
    return Cost(_nano(dollars), CostBasis.COMPUTED if usage.reported else CostBasis.ESTIMATED)


@lru_cache(maxsize=1024)
def per_token(model: str, base_url: str, override: PriceOverride | None) -> tuple[float, float] | None:
    """US dollars for each token read and for each one written, nothing being cached; None where they are not known."""
    samples = Usage(prompt_tokens=_SAMPLE), Usage(completion_tokens=_SAMPLE)
    costs = [cost_of(usage, model=model, base_url=base_url, override=override).nanodollars for usage in samples]
    read, written = (None if cost is None else cost / NANO / _SAMPLE for cost in costs)
    return None if read is None or written is None else (read, written)


def _adds_up(usage: Usage) -> bool:
    """Whether parts are no greater than their whole, and nothing is negative."""
    parts = (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens, usage.completion_tokens)
    is_less = usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens
    return is_less and min(parts) >= 0 and usage.reasoning_tokens <= usage.completion_tokens


def _nano(dollars: Decimal) -> int:
    return int((dollars * NANO).to_integral_value(ROUND_HALF_UP))


def _table_cost(usage: Usage, model: str, base_url: str) -> Decimal | None:
    if not _is_priced(model, base_url, writes=usage.completion_tokens > 0):
        return None
    try:
        tokens = genai_prices.Usage(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_reasoning_tokens=usage.reasoning_tokens,
        )
        return genai_prices.calc_price(tokens, model, provider_api_url=base_url).total_price
    except ValueError:  # the table has rules of its own for what can be
        return None


@lru_cache(maxsize=4096)
def _is_priced(model: str, base_url: str, *, writes: bool) -> bool:
    # A price belongs to a vendor, known by the address called. The same model name on another
    # address (a local server, say) says nothing about what that one charges.
    if not model or not base_url:
        return False
    try:
        price = genai_prices.calc_price(genai_prices.Usage(), model, provider_api_url=base_url).model_price
    except LookupError:
        return False
    # The table also lists models without a price, and some that are not sold by the token. Those that make embeddings
    # write nothing, and have no price for it.
    return price.input_mtok is not None and (price.output_mtok is not None or not writes)
