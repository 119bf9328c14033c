"""A newcomer's first minutes with a real process."""

from __future__ import annotations

import time

import pytest

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide


def test_a_first_task_needs_no_provider(live: LiveOxide) -> None:
    live.start(on_nothing=True)
    answer = live.execute(prompt="Explain quantum computing", service="echo")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "completed"
    assert body["result"] == "Explain quantum computing"
    assert (body["service_used"], body["model_used"], body["cost"]) == ("echo", "echo", 0.0)
    assert live.get(f"/api/tasks/{body['task_id']}").json()["attempts"][0]["status"] == "completed"


def test_the_first_start_makes_an_admin_with_a_random_password_and_says_so_once(live: LiveOxide) -> None:
    live.start()
    assert live.log.count("Made the user admin with the password") == 1
    assert live.stop() == 0
    live.start()
    assert live.log.count("Made the user admin with the password") == 1


@pytest.mark.parametrize("api", ["openai", "ollama", "anthropic", "gemini"])
def test_each_kind_of_server_does_the_task(live: LiveOxide, provider: FakeProvider, api: str) -> None:
    live.declare("mine", provider.base_url(api), api=api, price={"input_per_million": 2, "output_per_million": 10})
    live.start()
    body = live.execute().json()
    assert body["status"] == "completed", body
    assert body["result"].startswith("Quantum computing")
    assert (body["service_used"], body["model_used"]) == ("mine", "alpha")
    assert body["tokens_used"] == 12 + 15
    assert body["cost"] == pytest.approx((12 * 2 + 15 * 10) / 1_000_000)
    assert body["cost_basis"] == "computed"


def test_a_program_does_the_task(live: LiveOxide) -> None:
    live.declare("shout", type="cli", command=["tr", "a-z", "A-Z"], model="")
    live.start()
    body = live.execute(prompt="louder, please").json()
    assert body["result"] == "LOUDER, PLEASE"
    assert body["service_used"] == "shout"
    assert not body["usage"]["reported"]
    assert (body["cost"], body["cost_basis"]) == (None, "unknown")


def test_the_second_service_takes_over_from_one_that_refuses_connections(
    live: LiveOxide, provider: FakeProvider
) -> None:
    live.declare("gone", "http://127.0.0.1:9/v1", api="openai", max_retries=0)
    live.declare("there", provider.base_url("ollama"), api="ollama")
    live.start()
    body = live.execute().json()
    assert body["service_used"] == "there"
    story = [
        (attempt["service"], attempt["status"], attempt["error_kind"])
        for attempt in live.get(f"/api/tasks/{body['task_id']}/").json()["attempts"]
    ]
    # The health check may have found out first; then the dead service is not even asked.
    assert story in ([("gone", "failed", "connect"), ("there", "completed", "")], [("there", "completed", "")])


def test_a_reload_reaches_the_running_process(live: LiveOxide, provider: FakeProvider) -> None:
    live.start()
    assert live.get("/api/services/").json()["total"] == 1
    live.declare("late", provider.base_url("openai"), api="openai").write_config()
    told = live.run("reload")
    assert "late" in told.stdout
    deadline = time.monotonic() + 10
    while "late" not in live.get("/api/services/").json()["services"]:
        assert time.monotonic() < deadline, "the running process did not follow"
        time.sleep(0.1)
    assert live.execute(service="late").json()["service_used"] == "late"
