"""Which addresses are never called, and which may stand in a request."""

from __future__ import annotations

import pytest

from services.adapters.addresses import is_metadata_address, media_url_problem
from services.adapters.base import ChatRequest, ErrorKind
from tests.services.adapters.asking import MakeAdapter, call, failure

METADATA = [
    "169.254.169.254",
    "169.254.169.253",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.42.42",
    "169.254.0.23",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::253",
    "fd00:ec2::23",
    "fd00:42::42",
    "fd20:ce::254",
    "fe80::a9fe:a9fe%eth0",
]


@pytest.mark.parametrize("address", METADATA)
def test_a_metadata_address_is_known(address: str) -> None:
    assert is_metadata_address(address)


@pytest.mark.parametrize("form", ["::ffff:{}", "::{}", "64:ff9b::{}", "64:ff9b:1::{}", "::ffff:0:{}", "fe80::5efe:{}"])
@pytest.mark.parametrize("address", [each for each in METADATA if ":" not in each])
def test_a_metadata_address_within_an_ipv6_address_is_known(form: str, address: str) -> None:
    assert is_metadata_address(form.format(address))


@pytest.mark.parametrize("address", ["2002:a9fe:a9fe::1", "2002:a83f:8110:1::", "2001:0:5ef5:79fd:0:0:5601:5601"])
def test_a_tunnel_to_a_metadata_address_is_known(address: str) -> None:
    assert is_metadata_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.1.2",  # host.containers.internal of rootless Podman
        "169.254.169.1",
        "127.0.0.1",
        "10.0.0.5",
        "192.168.1.20",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:169.254.1.2",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2606:4700::1111",
    ],
)
def test_every_other_address_may_be_called(address: str) -> None:
    assert not is_metadata_address(address)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]"],
)
def test_a_service_at_a_metadata_address_is_not_called(
    host: str, make_adapter: MakeAdapter, question: ChatRequest
) -> None:
    refused = failure(make_adapter("openai", base_url=f"http://{host}/v1"), question, "complete")
    assert refused.kind is ErrorKind.CONNECT
    assert "metadata" in refused.message


def test_a_service_at_a_link_local_address_is_called(make_adapter: MakeAdapter, question: ChatRequest) -> None:
    adapter = make_adapter("ollama", base_url="http://169.254.1.2:11434")
    assert "metadata" not in failure(adapter, question, "complete", call(0.2)).message


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/picture.png",
        "HTTP://EXAMPLE.ORG:8080/a b.png?x=\\&y=@#top",
        "http://192.168.1.20/camera.jpg",
        "http://169.254.1.2/picture.png",
        "https://bücher.example/ü.png",
        "https://[2606:4700::1111]/a.png",
        "https://metadata.example.org/a.png",
    ],
)
def test_an_address_that_a_provider_may_fetch_passes(url: str) -> None:
    assert media_url_problem(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "gopher://example.org/_GET",
        "ftp://example.org/a.png",
        "javascript:alert(1)",
        "//example.org/a.png",
        "/etc/passwd",
        "https://",
        "https:///a.png",
        "http://[::1/a.png",
        "http://example.org:99999/",
        "http://user:secret@example.org/",
        "http://example.org\\@169.254.169.254/",
        "http://169.254.\n169.254/",
        "http://169.254.169.254 /latest",
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254./latest",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://%31%36%39.254.169.254/",
        "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
        "http://169。254。169。254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://Metadata.Google.Internal./",
        "http://metadata/",
        "http://instance-data/latest",
    ],
)
def test_an_address_that_leads_to_a_secret_is_refused(url: str) -> None:
    assert media_url_problem(url)
