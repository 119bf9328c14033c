"""Figures as people read them."""

from __future__ import annotations

from django import template

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
