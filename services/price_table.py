"""The vendors' list prices, as genai-prices has them: https://github.com/pydantic/genai-prices"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

import genai_prices
from genai_prices.types import ModelInfo, ModelPrice, Provider, calc_unit_price

from services.adapters.base import Usage
from services.price_terms import Term, factor_of

# A cache write costs 1.25 times an input token, one for an hour twice as much as an input token.
# https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing
ONE_HOUR_BY_FIVE_MINUTES: Final = Decimal(2) / Decimal("1.25")
_MILLION: Final = 1_000_000
_MODALITIES: Final = {
    f"{side}_{kind}": name.format(kind=kind)
    for side, name in (
        ("input", "input_{kind}_tokens"),
        ("cached", "cache_{kind}_read_tokens"),
        ("output", "output_{kind}_tokens"),
    )
    for kind in ("audio", "image", "video")
}


@dataclass(frozen=True, slots=True)
class Quote:
    """US dollars for the tokens and beside them. `is_exact` is false where the list leaves something open."""

    tokens: Decimal
    fees: Decimal = Decimal(0)
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class _Listed:
    """One model at one vendor. `context` selects among its prices, `factor` is for terms that they leave out.

    `searches` are those that every answer of it makes without counting them.
    """

    model: ModelInfo
    provider: Provider
    context: dict[str, str]
    factor: Decimal
    is_exact: bool
    searches: int


def table_quote(usage: Usage, model: str, base_url: str) -> Quote | None:
    """The list price of a call; None where the vendor (known by the address called) or the model has none."""
    listed = _listed(model, base_url, usage.terms, writes=usage.completion_tokens > 0)
    if listed is None:
        return None
    try:
        usage = replace(usage, searches=listed.searches) if listed.searches > usage.searches else usage
        return _quote(usage, listed, with_modalities=bool(usage.modalities))
    except ValueError:  # the list has rules of its own for which counts can be
        return None


def _quote(usage: Usage, listed: _Listed, *, with_modalities: bool) -> Quote:
    try:
        found = listed.model.calc_price(
            _counts(usage, with_modalities=with_modalities), listed.provider, price_context=listed.context or None
        )
    except ValueError:
        if not with_modalities:
            raise
        quote = _quote(usage, listed, with_modalities=False)
        return Quote(quote.tokens, quote.fees, is_exact=False)
    prices, tokens = found.model_price, found.input_price + found.output_price
    fees, is_exact = found.total_price - tokens, listed.is_exact
    if usage.cache_write_1h_tokens and prices.cache_write_1h_mtok is None:
        tokens += _one_hour_surcharge(usage, prices)
        is_exact = is_exact and prices.cache_write_mtok is not None
    if usage.searches and prices.web_searches_kcount is None:
        is_exact = False
    if prices.requests_kcount is not None:  # the highest of several: which one applies depends on the request
        is_exact = False
    return Quote(tokens * listed.factor, fees, is_exact)


def _counts(usage: Usage, *, with_modalities: bool) -> genai_prices.Usage:
    counts = {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "cache_read_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
    }
    if usage.cache_write_1h_tokens:
        counts["cache_write_1h_tokens"] = usage.cache_write_1h_tokens
    if usage.searches:
        counts["web_searches"] = usage.searches
    if with_modalities:
        for kind in ("audio", "image", "video"):  # the list wants to know what of a kind was cached, if only none
            counts[f"cache_{kind}_read_tokens"] = counts[f"output_{kind}_reasoning_tokens"] = 0
        counts |= {_MODALITIES[name]: tokens for name, tokens in usage.modalities}
    return genai_prices.Usage(**counts)


def _one_hour_surcharge(usage: Usage, prices: ModelPrice) -> Decimal:
    """What writes for an hour cost beyond other writes, where the list has one price for both."""
    written = calc_unit_price(prices.cache_write_mtok, usage.cache_write_1h_tokens, usage.prompt_tokens, _MILLION)
    return written * (ONE_HOUR_BY_FIVE_MINUTES - 1)


@lru_cache(maxsize=4096)
def _listed(model: str, base_url: str, terms: tuple[Term, ...], *, writes: bool) -> _Listed | None:
    # A price belongs to a vendor, known by the address called. The same model name on another
    # address (a local server, say) says nothing about what that one charges.
    if not model or not base_url:
        return None
    try:
        found = genai_prices.calc_price(genai_prices.Usage(), model, provider_api_url=base_url)
    except LookupError:
        return None
    # The table also lists models without a price, and some that are not sold by the token. Those that make embeddings
    # write nothing, and have no price for it.
    price = found.model_price
    if price.input_mtok is None or (price.output_mtok is None and writes):
        return None
    context = dict(term for term in terms if _has_variant(found.model, found.provider, term))
    factor, is_exact = factor_of(term for term in terms if term[0] not in context)
    # These search for every answer: https://developers.openai.com/api/docs/guides/tools-web-search
    searches = int(found.provider.id == "openai" and "-search-" in model)
    return _Listed(found.model, found.provider, context, factor, is_exact, searches)


def _has_variant(model: ModelInfo, provider: Provider, term: Term) -> bool:
    now = datetime.now(UTC)
    own = any(model is each for each in provider.models)  # prices lent by another vendor have none
    return own and any(
        variant.when == dict([term]) and (variant.constraint is None or variant.constraint.active(now))
        for variant in model.price_variants or ()
    )
