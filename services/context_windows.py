"""How long a prompt a model takes, as far as that is known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import genai_prices

from services.config import ServiceConfig


def window_of(service: ServiceConfig, model: str) -> int | None:
    """Tokens: the operator's own figure (the options `context_window` or `num_ctx`), else that of the price table.

    None where neither knows the model. `context_window` may be one number, or a number for each model.
    """
    own = service.options.get("context_window") or service.options.get("num_ctx")
    if isinstance(own, Mapping):
        own = own.get(model)
    if isinstance(own, int) and own > 0:
        return own
    return _listed(model, service.base_url)


@lru_cache(maxsize=1024)
def _listed(model: str, base_url: str) -> int | None:
    # As with prices, what is known about a vendor's model says nothing about one of the same name elsewhere.
    if not model or not base_url:
        return None
    try:
        return genai_prices.calc_price(genai_prices.Usage(), model, provider_api_url=base_url).model.context_window
    except LookupError:
        return None
