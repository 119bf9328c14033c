"""Compressed bodies: read where the standard library can, never larger than any other body, refused with words."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient

from oxide_project.decompression import UnsupportedEncodingError, decompressed

BODY = json.dumps({"prompt": "Grüße " * 1000, "service": "nobody"}).encode()
MOST = 1_000_000


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("header", "content"),
    [
        ("gzip", gzip.compress(BODY)),
        ("GZip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("gzip", gzip.compress(BODY[:100]) + gzip.compress(BODY[100:])),
        ("gzip", gzip.compress(BODY) + b"\0" * 100),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("identity", BODY),
        ("", BODY),
        ("deflate, gzip", gzip.compress(zlib.compress(BODY))),
        ("identity, gzip", gzip.compress(BODY)),
        ("gzip", BODY),
    ],
    # Compressed bytes hold the time, and all workers must collect tests of the same names.
    ids=[
        "gzip",
        "GZip",
        "x-gzip",
        "two members",
        "padded",
        "zlib",
        "raw deflate",
        "identity",
        "none",
        "deflate, gzip",
        "identity, gzip",
        "not compressed",
    ],
)
def test_a_body_is_read_as_it_was_before_it_was_compressed(header: str, content: bytes) -> None:
    assert decompressed(content, header, MOST) == BODY


@pytest.mark.parametrize(
    "bomb",
    [
        gzip.compress(b" " * 50_000_000),
        gzip.compress(b" " * (MOST - 1)) + gzip.compress(b"  "),
        zlib.compress(b" " * (MOST + 1)),
    ],
    ids=["gzip", "two members", "zlib"],
)
def test_nothing_larger_than_the_limit_is_ever_made_of_a_body(bomb: bytes) -> None:
    with pytest.raises(RequestDataTooBig):
        decompressed(bomb, "gzip" if bomb.startswith(b"\x1f\x8b") else "deflate", MOST)


def test_a_body_of_just_the_limit_is_taken() -> None:
    assert len(decompressed(gzip.compress(b" " * MOST), "gzip", MOST)) == MOST


def test_layers_in_layers_are_refused_before_any_is_read() -> None:
    with pytest.raises(UnsupportedEncodingError, match="too many times"):
        decompressed(b"", "gzip, gzip, gzip", MOST)


@pytest.mark.parametrize(
    ("header", "content"),
    [
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(BODY)[:-10]),
        ("gzip", gzip.compress(b"") * 100_000),
        ("gzip", b""),
        ("deflate", b"\xff\xff"),
        ("deflate", zlib.compress(BODY)[:-1]),
    ],
    ids=["no gzip", "cut off", "too many members", "empty", "no deflate", "deflate, cut off"],
)
def test_what_is_not_compressed_as_it_says_is_told_so(header: str, content: bytes) -> None:
    with pytest.raises(ParseError, match=f"Content-Encoding: {header} says"):
        decompressed(content, header, MOST)


ADDRESSES = ["/api/tasks/execute/", "/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_reads_compressed_bodies(client: APIClient, address: str) -> None:
    def sent(content: bytes, encoding: str) -> Any:
        headers = {"Content-Encoding": encoding} if encoding else {}
        return client.post(address, content, content_type="application/json", headers=headers)

    plain = sent(b'{"model": 1, "prompt": 2}', "")
    assert plain.status_code == 400
    packed = sent(gzip.compress(b'{"model": 1, "prompt": 2}'), "gzip")
    assert (packed.status_code, told(packed)) == (400, told(plain))
    bomb = sent(gzip.compress(b" " * 100_000_000), "gzip")
    assert bomb.status_code == 413
    unknown = sent(b"anything", "br")
    assert unknown.status_code == 415
    assert "Content-Encoding: br" in told(unknown)
    assert unknown["Accept-Encoding"] == "gzip, deflate"


def told(answer: Any) -> str:
    body = answer.json()
    error = body["error"]
    return str(error["message"] if isinstance(error, dict) else body["detail"])
