"""How the clients connect: through proxies, over TLS, with what in the head, and many at once."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from oxide_client import Oxide
from tests.clients.python.conftest import surroundings
from tests.clients.python.driving import Make
from tests.clients.python.scripted import Scripted, json_answer
from tests.live import LiveOxide, free_port

OK = json_answer(200, {"status": "ok"}, Set_Cookie="sessionid=mine")
OVER_TLS = """
import asyncio, sys
from oxide_client import AsyncOxide, Oxide, OxideError, Retries

def ask():
    try:
        with Oxide(sys.argv[1], retries=Retries(most=0)) as oxide:
            return oxide.get_health()["status"]
    except OxideError as error:
        return type(error).__name__

async def ask_async():
    try:
        async with AsyncOxide(sys.argv[1], retries=Retries(most=0)) as oxide:
            return (await oxide.get_health())["status"]
    except OxideError as error:
        return type(error).__name__

print(ask(), asyncio.run(ask_async()))
"""


def test_a_call_says_who_calls_and_sends_no_cookie_back(make: Make) -> None:
    with Scripted(OK) as server:
        oxide = make(server.url, "ox-key")
        oxide.get_metrics(), oxide.get_metrics(), oxide.get_health()
    first, second, health = (asked.headers for asked in server.asked)
    assert (first["authorization"], "authorization" in health) == ("Bearer ox-key", False)
    assert first["user-agent"].startswith("oxide-client-python/")
    assert "cookie" not in second


def test_a_token_is_one_word_whatever_file_it_came_from(make: Make) -> None:
    with Scripted(OK) as server:
        make(server.url, "ox-key\n").get_metrics()
        make(server.url, "\n").get_metrics()
    assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer ox-key", None]
    for token in ("two words", "ox-key\nHost: elsewhere", "schlüssel"):
        with pytest.raises(ValueError, match="one word"):
            make("http://localhost:8000", token)


def test_what_json_cannot_say_is_not_sent(make: Make) -> None:
    with Scripted(OK) as server:
        with pytest.raises(ValueError, match="JSON"):
            make(server.url).execute_task("Hello", temperature=float("nan"))
        with pytest.raises(TypeError, match="JSON"):
            make(server.url).execute_task("Hello", parameters={"seed": object()})
    assert server.asked == []


def test_a_proxy_that_is_named_is_used(make: Make) -> None:
    with Scripted(OK) as server:
        assert make("http://oxide.invalid:8000", proxy=server.url).get_health() == {"status": "ok"}
    assert server.asked[0].path == "http://oxide.invalid:8000/health"


def test_proxies_and_passwords_of_the_environment_are_not_used(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Scripted(OK) as server:
        make(server.url, "ox-key").get_metrics()
    assert server.asked[0].headers["authorization"] == "Bearer ox-key"


def test_an_address_may_have_a_path_of_its_own(make: Make) -> None:
    with Scripted(OK) as server:
        make(f"{server.url}/oxide/").get_metrics()
    assert server.asked[0].path == "/oxide/api/monitoring/metrics/"


def test_certificates_are_those_of_the_system_and_of_ssl_cert_file(installed: Path, tmp_path: Path) -> None:
    certificate, context = certified(tmp_path)
    with Scripted(OK, tls=context) as server:

        def ask(**environment: str) -> str:
            command = [sys.executable, "-c", OVER_TLS, server.url]
            return subprocess.run(
                command,
                env=surroundings(installed, **environment),
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout

        assert ask(SSL_CERT_FILE=str(certificate)) == "ok ok\n"
        assert ask() == "WrongAddressError WrongAddressError\n"


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that only itself vouches for, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Oxide in a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    return certificate, context


def test_many_threads_share_one_client_and_each_has_its_own_answer(live: LiveOxide) -> None:
    prompts = [f"Number {number}" for number in range(60)]
    with Oxide(live.url) as oxide, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda prompt: oxide.execute_task(prompt, service="echo")["result"], prompts))
    assert answers == prompts
