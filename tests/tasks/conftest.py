from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from routing.models import DefaultRoute
from services.models import Service

# The test client adds `json()` to an answer; its stubs have no public name for that.
Execute = Callable[..., Any]


@pytest.fixture
def execute(client: APIClient) -> Execute:
    """Post a task; everything but the prompt is given by the test."""

    def post(**body: Any) -> Any:
        prompt = {} if "messages" in body else {"prompt": "What is quantum computing?"}
        return client.post("/api/tasks/execute/", {**prompt, **body}, format="json")

    return post


@pytest.fixture
def default_order() -> Callable[..., None]:
    def set_order(*services: Service) -> None:
        for position, service in enumerate(services):
            DefaultRoute.objects.create(service=service, position=position)

    return set_order
