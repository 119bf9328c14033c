"""What the terms of a call (`Usage.terms`) do to the price of its tokens, where no price list says it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

Term = tuple[str, str]

_FACTORS: Final = {
    # https://developers.openai.com/api/docs/guides/flex-processing, https://ai.google.dev/gemini-api/docs/optimization
    ("service_tier", "flex"): Decimal("0.5"),
    # https://platform.claude.com/docs/en/build-with-claude/batch-processing#pricing, and the same at OpenAI, Google,
    # Groq and Mistral
    ("processing", "batch"): Decimal("0.5"),
    # https://platform.claude.com/docs/en/about-claude/pricing#data-residency-pricing
    ("inference_geo", "us"): Decimal("1.1"),
}
# Where the factor depends on the model: 1.7 to 2 at OpenAI, 1.75 to 2 at Google.
# https://openai.com/api-priority-processing/, https://ai.google.dev/gemini-api/docs/optimization
_APPROXIMATE: Final = {("service_tier", "priority"): Decimal(2)}


def factor_of(terms: Iterable[Term]) -> tuple[Decimal, bool]:
    """What to multiply the price of the tokens with, and whether that is exactly what the vendor charges."""
    factor, is_exact = Decimal(1), True
    for term in terms:
        known = _FACTORS.get(term)
        is_exact = is_exact and known is not None
        factor *= known or _APPROXIMATE.get(term, Decimal(1))
    return factor, is_exact
