"""Streams through the client: piece by piece, broken off, and left."""

from __future__ import annotations

import pytest

from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.typescript import Workspace
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]

PACE = 0.05


def test_streams_come_piece_by_piece_and_what_is_left_is_called_off(
    workspace: Workspace, oxide: LiveOxide, provider: FakeProvider
) -> None:
    for service in ("first", "left", "aborted"):
        provider.pace(PACE, service)
    provider.misbehave("hang", service="hanging")
    provider.misbehave("stream_error", service="breaking")
    provider.misbehave("status", service="failing", status=500)
    seen = workspace.see("streaming.mjs", oxide.url)

    assert seen["types"] == ["task", *["delta"] * seen["pieces"], "usage", "done"]
    begun, usage, done = seen["events"][0][1], seen["events"][-2][1], seen["events"][-1][1]
    assert (begun["service"], begun["task_type"]) == ("first", "question_answer")
    assert seen["text"] == TEXT == done["result"]
    assert usage["usage"] == done["usage"]
    # Had they been held back, they would have come at one moment.
    assert seen["pieces"] > 5
    assert seen["spreadMs"] > (seen["pieces"] - 1) * PACE * 1000 / 2

    assert seen["left"] == ["task", "delta"]
    assert seen["aborted"] == ["AbortError", ["task", "delta"]]
    assert seen["hanging"] == "TimeoutError"
    assert seen["histories"] == [["left", "cancelled"], ["aborted", "cancelled"], ["hanging", "cancelled"]]
    wait_until(lambda: provider.hangups == 3)  # the provider's connections are closed, too

    assert seen["broken"] == {
        "types": ["task", "delta", "error"],
        "isProviderError": True,
        "attempts": ["breaking"],
        "taskId": True,
    }
    assert seen["refused"] == ["ProviderError", 502, 0, 1]
    assert seen["failed"] == ["ProviderError", 500]
    is_validation, detail = seen["unknown"]
    assert is_validation
    assert "nobody" in detail
