from __future__ import annotations

from benchmarks import table

ROUNDS = {
    "direct": [{"answers/s, 1": 1000.0, "p50, 1": 0.1}, {"answers/s, 1": 3000.0, "p50, 1": 0.3}],
    "oxide": [{"answers/s, 1": 200.0, "p50, 1": 2.2}],
    "portkey": [{"answers/s, 1": 100.0}],
}


def test_latency_is_what_a_target_adds_to_the_direct_call() -> None:
    found = table.medians(ROUNDS)
    assert found["direct"]["answers/s, 1"] == 2000
    assert found["oxide"]["added p50, 1"] == 2.0
    assert "added p50, 1" not in found["direct"] | found["portkey"]


def test_each_figure_is_a_row_with_its_ratio_to_the_peer() -> None:
    head, _, first, *rest = table.markdown(table.medians(ROUNDS)).splitlines()
    assert head == "| | direct | oxide | portkey | oxide / portkey |"
    assert first == "| answers/s, 1 | 2,000 | 200 | 100 | 2.00 |"
    assert rest == [
        "| p50, 1 | 0.20 | 2.20 |  |  |",
        "| added p50, 1 |  | 2.00 |  |  |",
        "| part of direct answers/s, 1 |  | 0.10 | 0.0500 | 2.00 |",
    ]


def test_a_round_that_failed_leaves_its_figures_to_the_others() -> None:
    found = table.medians({"oxide": [{"errors, 1": 7.0}, {"errors, 1": 0.0, "answers/s, 1": 200.0}]})
    assert found["oxide"] == {"errors, 1": 7.0, "answers/s, 1": 200.0}
