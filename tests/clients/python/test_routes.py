"""Whether the clients keep up with the API."""

from __future__ import annotations

import inspect
import re
import tomllib

import oxide_client
from oxide_client import calls
from oxide_client.calls import Call
from tests.live import ROOT, LiveOxide

# For programs that speak other dialects, for Prometheus and for people; and a second way to change a rule.
ELSEWHERE = re.compile(r"^/v1/|^/metrics|^/openapi|^/docs|^/redoc")
SECOND_WAYS = {("PUT", "/api/routing/rules/*")}


def calls_of_the_client() -> set[tuple[str, str]]:
    """Method and path of each call, with "*" for every name and id."""
    made: set[tuple[str, str]] = set()
    for _, make in inspect.getmembers(calls, inspect.isfunction):
        signature = inspect.signature(make)
        if str(signature.return_annotation).startswith("Call["):
            needed = [each for each in signature.parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
            for switch in ({"on": True}, {"on": False}) if "on" in signature.parameters else ({},):
                call: Call[object] = make(*map(value_for, needed), **switch)
                made.add((call.method, re.sub(r"/(x|1)(?=/|$)", "/*", call.path).rstrip("/")))
    return made


def value_for(parameter: inspect.Parameter) -> object:
    if parameter.annotation == "int":
        return 1
    return {} if "Mapping" in str(parameter.annotation) else "x"


def test_the_clients_have_every_call_of_the_api_and_no_other(live: LiveOxide) -> None:
    paths = live.get("/openapi.json").json()["paths"]
    there = {
        (method.upper(), re.sub(r"{\w+}", "*", path).rstrip("/"))
        for path, methods in paths.items()
        if not ELSEWHERE.search(path)
        for method in methods
    }
    assert calls_of_the_client() == there - SECOND_WAYS


def test_the_package_says_one_version() -> None:
    project = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())["project"]
    assert project["version"] == oxide_client.__version__
