"""GET /metrics"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys.identity import Scope
from services import health
from services.breaker import breakers
from services.models import Service
from snapshots import snapshot
from tests.monitoring.conftest import FAILED, Record
from tests.people import bearer, make_key

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(client: APIClient) -> Samples:
    answer = client.get("/metrics", headers={"accept": "text/plain;version=0.0.4;q=0.9"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def one(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_tasks_attempts_tokens_and_cost_are_counted(client: APIClient, record: Record) -> None:
    record()
    record({"service": "first", **FAILED}, {"service": "second"})
    record(FAILED, status="failed")
    samples = scrape(client)
    assert one(samples, "oxide_tasks_total", status="completed") == 2
    assert one(samples, "oxide_tasks_total", status="failed") == 1
    assert one(samples, "oxide_tasks_stored", status="completed") == 2
    assert one(samples, "oxide_attempts_total", service="first", status="failed") == 2
    assert one(samples, "oxide_attempts_total", service="second", status="completed") == 1
    assert one(samples, "oxide_tokens_total", service="first", kind="prompt") == 100
    assert one(samples, "oxide_cost_dollars_total", service="second") == 0.002


def test_the_histogram_is_cumulative_and_ends_at_its_count(client: APIClient, record: Record) -> None:
    for latency in (4.0, 400.0, 40_000.0):
        record({"latency_ms": latency})
    samples = scrape(client)
    name = "oxide_attempt_duration_seconds"
    bounds = sorted(
        (float(dict(labels)["le"]), value) for (found, labels), value in samples.items() if found == f"{name}_bucket"
    )
    assert [value for _, value in bounds] == sorted(value for _, value in bounds)
    assert dict(bounds)[0.01] == 1
    assert dict(bounds)[1.0] == 2
    assert one(samples, f"{name}_bucket", service="first", le="+Inf") == 3
    assert one(samples, f"{name}_count", service="first") == 3
    assert one(samples, f"{name}_sum", service="first") == pytest.approx(40.404)


def test_services_and_this_process_are_told(client: APIClient, service: Callable[..., Service]) -> None:
    health.check(service("first").config)
    for _ in range(10):
        breakers["first"].record_failure()
    samples, pid = scrape(client), str(os.getpid())
    assert one(samples, "oxide_service_healthy", service="first", pid=pid) == 1
    assert one(samples, "oxide_breaker_state", service="first", state="open", pid=pid) == 1
    assert one(samples, "oxide_breaker_state", service="first", state="closed", pid=pid) == 0
    assert one(samples, "oxide_calls_in_flight", service="first", pid=pid) == 0
    assert one(samples, "oxide_process_resident_memory_bytes", pid=pid) > 1_000_000
    assert one(samples, "oxide_build_info", version=settings.VERSION) == 1


@pytest.mark.django_db
def test_a_scraper_that_asks_for_openmetrics_gets_it(client: APIClient) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    answer = client.get("/metrics", headers={"accept": accept})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


@pytest.mark.django_db
def test_another_method_is_refused_as_json(client: APIClient) -> None:
    answer = client.post("/metrics", headers={"accept": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.django_db(transaction=True)
def test_where_identity_is_on_a_scraper_needs_a_key_that_may_read(client: APIClient, settings: Settings) -> None:
    settings.AUTH_ENABLED = True
    snapshot.forget_all()
    answer = client.get("/metrics", headers={"accept": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
    assert client.get("/metrics", headers=bearer(make_key("runs", Scope.EXECUTE))).status_code == 403
    assert client.get("/metrics", headers=bearer(make_key("scrapes", Scope.READ))).status_code == 200
