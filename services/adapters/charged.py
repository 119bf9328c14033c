"""What a provider says that it charged for a call, whichever protocol it says it in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.adapters.usage import Raw, dollars

_NAMES: Final = frozenset({"cost", "cost_in_usd_ticks", "estimated_cost"})
_TICKS: Final = 10_000_000_000  # to the dollar: https://docs.x.ai/developers/cost-tracking


@dataclass(frozen=True, slots=True)
class Charged:
    """US dollars that the provider charged, or those that it only estimates; `terms` where neither is all of it."""

    cost: Decimal | None = None
    estimated: Decimal | None = None
    terms: tuple[tuple[str, str], ...] = ()


_NOTHING: Final = Charged()


def charged(raw: Raw) -> Charged:
    """The cost in a usage object."""
    if _NAMES.isdisjoint(raw):
        return _NOTHING
    cost = _cost(raw)
    if raw.get("is_byok") is not True or cost is None:
        return Charged(cost, dollars(raw.get("estimated_cost")))  # DeepInfra only estimates
    # With one's own key OpenRouter charges a fee, and the vendor the rest to that key; without it the vendor's
    # share is within the cost. https://openrouter.ai/docs/use-cases/usage-accounting
    details = raw.get("cost_details")
    upstream = dollars(details.get("upstream_inference_cost")) if isinstance(details, dict) else None
    return Charged(terms=(("billing", "byok"),)) if upstream is None else Charged(cost + upstream)


def _cost(raw: Raw) -> Decimal | None:
    if (by_ticks := dollars(raw.get("cost_in_usd_ticks"), _TICKS)) is not None:
        return by_ticks
    cost = raw.get("cost")
    # Perplexity itemises it: https://docs.perplexity.ai/docs/getting-started/pricing
    return dollars(cost.get("total_cost") if isinstance(cost, dict) else cost)
