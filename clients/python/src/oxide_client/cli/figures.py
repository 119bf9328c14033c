"""Figures as people read them; "" for what nobody knows."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Context


def moment(text: str) -> str:
    """In the time of the reader's own place."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def seconds(value: float | None, unit: str = " s") -> str:
    return "" if value is None else f"{value:.2f}{unit}"


def dollars(cost: float | None) -> str:
    """As the dashboard writes them: most answers cost less than a cent, and none of these may look free."""
    if cost is None:
        return ""
    if cost == 0:
        return "$0"
    if cost < 0.000001:
        return "< $0.000001"
    if cost >= 1:
        return f"${cost:,.2f}"
    rounding = Context(prec=2 if cost < 0.01 else 3, rounding=ROUND_HALF_UP)
    whole, _, fraction = f"{rounding.create_decimal(str(cost)).normalize():f}".partition(".")
    return f"${whole}.{fraction:0<2}"
