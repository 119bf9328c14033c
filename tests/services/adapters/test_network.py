"""A service's own headers, proxy and certificates, and addresses with a query or an endpoint in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.adapters.base import Adapter, ChatRequest, Connection, ErrorKind
from services.adapters.network import (
    DIRECT,
    Network,
    headers_problem,
    proxy_problem,
    resolved,
    shown_headers,
    shown_proxy,
)
from services.adapters.registry import adapter_class
from tests.authority import make_authority
from tests.fake_provider import TEXT, FakeProvider
from tests.fake_proxy import FakeProxy
from tests.services.adapters.asking import MakeAdapter, ask, call, failure

SECRET = "Zq8rT1uLw0Xc5vBn3MdK"
Reach = Callable[..., Adapter]


@pytest.fixture
def reach(provider: FakeProvider) -> Iterator[Reach]:
    """An adapter for OpenAI's protocol with these settings of its network."""
    made: list[Adapter] = []

    def make(base_url: str = "", *, env: dict[str, str] | None = None, api_key: str = "", **settings: Any) -> Adapter:
        url = base_url or provider.base_url("openai")
        found = resolved(
            settings.get("headers", {}), settings.get("proxy", ""), settings.get("ca_file", ""), url, env or {}
        )
        made.append(adapter_class("openai")(Connection("mine", base_url=url, api_key=api_key, network=found)))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def secure(provider: FakeProvider, tmp_path: Path) -> tuple[str, Path]:
    """The provider's address over TLS, and the certificate of the authority that vouches for it."""
    authority, context = make_authority(tmp_path)
    server = provider._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return provider.base_url("openai").replace("http://127.0.0.1", "https://localhost"), authority


# Headers


def test_headers_are_sent_with_their_variables(
    reach: Reach, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    headers = {"X-Team": "blue", "api-key": "${KEY}", "authorization": "Bearer ${ONE}.${TWO}"}
    adapter = reach(headers=headers, env={"KEY": " k-1\n", "ONE": "1", "TWO": "2"}, api_key="of-the-service")
    assert ask(adapter, question, way).text == TEXT
    sent = provider.last_call().headers
    assert (sent["x-team"], sent["api-key"], sent["authorization"]) == ("blue", "k-1", "Bearer 1.2")


@pytest.mark.parametrize("env", [{}, {"TOKEN_OF_TEAM": " "}])
def test_a_variable_that_is_not_set_is_named(
    reach: Reach, provider: FakeProvider, question: ChatRequest, way: str, env: dict[str, str]
) -> None:
    for settings in ({"headers": {"X-Team": "${TOKEN_OF_TEAM}"}}, {"proxy": "http://me:${TOKEN_OF_TEAM}@127.0.0.1:9"}):
        error = failure(reach(env=env, **settings), question, way)
        assert error.kind is ErrorKind.CONNECT
        assert "TOKEN_OF_TEAM, which is not set" in error.message
    assert provider.requests == []


@pytest.mark.parametrize("name", ["OXIDE_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "oxide_x"])
def test_a_variable_of_oxides_own_is_never_sent(
    reach: Reach, provider: FakeProvider, question: ChatRequest, name: str
) -> None:
    assert f"must not refer to {name}" in headers_problem({"X-Team": f"a ${{{name}}}"})
    assert f"must not refer to {name}" in proxy_problem(f"http://${{{name}}}@proxy.example:3128")
    failure(reach(headers={"X-Team": f"${{{name}}}"}, env={name: SECRET}), question, "complete")
    assert provider.requests == []


@pytest.mark.parametrize("value", [SECRET, f"Bearer {SECRET}", "${VALUE}", "Bearer ${VALUE}"])
def test_a_header_that_the_provider_quotes_is_not_shown(
    reach: Reach, provider: FakeProvider, question: ChatRequest, way: str, value: str
) -> None:
    said = f"No access with {SECRET}, that is {SECRET[:14]}***"
    provider.misbehave("status", status=403, body={"error": {"message": said}})
    error = failure(reach(headers={"X-Team": value}, env={"VALUE": SECRET}), question, way)
    assert "No access with [key], that is [key]" in error.message


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Team": "blue", "api-key": "${KEY}", "Authorization": "Bearer ${A_1}"},
        {"HTTP-Referer": "https://example.org/?a=b", "X-Sign": "$5 {x} $A"},
        {},
    ],
)
def test_headers_that_can_be_sent_are_taken(headers: dict[str, str]) -> None:
    assert headers_problem(headers) == ""


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ([], "must hold names with values"),
        ({"X Team": "a"}, "a name that no header can have"),
        ({"": "a"}, "a name that no header can have"),
        ({7: "a"}, "a name that no header can have"),
        ({"X-Team\r\nHost": "a"}, "a name that no header can have"),
        ({"Host": "a"}, "must not hold Host"),
        ({"content-length": "7"}, "must not hold content-length"),
        ({"Transfer-Encoding": "chunked"}, "must not hold Transfer-Encoding"),
        ({"Proxy-Authorization": "x"}, "must not hold Proxy-Authorization"),
        ({"X-Team": 7}, "holds no text for X-Team"),
        ({"X-Team": " "}, "holds no text for X-Team"),
        ({"X-Team": "a\r\nHost: b"}, "a character in X-Team that no header may hold"),
        ({"X-Team": "schlüssel"}, "a character in X-Team that no header may hold"),
        ({"X-Team": "${}"}, "a reference that is none"),
        ({"X-Team": "${A"}, "a reference that is none"),
        ({"X-Team": "${A-B}"}, "a reference that is none"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: Any, problem: str) -> None:
    assert problem in headers_problem(headers)


def test_of_headers_only_references_are_shown() -> None:
    headers = {"a": SECRET, "b": "${KEY}", "c": "Bearer ${KEY}", "d": f"Bearer {SECRET}", "e": f"{SECRET}${{KEY}}"}
    assert shown_headers(headers) == {"a": "***", "b": "${KEY}", "c": "Bearer ${KEY}", "d": "***", "e": "***"}


# Proxies


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_service_is_called_through_its_proxy(
    reach: Reach, provider: FakeProvider, question: ChatRequest, way: str, scheme: str
) -> None:
    with FakeProxy() as proxy:
        adapter = reach(proxy=f"{scheme}://{proxy.address}")
        assert ask(adapter, question, way).text == TEXT
        assert adapter.models(call())
    assert proxy.asked
    assert all(f"127.0.0.1:{provider.port}" in asked for asked in proxy.asked)


def test_over_tls_the_proxy_makes_a_tunnel_and_sees_no_key(
    reach: Reach, secure: tuple[str, Path], provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    url, authority = secure
    with FakeProxy() as proxy:
        adapter = reach(
            url, proxy=f"http://{proxy.address}", ca_file=str(authority), headers={"X-Team": SECRET}, api_key="k-9"
        )
        assert ask(adapter, question, way).text == TEXT
    assert proxy.asked[0].startswith(f"CONNECT localhost:{provider.port} ")
    assert "k-9" not in "".join(proxy.asked)
    assert SECRET not in "".join(proxy.asked)
    assert provider.last_call().headers["x-team"] == SECRET


@pytest.mark.parametrize(
    ("proxy", "env"),
    [
        ("http://me:${PASSWORD}@{}", {"PASSWORD": "p@ss:w/rd%41"}),
        ("http://${USER_NAME}:${PASSWORD}@{}", {"USER_NAME": "me", "PASSWORD": "p@ss:w/rd%41"}),
        ("${PROXY}", {"PROXY": "http://me:p%40ss%3Aw%2Frd%2541@{}"}),
    ],
)
@pytest.mark.parametrize("over_tls", [False, True])
def test_a_proxy_gets_its_name_and_password(
    reach: Reach,
    secure: tuple[str, Path],
    question: ChatRequest,
    proxy: str,
    env: dict[str, str],
    over_tls: bool,
) -> None:
    with FakeProxy("me:p@ss:w/rd%41") as fake, FakeProvider() as plain:
        env = {name: value.replace("{}", fake.address) for name, value in env.items()}
        url = secure[0] if over_tls else plain.base_url("openai")
        adapter = reach(url, proxy=proxy.replace("{}", fake.address), env=env, ca_file=str(secure[1]))
        assert adapter.complete(question, call()).text == TEXT


@pytest.mark.parametrize("over_tls", [False, True])
def test_a_proxy_that_refuses_is_named_without_its_password(
    reach: Reach, secure: tuple[str, Path], provider: FakeProvider, question: ChatRequest, way: str, over_tls: bool
) -> None:
    with FakeProxy("me:right") as proxy, FakeProvider() as plain:
        url = secure[0] if over_tls else plain.base_url("openai")
        adapter = reach(url, proxy=f"http://me:${{WRONG}}@{proxy.address}", env={"WRONG": SECRET})
        error = failure(adapter, question, way)
        assert plain.requests == provider.requests == []
    assert error.kind is ErrorKind.CONNECT
    assert "through its proxy" in error.message
    assert "407" in error.message
    assert SECRET not in error.message


def test_a_proxy_that_is_not_there_is_told(reach: Reach, question: ChatRequest, way: str) -> None:
    error = failure(reach(proxy="http://nowhere.invalid:3128"), question, way)
    assert error.kind is ErrorKind.CONNECT
    assert "through its proxy" in error.message
    assert failure(reach(proxy="http://127.0.0.1:9"), question, way).kind is ErrorKind.CONNECT


def test_the_environment_says_nothing_about_proxies(
    reach: Reach, provider: FakeProvider, question: ChatRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    with FakeProxy() as proxy:
        assert reach(proxy=f"http://{proxy.address}").complete(question, call()).text == TEXT
    assert len(proxy.asked) == len(provider.requests) == 1


def test_a_proxy_leads_to_no_metadata_service(reach: Reach, question: ChatRequest) -> None:
    with FakeProxy() as proxy:
        for host in ("169.254.169.254", "metadata.google.internal", "2852039166"):
            adapter = reach(f"http://{host}/v1", proxy=f"http://{proxy.address}")
            assert "metadata" in failure(adapter, question, "complete").message
    assert proxy.asked == []
    assert "metadata" in failure(reach(proxy="http://169.254.169.254:3128"), question, "complete").message


@pytest.mark.parametrize(
    "proxy",
    [
        "", "http://proxy.example:3128", "https://proxy.example", "socks5://[::1]:1080", "socks5h://me@10.0.0.1:1080/",
        "http://me:${PASSWORD}@proxy.example:3128", "${HTTPS_PROXY}", "http://${PROXY_HOST}:3128",
    ],
)  # fmt: skip
def test_possible_proxies(proxy: str) -> None:
    assert proxy_problem(proxy) == ""


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        ("proxy.example:3128", "must start with"),
        ("ftp://proxy.example", "must start with"),
        ("http://", "must start with"),
        ("http://a b:3128", "must start with"),
        ("http://proxy.example:99999", "is not a URL"),
        ("http://[::1:3128", "is not a URL"),
        ("http://proxy.example:3128/path", "must end with its port"),
        ("http://proxy.example:3128?x=1", "must end with its port"),
        (f"http://me:{SECRET}@proxy.example:3128", "must not hold a password"),
        ("http://me:x${PASSWORD}@proxy.example:3128", "must not hold a password"),
        ("http://me:${PASS WORD}@proxy.example:3128", "a reference that is none"),
    ],
)
def test_impossible_proxies(proxy: str, problem: str) -> None:
    assert problem in proxy_problem(proxy)
    assert SECRET not in proxy_problem(proxy)


def test_a_proxy_is_shown_without_a_password() -> None:
    assert shown_proxy(f"http://me:{SECRET}@proxy.example:3128") == "http://me:***@proxy.example:3128"
    assert shown_proxy("http://me:${PASSWORD}@proxy.example:3128") == "http://me:${PASSWORD}@proxy.example:3128"
    assert shown_proxy("") == ""


@pytest.mark.parametrize("ending", ["", ":"])
def test_a_proxy_is_shown_without_a_token_in_the_place_of_a_name(ending: str) -> None:
    assert shown_proxy(f"http://{SECRET}{ending}@proxy.example:3128") == f"http://***{ending}@proxy.example:3128"
    named = f"http://${{TOKEN}}{ending}@proxy.example:3128"
    assert shown_proxy(named) == named


# Certificates


def test_a_certificate_of_ones_own_authority_is_checked_against_it(
    reach: Reach, secure: tuple[str, Path], question: ChatRequest, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, authority = secure
    assert ask(reach(url, ca_file=str(authority)), question, way).text == TEXT
    error = failure(reach(url), question, way)
    assert error.kind is ErrorKind.CONNECT
    assert "ca_file" in error.message
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert ask(reach(url), question, way).text == TEXT


def test_settings_that_are_not_there_resolve_to_nothing() -> None:
    assert resolved({}, "", "", "http://a.example", {}) is DIRECT
    assert Network() == DIRECT
    assert SECRET not in repr(resolved({"a": SECRET}, "http://me:${P}@b:1", "", "http://a", {"P": SECRET}))


# Addresses


@pytest.mark.parametrize("api", ["openai", "anthropic", "gemini", "ollama"])
def test_a_query_of_the_address_goes_along_with_each_call(
    api: str, make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter = make_adapter(api, base_url=provider.base_url(api) + "/?api-version=2024-10-21&x=%2F")
    assert ask(adapter, question, "complete").text == TEXT
    assert ask(adapter, question, "stream").text == TEXT
    assert adapter.models(call())
    queries = [each.path.partition("?")[2] for each in provider.requests]
    assert all(query.startswith("api-version=2024-10-21&x=%2F") for query in queries)
    own = {"anthropic": ["", "", "&limit=1000"], "gemini": ["", "&alt=sse", "&pageSize=1000"]}.get(api, ["", "", ""])
    assert [query.removeprefix("api-version=2024-10-21&x=%2F") for query in queries] == own


def test_of_a_query_the_calls_own_part_wins(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter = make_adapter("gemini", base_url=provider.base_url("gemini") + "?alt=json&a=1")
    assert ask(adapter, question, "stream").text == TEXT
    assert provider.requests[-1].path.endswith("?a=1&alt=sse")


@pytest.mark.parametrize(
    ("api", "endpoint"),
    [
        ("openai", "/v1/chat/completions"),
        ("openai", "/v1/chat/completions/"),
        ("openai", "/v1/completions"),
        ("openai", "/v1/models"),
        ("openai", "/v1/embeddings?x=1"),
        ("openai", "/v1/responses"),
        ("anthropic", "/v1/messages"),
        ("anthropic", "/messages"),
        ("anthropic", "/v1/messages/count_tokens"),
        ("gemini", "/v1beta/models"),
        ("gemini", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
        ("ollama", "/api/chat"),
        ("ollama", "/api/generate/"),
    ],
)
def test_an_endpoint_in_the_address_is_taken_off(
    api: str, endpoint: str, make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    root = f"http://127.0.0.1:{provider.port}/{api}/{api}"
    assert ask(make_adapter(api, base_url=root + endpoint), question, "complete").text == TEXT
    right = make_adapter(api, base_url=root + ("/v1" if api == "openai" else ""))
    assert ask(right, question, "complete").text == TEXT
    first, second = (each.path.partition("?")[0] for each in provider.requests)
    assert first == second
