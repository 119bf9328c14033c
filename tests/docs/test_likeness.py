from __future__ import annotations

from typing import Any

import pytest

from tests.docs.likeness import differences, pattern_of

TASK = {
    "task_id": "01a2060f-e649-74fb-aca1-e65a7bc908e4",
    "status": "completed",
    "cost": 0.5,
    "tokens": 27,
    "tools": [],
}


@pytest.mark.parametrize(
    "shown",
    [
        {**TASK, "task_id": "01a21918-c003-746e-a54a-ea8a811aca8e", "tokens": 7},
        {"status": "completed", "…": "…"},
        {**TASK, "status": "comp…"},
        {**TASK, "tools": ["…"]},
    ],
)
def test_what_differs_from_run_to_run_may_differ(shown: Any) -> None:
    assert list(differences(shown, TASK)) == []


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({**TASK, "status": "failed"}, ".status is 'completed', not like 'failed'"),
        ({**TASK, "cost": None}, ".cost is 0.5, not like None"),
        ({**TASK, "cost": 0.25}, ".cost is 0.5, not 0.25"),
        ({**TASK, "tokens": True}, ".tokens is 27, not like True"),
        ({**TASK, "tokens": "27"}, ".tokens is 27, not like '27'"),
        ({**TASK, "more": 1}, ".more is not there"),
        ({"status": "completed"}, ".cost is not shown"),
        ({**TASK, "tools": [{}]}, ".tools holds [], not 1"),
        ({**TASK, "tools": [{}, "…"]}, ".tools holds nothing like {}: []"),
        ([], f"the answer is {TASK!r}, not like []"),
    ],
)
def test_a_page_that_shows_something_else_is_found_out(shown: Any, told: str) -> None:
    assert told in list(differences(shown, TASK))


def test_numbers_within_a_text_may_differ_but_not_its_words() -> None:
    wanted = pattern_of('data: {"cost":0.25,…,"model":"llama2"}')
    assert wanted.fullmatch('data: {"cost":1e-06,"usage":{},"model":"llama2"}')
    assert not wanted.fullmatch('data: {"cost":1e-06,"usage":{},"model":"llama3"}')
