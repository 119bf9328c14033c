from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from services.adapters.base import Usage
from services.prices import Cost, CostBasis, PriceOverride, cost_of, per_token

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
OPENROUTER = "https://openrouter.ai/api/v1"
GEMINI = "https://generativelanguage.googleapis.com"
UNKNOWN = Cost(None, CostBasis.UNKNOWN)

A_THOUSAND_EACH = Usage(prompt_tokens=1000, completion_tokens=1000)


def price(usage: Usage, model: str = "gpt-4o", base_url: str = OPENAI) -> int:
    cost = cost_of(usage, model=model, base_url=base_url)
    assert cost.basis is CostBasis.COMPUTED
    assert cost.nanodollars is not None
    return cost.nanodollars


# https://openai.com/api/pricing/, https://www.anthropic.com/pricing: long-standing prices of older models
@pytest.mark.parametrize(
    ("model", "base_url", "nanodollars"),
    [
        ("gpt-4o", OPENAI, 12_500_000),
        ("claude-3-5-sonnet-20241022", ANTHROPIC, 18_000_000),
        ("openai/gpt-4o", OPENROUTER, 12_500_000),
    ],
)
def test_the_price_table_knows_the_vendors(model: str, base_url: str, nanodollars: int) -> None:
    assert cost_of(A_THOUSAND_EACH, model=model, base_url=base_url) == Cost(nanodollars, CostBasis.COMPUTED)


def test_the_same_model_may_cost_more_elsewhere() -> None:
    at_groq = price(A_THOUSAND_EACH, "llama-3.3-70b-versatile", "https://api.groq.com/openai/v1")
    at_cerebras = price(A_THOUSAND_EACH, "llama-3.3-70b", "https://api.cerebras.ai/v1")

    assert at_cerebras > at_groq


@pytest.mark.parametrize(
    ("model", "base_url"),
    [("gpt-4o", OPENAI), ("claude-3-5-sonnet-20241022", ANTHROPIC), ("gemini-2.5-pro", GEMINI)],
)
def test_cached_tokens_are_cheaper(model: str, base_url: str) -> None:
    fresh = price(Usage(prompt_tokens=1000), model, base_url)
    cached = price(Usage(prompt_tokens=1000, cached_tokens=600), model, base_url)

    assert 0 < cached < fresh


def test_embeddings_cost_what_was_read() -> None:
    assert price(Usage(prompt_tokens=1000), "text-embedding-3-small") == 20_000


def test_thinking_is_part_of_what_was_written() -> None:
    plain = price(Usage(prompt_tokens=10, completion_tokens=1000), "o3-mini")
    assert price(Usage(prompt_tokens=10, completion_tokens=1000, reasoning_tokens=900), "o3-mini") == plain


def test_thinking_has_its_own_price_where_the_table_has_one() -> None:
    model = "perplexity/sonar-deep-research"
    written = price(Usage(completion_tokens=1000), model, OPENROUTER)
    assert price(Usage(completion_tokens=1000, reasoning_tokens=1000), model, OPENROUTER) < written


def test_writing_to_the_cache_is_dearer_where_the_vendor_says_so() -> None:
    model = "claude-3-5-sonnet-20241022"
    fresh = price(Usage(prompt_tokens=1000), model, ANTHROPIC)

    assert price(Usage(prompt_tokens=1000, cache_write_tokens=600), model, ANTHROPIC) > fresh


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("no-such-model", OPENAI),
        ("", OPENAI),
        ("gpt-4o", ""),
        ("gpt-4o", "http://localhost:1234/v1"),
        # In the price table, but without a price for tokens.
        ("whisper-1", OPENAI),
        ("gpt-4o", "https://api.githubcopilot.com"),
    ],
)
def test_what_has_no_known_price_has_no_cost_rather_than_none(model: str, base_url: str) -> None:
    assert cost_of(A_THOUSAND_EACH, model=model, base_url=base_url) == UNKNOWN


@pytest.mark.parametrize(
    "usage",
    [
        Usage(prompt_tokens=100, cached_tokens=600),
        Usage(prompt_tokens=100, cached_tokens=60, cache_write_tokens=60),
        Usage(prompt_tokens=-1),
    ],
)
def test_counts_that_cannot_be_have_no_cost(usage: Usage) -> None:
    assert cost_of(usage, model="claude-3-5-sonnet-20241022", base_url=ANTHROPIC) == UNKNOWN


def test_the_operators_price_goes_before_the_table() -> None:
    override = PriceOverride(Decimal("1.5"), Decimal(2))

    cost = cost_of(A_THOUSAND_EACH, model="gpt-4o", base_url=OPENAI, override=override)

    assert cost == Cost(3_500_000, CostBasis.COMPUTED)


def test_the_operator_may_price_cached_tokens_and_thinking_apart() -> None:
    override = PriceOverride(Decimal(10), Decimal(20), Decimal(1), Decimal(12), Decimal(5))
    usage = Usage(
        prompt_tokens=1000, completion_tokens=1000, cached_tokens=600, cache_write_tokens=100, reasoning_tokens=400
    )
    cost = cost_of(usage, model="mine", override=override)
    # 300 at 10, 600 at 1, 100 at 12; 600 at 20, 400 at 5.
    assert cost == Cost((3000 + 600 + 1200 + 12_000 + 2000) * 1000, CostBasis.COMPUTED)
    assert cost_of(replace(usage, prompt_tokens=100), model="mine", override=override) == UNKNOWN


def test_the_operators_price_needs_no_known_model_or_address() -> None:
    cost = cost_of(A_THOUSAND_EACH, model="my-own", override=PriceOverride(Decimal(1), Decimal(0)))

    assert cost == Cost(1_000_000, CostBasis.COMPUTED)


def test_the_operators_price_of_zero_is_a_price() -> None:
    cost = cost_of(A_THOUSAND_EACH, model="gpt-4o", base_url=OPENAI, override=PriceOverride(Decimal(0), Decimal(0)))

    assert cost == Cost(0, CostBasis.COMPUTED)


def test_what_the_provider_names_goes_before_everything() -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=1000, cost=Decimal("0.0123"))

    cost = cost_of(usage, model="gpt-4o", base_url=OPENAI, override=PriceOverride(Decimal(1), Decimal(1)))

    assert cost == Cost(12_300_000, CostBasis.REPORTED)


def test_a_provider_may_name_a_cost_of_zero() -> None:
    assert cost_of(Usage(cost=Decimal(0)), model="no-such-model") == Cost(0, CostBasis.REPORTED)


@pytest.mark.parametrize("override", [None, PriceOverride(Decimal(1), Decimal(1))])
def test_estimated_tokens_give_an_estimated_cost(override: PriceOverride | None) -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=10, reported=False)

    assert cost_of(usage, model="gpt-4o", base_url=OPENAI, override=override).basis is CostBasis.ESTIMATED


@pytest.mark.parametrize(
    ("dollars", "nanodollars"),
    [
        ("0.0000000004", 0),
        ("0.0000000005", 1),
        ("0.0000000014", 1),
        ("0.0000000025", 3),
        ("1234.5678901234", 1_234_567_890_123),
    ],
)
def test_a_cost_is_rounded_to_whole_nanodollars(dollars: str, nanodollars: int) -> None:
    assert cost_of(Usage(cost=Decimal(dollars)), model="m").nanodollars == nanodollars


def test_many_small_costs_add_up_exactly() -> None:
    one = cost_of(Usage(prompt_tokens=1), model="m", override=PriceOverride(Decimal("0.1"), Decimal(0)))

    assert one.nanodollars == 100


def test_a_price_by_the_token_is_the_operators_or_the_tables() -> None:
    own = PriceOverride(Decimal(2), Decimal(8))
    assert per_token("any", "http://localhost:1234/v1", own) == (0.000002, 0.000008)
    assert per_token("gpt-4o", OPENAI, None) == (0.0000025, 0.00001)
    assert per_token("gpt-4o", "http://localhost:1234/v1", None) is None


OWN = PriceOverride(
    Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"), per_request=Decimal("0.005"), per_search=Decimal("0.01")
)


def own_price(usage: Usage, override: PriceOverride = OWN) -> Cost:
    return cost_of(usage, model="mine", base_url="http://localhost:1234/v1", override=override)


def test_the_operator_may_charge_for_requests_and_searches() -> None:
    assert own_price(Usage(prompt_tokens=1000)) == Cost(8_000_000, CostBasis.COMPUTED)
    assert own_price(Usage(prompt_tokens=1000, searches=2)) == Cost(28_000_000, CostBasis.COMPUTED)


def test_a_search_without_a_price_leaves_an_estimate() -> None:
    without = replace(OWN, per_search=None)
    assert own_price(Usage(prompt_tokens=1000, searches=2), without) == Cost(8_000_000, CostBasis.ESTIMATED)


@pytest.mark.parametrize(
    ("write", "one_hour", "nanodollars"),
    [
        (Decimal("3.75"), Decimal(7), 400 * 3_750 + 600 * 7_000),
        (Decimal("3.75"), None, 400 * 3_750 + 600 * 6_000),
        (None, Decimal(7), 400 * 3_000 + 600 * 7_000),
        (None, None, 1000 * 3_000),
    ],
)
def test_writes_for_an_hour_have_a_price_of_their_own(
    write: Decimal | None, one_hour: Decimal | None, nanodollars: int
) -> None:
    override = PriceOverride(
        Decimal(3), Decimal(15), cache_write_per_million=write, cache_write_1h_per_million=one_hour
    )
    usage = Usage(prompt_tokens=1000, cache_write_tokens=1000, cache_write_1h_tokens=600)
    assert own_price(usage, override) == Cost(nanodollars, CostBasis.COMPUTED)


def test_the_operators_price_is_that_of_the_usual_tier() -> None:
    flex = Usage(prompt_tokens=1000, terms=(("service_tier", "flex"),))
    priority = Usage(prompt_tokens=1000, terms=(("service_tier", "priority"),))

    assert own_price(flex) == Cost(1_500_000 + 5_000_000, CostBasis.COMPUTED)
    assert own_price(priority) == Cost(6_000_000 + 5_000_000, CostBasis.ESTIMATED)


def test_the_price_of_a_token_has_no_fees_in_it() -> None:
    assert per_token("any", "http://localhost:1234/v1", OWN) == (0.000003, 0.000015)


def test_unknown_terms_leave_an_estimate() -> None:
    usage = replace(A_THOUSAND_EACH, terms=(("service_tier", "turbo"),))
    assert cost_of(usage, model="gpt-4o", base_url=OPENAI) == Cost(12_500_000, CostBasis.ESTIMATED)


def test_a_tier_may_have_a_known_factor_where_the_table_has_no_price_for_it() -> None:
    usage = replace(A_THOUSAND_EACH, terms=(("service_tier", "flex"),))
    assert cost_of(usage, model="gpt-4o", base_url=OPENAI) == Cost(6_250_000, CostBasis.COMPUTED)


def test_writes_for_an_hour_cost_more_where_the_table_has_one_price_for_all_writes() -> None:
    model, base_url = "MiniMax-M2", "https://api.minimax.io/v1"
    usage = Usage(prompt_tokens=1000, cache_write_tokens=1000)
    assert price(usage, model, base_url) == 375_000
    assert price(replace(usage, cache_write_1h_tokens=1000), model, base_url) == 600_000


def test_writes_for_an_hour_cannot_be_more_than_all_writes() -> None:
    usage = Usage(prompt_tokens=1000, cache_write_tokens=10, cache_write_1h_tokens=11)
    assert cost_of(usage, model="claude-sonnet-4-5", base_url=ANTHROPIC) == UNKNOWN


def test_modalities_that_do_not_add_up_leave_an_estimate() -> None:
    usage = Usage(prompt_tokens=10, modalities=(("input_audio", 20),))
    assert cost_of(usage, model="gpt-audio", base_url=OPENAI) == Cost(25_000, CostBasis.ESTIMATED)


def test_a_fee_that_depends_on_the_request_leaves_an_estimate() -> None:
    cost = cost_of(Usage(prompt_tokens=1000), model="sonar-pro", base_url="https://api.perplexity.ai")
    assert cost == Cost(3_000_000 + 14_000_000, CostBasis.ESTIMATED)


def test_what_the_provider_only_estimates_counts_where_nothing_else_does() -> None:
    usage = Usage(prompt_tokens=1000, estimated_cost=Decimal("0.0001"))
    assert cost_of(usage, model="unknown") == Cost(100_000, CostBasis.ESTIMATED)
    assert own_price(usage) == Cost(8_000_000, CostBasis.COMPUTED)
