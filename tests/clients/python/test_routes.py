"""Whether the client keeps up with the API."""

from __future__ import annotations

import inspect

from oxide_client import calls
from oxide_client.calls import Call
from tests.clients.operations import Operations
from tests.live import LiveOxide


def requests_of_the_client() -> set[tuple[str, str]]:
    """Method and path of each call."""
    made: set[tuple[str, str]] = set()
    for _, make in inspect.getmembers(calls, inspect.isfunction):
        signature = inspect.signature(make)
        if str(signature.return_annotation).startswith("Call["):
            needed = [each for each in signature.parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
            for switch in ({"on": True}, {"on": False}) if "on" in signature.parameters else ({},):
                call: Call[object] = make(*map(value_for, needed), **switch)
                made.add((call.method, call.path))
    return made


def value_for(parameter: inspect.Parameter) -> object:
    if parameter.annotation == "int":
        return 1
    return {} if "Mapping" in str(parameter.annotation) else "x"


def test_the_client_has_every_call_of_the_api_and_no_other(live: LiveOxide) -> None:
    operations = Operations.of(live)
    assert operations.called_by(requests_of_the_client()) == operations.needed
