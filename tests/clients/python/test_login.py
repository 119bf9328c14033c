"""Identity: logins that last, keys for programs, what is not allowed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oxide_client import ForbiddenError, Oxide, UnauthorizedError, answers
from tests.clients.python.driving import Make, spoil
from tests.clients.python.shapes import misfits
from tests.live import LiveOxide


@pytest.fixture
def admin(make: Make, guarded: LiveOxide) -> Any:
    oxide = make(guarded.url)
    assert misfits(oxide.login("admin", guarded.admin_password), answers.TokenPair) == []
    return oxide


def test_who_logs_in_calls_as_that_user(make: Make, guarded: LiveOxide, admin: Any) -> None:
    with pytest.raises(UnauthorizedError):
        make(guarded.url).execute_task("Hello", service="echo")
    assert admin.get_me()["name"] == "admin"
    assert admin.execute_task("Hello", service="echo")["result"] == "Hello"


def test_a_login_is_renewed_by_itself(admin: Any) -> None:
    spoil(admin)
    assert admin.get_me()["name"] == "admin"
    spoil(admin)
    assert [event["type"] for event in admin.stream_task("Hello", service="echo")][-1] == "done"


def test_many_threads_renew_a_login_once(guarded: LiveOxide) -> None:
    with Oxide(guarded.url) as oxide:
        oxide.login("admin", guarded.admin_password)
        spoil(oxide)
        with ThreadPoolExecutor(8) as pool:
            assert {me["name"] for me in pool.map(lambda _: oxide.get_me(), range(8))} == {"admin"}


def test_a_wrong_password_and_a_login_that_ended_are_told(make: Make, guarded: LiveOxide, admin: Any) -> None:
    with pytest.raises(UnauthorizedError, match="password"):
        make(guarded.url).login("admin", "wrong")
    with pytest.raises(UnauthorizedError, match="login"):
        make(guarded.url).refresh()
    pair = admin.refresh()
    assert misfits(admin.logout(), answers.LoggedOut) == []
    with pytest.raises(UnauthorizedError):
        make(guarded.url, pair["access_token"]).get_me()
    with pytest.raises(UnauthorizedError):
        admin.get_me()


def test_a_program_gets_a_key_and_may_do_what_it_is_for(make: Make, guarded: LiveOxide, admin: Any) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    made = admin.create_client_key("nightly", scopes=["read"], expires_at=end)
    assert misfits(made, answers.ClientKeyMade) == []
    program = make(guarded.url, made["key"])
    assert program.get_me()["kind"] == "key"
    with pytest.raises(ForbiddenError, match="scope execute"):
        program.execute_task("Hello", service="echo")
    other = admin.create_client_key("robot")
    assert other["scopes"] == ["execute"]
    robot = make(guarded.url, other["key"])
    done = robot.execute_task("Hello", service="echo")
    assert [task["id"] for task in robot.get_history()["tasks"]] == [done["task_id"]]
    assert misfits(admin.list_client_keys(), answers.ClientKeyList) == []
    for key in (made, other):
        admin.delete_client_key(key["id"])
    with pytest.raises(UnauthorizedError):
        program.get_me()
