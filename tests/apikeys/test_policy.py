from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError
from pytest_django import Settings

from apikeys import policy
from apikeys.models import SecurityPolicy
from snapshots import snapshot
from snapshots.models import Revision

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_in_the_environment(settings: Settings) -> None:
    settings.AUTH_ENABLED = None
    settings.RATE_LIMIT_ANON = settings.RATE_LIMIT_USER = ""
    settings.ENVIRONMENT_HOSTS = []
    settings.ALLOWED_HOSTS = list(settings.ALLOWED_HOSTS)
    snapshot.forget_all()


def test_without_a_word_from_anybody_the_usual_holds() -> None:
    assert policy.current() == policy.Policy(
        auth_enabled=False,
        anonymous_rate="100/m",
        authenticated_rate="1000/m",
        allowed_hosts=("localhost", "127.0.0.1", "[::1]"),
        cors_origins=(),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("auth_enabled", True),
        ("anonymous_rate", "5/s"),
        ("authenticated_rate", "0"),
        ("cors_origins", ["https://app.example.org"]),
    ],
)
def test_what_is_declared_holds_at_once(field: str, value: Any) -> None:
    policy.current()
    assert policy.declare(**{field: value}) == (field,)
    held = getattr(policy.current(), field)
    assert (list(held) if isinstance(value, list) else held) == value


def test_what_is_not_named_stays() -> None:
    policy.declare(auth_enabled=True, anonymous_rate="5/s")
    assert policy.declare(anonymous_rate="6/s") == ("anonymous_rate",)
    assert policy.current().auth_enabled


def test_declaring_what_holds_already_changes_nothing() -> None:
    policy.declare(auth_enabled=True, cors_origins=["https://app.example.org"])
    before = Revision.numbers()
    assert policy.declare(auth_enabled=True, cors_origins=("https://app.example.org",)) == ()
    assert Revision.numbers() == before


def test_hosts_take_effect_at_once_and_in_place(settings: Settings) -> None:
    hosts = settings.ALLOWED_HOSTS
    policy.current()
    policy.declare(allowed_hosts=["oxide.example.org"])
    assert settings.ALLOWED_HOSTS is hosts
    assert hosts == ["localhost", "127.0.0.1", "[::1]", "oxide.example.org"]
    policy.declare(allowed_hosts=[])
    assert hosts == ["localhost", "127.0.0.1", "[::1]"]


def test_the_environment_wins(settings: Settings) -> None:
    policy.declare(auth_enabled=True, anonymous_rate="5/s", authenticated_rate="6/s", allowed_hosts=["a.example"])
    settings.AUTH_ENABLED = False
    settings.RATE_LIMIT_ANON, settings.RATE_LIMIT_USER = "7/s", "0"
    settings.ENVIRONMENT_HOSTS = ["b.example"]
    before = list(settings.ALLOWED_HOSTS)
    snapshot.forget_all()
    held = policy.current()
    assert (held.auth_enabled, held.anonymous_rate, held.authenticated_rate) == (False, "7/s", "0")
    assert held.allowed_hosts == ("b.example",)
    assert before == settings.ALLOWED_HOSTS


def test_there_is_one_policy() -> None:
    SecurityPolicy.objects.create()
    with pytest.raises(IntegrityError):
        SecurityPolicy.objects.create(id=2)
