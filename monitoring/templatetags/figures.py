"""Figures as people read them."""

from __future__ import annotations

from django import template

from monitoring.costs import Spent
from services.prices import CostBasis

register = template.Library()


@register.filter
def figure(number: int) -> str:
    return f"{number:,}"


@register.filter
def dollars(amount: float) -> str:
    """Cents, and where there are less, as many places as it takes to see something."""
    if not amount:
        return "$0"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}" if amount >= 0.0001 else "under $0.0001"


@register.filter
def cost(spent: Spent) -> str:
    """Never nothing where it is not known."""
    unknown = spent["by_basis"][CostBasis.UNKNOWN]["requests"]
    if unknown and unknown == spent["requests"]:
        return "unknown"
    return f"at least {dollars(spent['cost'])}" if unknown else dollars(spent["cost"])
