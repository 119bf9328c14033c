"""What a call cost, and how sure that is. Money is counted in whole nano-dollars."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from services.adapters.base import Usage
from services.price_table import ONE_HOUR_BY_FIVE_MINUTES, Quote, table_quote
from services.price_terms import factor_of

NANO = 1_000_000_000
# So many tokens that a price is exact, and so few that no model's price for long prompts applies.
_SAMPLE = 10_000


class CostBasis(enum.StrEnum):
    """Where a cost comes from."""

    REPORTED = "reported"  # the provider said that it charged so much
    COMPUTED = "computed"  # reported tokens at a known price
    ESTIMATED = "estimated"  # a known price, but tokens counted only by us, or terms that it does not settle
    UNKNOWN = "unknown"  # no price is known: there is no cost, which is not a cost of zero


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """The operator's own price, in US dollars a million tokens, a request and a web search.

    Tokens read from or written to a cache, and those of thinking, cost what all others of the prompt
    or of the answer do, where they have no price of their own. Writes for an hour then cost more than
    other writes by the factor that Anthropic has for them. The prices are those of the usual service tier.
    """

    input_per_million: Decimal
    output_per_million: Decimal
    cached_input_per_million: Decimal | None = None
    cache_write_per_million: Decimal | None = None
    reasoning_per_million: Decimal | None = None
    cache_write_1h_per_million: Decimal | None = None
    per_request: Decimal | None = None
    per_search: Decimal | None = None

    def quote(self, usage: Usage) -> Quote:
        five_minutes = usage.cache_write_tokens - usage.cache_write_1h_tokens
        parts = (
            (usage.cached_tokens, self.cached_input_per_million, self.input_per_million),
            (five_minutes, self.cache_write_per_million, self.input_per_million),
            (usage.cache_write_1h_tokens, self._one_hour_write, self.input_per_million),
            (usage.reasoning_tokens, self.reasoning_per_million, self.output_per_million),
        )
        spent = usage.prompt_tokens * self.input_per_million + usage.completion_tokens * self.output_per_million
        spent += sum(tokens * (own - usual) for tokens, own, usual in parts if own is not None)
        factor, is_exact = factor_of(usage.terms)
        fees = (self.per_request or 0) + usage.searches * (self.per_search or 0)
        is_exact = is_exact and not (usage.searches and self.per_search is None)
        return Quote(Decimal(spent) / 1_000_000 * factor, Decimal(fees), is_exact)

    @property
    def _one_hour_write(self) -> Decimal | None:
        if self.cache_write_1h_per_million is not None or self.cache_write_per_million is None:
            return self.cache_write_1h_per_million
        return self.cache_write_per_million * ONE_HOUR_BY_FIVE_MINUTES


@dataclass(frozen=True, slots=True)
class Cost:
    """`nanodollars` is None exactly where the basis is unknown."""

    nanodollars: int | None
    basis: CostBasis


def cost_of(usage: Usage, *, model: str, base_url: str = "", override: PriceOverride | None = None) -> Cost:
    """Price one call: what the provider itself charged, else the operator's price, else the price table, else what
    the provider estimates."""
    if usage.cost is not None:
        return Cost(_nano(usage.cost), CostBasis.REPORTED)
    quote = _quote(usage, model, base_url, override)
    if quote is None:
        estimated = usage.estimated_cost
        return Cost(None, CostBasis.UNKNOWN) if estimated is None else Cost(_nano(estimated), CostBasis.ESTIMATED)
    is_sure = usage.reported and quote.is_exact
    return Cost(_nano(quote.tokens + quote.fees), CostBasis.COMPUTED if is_sure else CostBasis.ESTIMATED)


@lru_cache(maxsize=1024)
def per_token(model: str, base_url: str, override: PriceOverride | None) -> tuple[float, float] | None:
    """US dollars for each token read and for each one written, nothing being cached; None where they are not known."""
    samples = Usage(prompt_tokens=_SAMPLE), Usage(completion_tokens=_SAMPLE)
    read, written = (_quote(usage, model, base_url, override) for usage in samples)
    return None if read is None or written is None else (float(read.tokens / _SAMPLE), float(written.tokens / _SAMPLE))


def _quote(usage: Usage, model: str, base_url: str, override: PriceOverride | None) -> Quote | None:
    if not _adds_up(usage):
        return None
    return override.quote(usage) if override else table_quote(usage, model, base_url)


def _adds_up(usage: Usage) -> bool:
    """Whether parts are no greater than their whole, and nothing is negative."""
    parts = (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens, usage.completion_tokens)
    is_less = usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens
    is_less = is_less and usage.cache_write_1h_tokens <= usage.cache_write_tokens
    return is_less and min(parts) >= 0 and usage.reasoning_tokens <= usage.completion_tokens


def _nano(dollars: Decimal) -> int:
    return int((dollars * NANO).to_integral_value(ROUND_HALF_UP))
