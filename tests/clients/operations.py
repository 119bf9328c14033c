"""The operations of the API that a client has to have, by /openapi.json."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tests.live import LiveOxide

_OTHER_DIALECT = "for programs that speak another API, which have a client of their own"
WITHOUT_A_METHOD = {
    ("POST", "/v1/chat/completions"): _OTHER_DIALECT,
    ("POST", "/v1/completions"): _OTHER_DIALECT,
    ("POST", "/v1/embeddings"): _OTHER_DIALECT,
    ("POST", "/v1/responses"): _OTHER_DIALECT,
    ("POST", "/v1/messages"): _OTHER_DIALECT,
    ("POST", "/v1/messages/count_tokens"): _OTHER_DIALECT,
    ("GET", "/v1/models"): _OTHER_DIALECT,
    ("GET", "/v1/models/{model}"): _OTHER_DIALECT,
    ("GET", "/metrics"): "for Prometheus, in its own format",
    ("PUT", "/api/routing/rules/{id}"): "a second way to change a rule: both clients send PATCH",
}


@dataclass(frozen=True)
class Operations:
    all: frozenset[tuple[str, str]]
    """Method and path, as the document writes it, without a slash at its end."""

    @classmethod
    def of(cls, live: LiveOxide) -> Self:
        paths = live.get("/openapi.json").json()["paths"]
        return cls(frozenset((method.upper(), path.rstrip("/")) for path in paths for method in paths[path]))

    @property
    def needed(self) -> frozenset[tuple[str, str]]:
        assert self.all >= WITHOUT_A_METHOD.keys()
        return self.all - WITHOUT_A_METHOD.keys()

    def called_by(self, requests: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """The operation of each request; the request itself where there is none."""
        return {self._operation_of(method, path.partition("?")[0].rstrip("/")) for method, path in requests}

    def _operation_of(self, method: str, path: str) -> tuple[str, str]:
        fitting = [each for each in self.all if each[0] == method and _fits(each[1], path)]
        # Words that a path names win over names and ids.
        return min(fitting, key=lambda each: each[1].count("{"), default=(method, path))


def _fits(template: str, path: str) -> bool:
    return bool(re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path))
