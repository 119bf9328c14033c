from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from routing.models import DefaultRoute, RoutingRule
from services.models import Service
from snapshots.snapshot import forget_all

AddService = Callable[..., Service]


@pytest.fixture(autouse=True)
def _fresh_snapshots() -> Iterator[None]:
    forget_all()
    yield
    forget_all()


@pytest.fixture
def add_service() -> AddService:
    def add(name: str, **fields: object) -> Service:
        values = {"api": "ollama", "base_url": "http://localhost:11434", "model": "small"}
        return Service.objects.create(name=name, **{**values, **fields})

    return add


@pytest.fixture
def add_rule() -> Callable[..., RoutingRule]:
    def add(rule_id: str, service: Service, task_type: str = "translation", **fields: object) -> RoutingRule:
        return RoutingRule.objects.create(id=rule_id, service=service, task_type=task_type, **fields)

    return add


@pytest.fixture
def add_default() -> Callable[..., DefaultRoute]:
    def add(service: Service, position: int) -> DefaultRoute:
        return DefaultRoute.objects.create(service=service, position=position)

    return add
