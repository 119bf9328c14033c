from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from apikeys.addresses import address_of

PROXY = "10.0.0.1"


def seen(remote: str, *forwarded: str) -> str:
    headers = {"HTTP_X_FORWARDED_FOR": ", ".join(forwarded)} if forwarded else {}
    return address_of(RequestFactory().get("/", REMOTE_ADDR=remote, **headers))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def proxies(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def test_the_header_of_a_stranger_is_not_read() -> None:
    assert seen("203.0.113.7", "198.51.100.1") == "203.0.113.7"


def test_without_declared_proxies_nobody_is_believed(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = []
    assert seen("127.0.0.1", "198.51.100.1") == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["1.2.3.4", "203.0.113.7"], "203.0.113.7"),  # the left one is made up
        (["1.2.3.4", "203.0.113.7", "10.9.9.9"], "203.0.113.7"),  # two proxies of ours
        (["10.1.1.1", "10.2.2.2"], "10.1.1.1"),  # all of them ours: the outermost
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["[2001:db8::7]:4711"], "2001:db8::/64"),
        (["2001:db8::7"], "2001:db8::/64"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7", "nonsense"], PROXY),
        (["nonsense", "203.0.113.7"], "203.0.113.7"),
        ([""], PROXY),
        ([","], PROXY),
        ([], PROXY),
    ],
)
def test_a_declared_proxy_is_believed_as_far_as_it_saw(forwarded: list[str], address: str) -> None:
    assert seen(PROXY, *forwarded) == address


def test_a_mapped_proxy_is_a_proxy() -> None:
    assert seen("::ffff:10.0.0.1", "203.0.113.7") == "203.0.113.7"
    assert seen("fd00::1", "203.0.113.7") == "203.0.113.7"


def test_walking_through_a_network_of_ipv6_does_not_help() -> None:
    walked = {seen(f"2001:db8:0:1::{host:x}") for host in range(1, 50)}
    assert walked == {"2001:db8:0:1::/64"}
    assert seen("2001:db8:0:2::1") == "2001:db8:0:2::/64"


def test_a_request_without_an_address_is_counted_too() -> None:
    assert seen("") == "None"
