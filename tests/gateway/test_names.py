"""What `model` may say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway import names
from gateway.names import ModelNotFoundError, Named
from services import health
from services.adapters.base import ErrorKind, ProviderError
from services.health import Health
from services.models import Service

MakeService = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def knows(service: MakeService) -> Callable[..., None]:
    """A service that has told its models."""

    def make(name: str, *models: str, **fields: Any) -> None:
        service(name, **fields)
        health._known[name] = Health(True, datetime.now(UTC), 1.0, models=frozenset(models))

    return make


def test_auto_leaves_everything_to_oxide() -> None:
    assert names.resolve("auto") == Named()


def test_auto_with_a_type_of_task() -> None:
    assert names.resolve("auto/translation").task_type == "translation"
    with pytest.raises(ModelNotFoundError, match="auto/code_generation"):
        names.resolve("auto/nonsense")


def test_a_service_alone_means_its_own_model(knows: Callable[..., None]) -> None:
    knows("first", "alpha")
    assert names.resolve("first") == Named(service="first")


def test_a_service_and_a_model_which_may_hold_slashes_and_colons(knows: Callable[..., None]) -> None:
    knows("first", "alpha")
    assert names.resolve("first/meta/llama:70b") == Named(service="first", model="meta/llama:70b")


def test_a_model_that_some_service_has(knows: Callable[..., None]) -> None:
    knows("first", "alpha")
    assert names.resolve("alpha") == Named(model="alpha")


def test_a_model_that_no_service_lists_is_for_the_providers_to_judge(knows: Callable[..., None]) -> None:
    knows("first", "alpha")
    knows("strict", allowed_models=["alpha"])
    assert names.resolve("gamma") == Named(model="gamma")
    assert names.resolve("first/ft:gamma:me") == Named(service="first", model="ft:gamma:me")


def test_a_model_that_every_service_is_restricted_from_is_not_found(knows: Callable[..., None]) -> None:
    knows("strict", "gamma", allowed_models=["alpha"])
    knows("off", "gamma", enabled=False, model="beta")
    knows("builtin", type="builtin", model="")
    Service.objects.create(name="program", type="cli", command=["summarize"])
    with pytest.raises(ModelNotFoundError, match="GET /v1/models"):
        names.resolve("delta")


def test_a_model_outside_the_allow_list_of_the_service_named_with_it_is_not_found(knows: Callable[..., None]) -> None:
    knows("open")
    knows("strict", "gamma", allowed_models=["alpha", "beta"])
    with pytest.raises(ModelNotFoundError, match=r"'gamma'\. Name one of its models: alpha, beta\.$"):
        names.resolve("strict/gamma")


def test_a_model_is_shown_unless_every_service_is_known_not_to_list_it(
    knows: Callable[..., None], service: MakeService
) -> None:
    knows("first", "alpha")
    with pytest.raises(ModelNotFoundError, match="GET /v1/models"):
        names.offer("gamma")
    assert names.offer("alpha").service == "first"
    service("silent")
    assert names.offer("gamma").service == "oxide"


def test_an_unhealthy_service_offers_what_it_listed_before(knows: Callable[..., None]) -> None:
    knows("first", "beta")
    health.note_failure("first", ProviderError(ErrorKind.CONNECT, "first cannot be reached."))
    assert {"first/alpha", "first/beta"} <= {offer.id for offer in names.offers()}


def test_a_name_that_begins_like_a_service_is_a_whole_one_where_only_another_has_it(
    knows: Callable[..., None],
) -> None:
    knows("anthropic", "claude-5")
    knows("openrouter", "anthropic/claude-5", "anthropic/claude-4")
    assert names.resolve("anthropic/claude-5") == Named(service="anthropic", model="claude-5")
    assert names.resolve("anthropic/claude-4") == Named(model="anthropic/claude-4")
    assert names.resolve("anthropic/claude-6") == Named(service="anthropic", model="claude-6")


def test_what_is_offered_can_be_asked_for(knows: Callable[..., None]) -> None:
    knows("first", "alpha", "meta/llama:70b")
    knows("off", "beta", enabled=False)
    offered = [offer.id for offer in names.offers()]
    assert offered[0] == "auto"
    assert {"first/alpha", "first/meta/llama:70b"} <= set(offered)
    assert not any(offer.startswith("off/") for offer in offered)
    for name in offered:
        assert names.offer(name).id == name
