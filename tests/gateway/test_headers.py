from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.http.response import BadHeaderError

from gateway import headers


def test_they_are_set_as_one_by_one() -> None:
    response = HttpResponse(headers={"Allow": "GET"})
    headers.put(response, {"X-Many": "1", "allow": "POST"})
    assert (response["x-many"], response["Allow"]) == ("1", "POST")
    assert headers.all_of(response) == [*response.items()]


def test_cookies_are_among_all_of_them() -> None:
    response = HttpResponse()
    response.set_cookie("a", "1")
    assert headers.all_of(response)[-1] == ("Set-Cookie", "a=1; Path=/")


@pytest.mark.parametrize("value", ["a\nb", "a\rb"])
def test_none_ends_early(value: str) -> None:
    with pytest.raises(BadHeaderError, match="X-Odd"):
        headers.put(HttpResponse(), {"X-Odd": value})
