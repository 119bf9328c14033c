"""The figures of a run as one table, with the ratios that hold where a machine's own speed does not."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

Rounds = Mapping[str, Sequence[Mapping[str, float]]]
"""By target, the figures of each round."""

_ADDED = ("p50", "p95", "p99")
_PER_SECOND = ("answers/s", "streams/s", "chunks/s")


def medians(rounds: Rounds) -> dict[str, dict[str, float]]:
    """By target, with what each adds to the direct call's latencies, and which part of its speed is left.

    Of errors not the median, but the most.
    """
    found = {
        name: {figure: _middle(figure, [each[figure] for each in some if figure in each]) for figure in _names(some)}
        for name, some in rounds.items()
    }
    direct = found.get("direct", {})
    for name, figures in found.items():
        if name != "direct":
            figures |= {
                f"added {figure}": value - direct[figure]
                for figure, value in figures.items()
                if figure.startswith(_ADDED) and figure in direct
            }
            figures |= {
                f"part of direct {figure}": value / direct[figure]
                for figure, value in figures.items()
                if figure.startswith(_PER_SECOND) and direct.get(figure)
            }
    return found


def markdown(found: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each figure, a column for each target, then what Oxide is of each peer."""
    names = list(found)
    peers = [name for name in ("litellm", "portkey") if name in found]
    heads = [*names, *(f"oxide / {peer}" for peer in peers)]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for figure in dict.fromkeys(figure for figures in found.values() for figure in figures):
        cells = [_number(found[name].get(figure)) for name in names]
        cells += [_ratio(found["oxide"].get(figure), found[peer].get(figure)) for peer in peers]
        lines.append(f"| {figure} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _names(some: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(figure for each in some for figure in each))


def _middle(figure: str, values: Sequence[float]) -> float:
    return max(values) if "errors" in figure else statistics.median(values)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    places = 0 if abs(value) >= 100 or not value else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{places}f}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.2f}" if ours is not None and theirs else ""
