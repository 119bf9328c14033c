"""The benchmark: `make bench`; `make bench PEERS=1` for LiteLLM and Portkey in the same run; `make bench GROWTH=1` for
what a long history, many rules and many onlookers cost.

Every target runs in each round, in turn, so that a machine that is busier at one moment than at another touches all of
them. Absolute figures are this machine's; the ratios are what counts. Writes `var/bench.md` and `var/bench.json`, or
`var/growth.md` and `var/growth.json`.
"""

from __future__ import annotations

import argparse
import json
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

from benchmarks import pages, peers, scenarios, table, targets
from benchmarks.targets import ROOT, Target


class Start(Protocol):
    def __call__(self, mock: Target) -> AbstractContextManager[Target]: ...


OXIDES: dict[str, Start] = {
    "oxide": partial(targets.oxide, "oxide"),
    "oxide without limits": partial(targets.oxide, "oxide without limits", limits=False),
    "oxide without history": partial(targets.oxide, "oxide without history", history=False),
    "oxide with identity": partial(targets.oxide, "oxide with identity", identity=True),
}
GROWN: dict[str, Start] = {
    "oxide": partial(targets.oxide, "oxide"),
    "1,000,000 tasks": partial(targets.oxide, "1,000,000 tasks", tasks=1_000_000),
    "1,000 rules": partial(targets.oxide, "1,000 rules", rules=1_000),
    "1,000 sockets": partial(targets.oxide, "1,000 sockets", onlookers=1_000),
    "10 dashboards": partial(targets.oxide, "10 dashboards", dashboards=10),
}
PEERS: dict[str, Start] = {"litellm": targets.litellm, "portkey": targets.portkey}


def run(starts: dict[str, Start], mock: Target, rounds: int, seconds: int) -> table.Rounds:
    starts = {"direct": _without_anything_between, **starts}
    found: dict[str, list[scenarios.Figures]] = {name: [] for name in starts}
    for number in range(rounds):
        for name in list(starts) if number % 2 == 0 else reversed(list(starts)):
            with starts[name](mock) as target:
                figures = {} if name == "direct" else scenarios.size(target)
                figures |= scenarios.whole_answers(target, seconds) | scenarios.streams(target, seconds)
                if name == "oxide":
                    figures |= scenarios.waiting(target) | pages.first_paints(target)
            found[name].append(figures)
            _tell(number, name, figures)
    return found


def grow(mock: Target, rounds: int, seconds: int) -> table.Rounds:
    """What is stored or connected must cost an answer nothing. All of them run at once, and are asked in turn."""
    found: dict[str, list[scenarios.Figures]] = {name: [] for name in GROWN}
    with ExitStack() as stack:
        running = {name: stack.enter_context(start(mock)) for name, start in GROWN.items()}
        for number in range(rounds):
            for name in list(running) if number % 2 == 0 else reversed(list(running)):
                figures = scenarios.whole_answers(running[name], seconds)
                found[name].append(figures | scenarios.one_after_another(running[name]))
                _tell(number, name, figures)
    with GROWN["oxide"](mock) as target:
        found["oxide"][0] |= scenarios.memory_in_time(target)
    return found


def _without_anything_between(mock: Target) -> AbstractContextManager[Target]:
    return nullcontext(mock)


def _tell(number: int, name: str, figures: scenarios.Figures) -> None:
    say(f"round {number + 1}, {name}: {figures.get('answers/s, 32', 0):,.0f} answers/s at 32 clients")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - for whoever waits for it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Oxide.")
    parser.add_argument("--peers", action="store_true", help="LiteLLM and Portkey, too; they are installed if need be")
    parser.add_argument("--growth", action="store_true", help="what a long history, rules and onlookers cost, instead")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each load (default: %(default)s)")
    wanted = parser.parse_args()
    if wanted.peers:
        peers.install()
    with targets.provider() as mock:
        if wanted.growth:
            rounds = grow(mock, wanted.rounds, wanted.seconds)
        else:
            rounds = run(OXIDES | (PEERS if wanted.peers else {}), mock, wanted.rounds, wanted.seconds)
    found, name = table.medians(rounds), "growth" if wanted.growth else "bench"
    Path(ROOT, "var").mkdir(exist_ok=True)
    Path(ROOT, "var", f"{name}.json").write_text(json.dumps(found, indent=1))
    Path(ROOT, "var", f"{name}.md").write_text(table.markdown(found))
    say(f"\n{table.markdown(found)}\nAlso in var/{name}.md and var/{name}.json.")


if __name__ == "__main__":
    main()
