"""Images and documents, as clients write them."""

from __future__ import annotations

import pytest

from apikeys.decoding import BodyError
from services.adapters.base import FilePart, ImagePart
from tasks import media

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
JPEG = "/9j/4AAQSkZJRg=="
WEBP = "UklGRiQAAABXRUJQVlA4IA=="


@pytest.mark.parametrize(
    ("head", "data", "media_type"),
    [
        ("data:image/jpg;base64", JPEG, "image/jpeg"),
        ("data:image/pjpeg;base64", JPEG, "image/jpeg"),
        ("data:IMAGE/JPG;BASE64", PNG, "image/jpeg"),
        ("DATA:image/jpeg;charset=utf-8;base64", PNG, "image/jpeg"),
        ("data:image/png;name=a.png;base64", PNG, "image/png"),
        ("data:image/x-png;base64", PNG, "image/png"),
        ("data:image/png;base64", JPEG, "image/jpeg"),
        ("data:image/gif;base64", WEBP, "image/webp"),
        ("data:;base64", PNG, "image/png"),
        ("data:image/*;base64", WEBP, "image/webp"),
        ("data:application/octet-stream;base64", JPEG, "image/jpeg"),
        ("data:image/heic;base64", "AAAA", "image/heic"),
    ],
)
def test_the_media_type_is_a_registered_one(head: str, data: str, media_type: str) -> None:
    assert media.image(f"{head},{data}", "url") == ImagePart(media_type, data)


@pytest.mark.parametrize(
    "data",
    [
        "/9j/4AAQ\nSkZJ\r\nRg==",
        " /9j/4AAQSkZJRg== ",
        "/9j/4AAQSkZJRg",
        "_9j_4AAQSkZJRg==",
        "%2F9j%2F4AAQSkZJRg%3D%3D",
    ],
)
def test_base64_is_brought_into_its_plain_form(data: str) -> None:
    assert media.image(f"data:image/jpeg;base64,{data}", "url") == ImagePart("image/jpeg", JPEG)


def test_data_may_be_written_without_base64() -> None:
    assert media.image("data:image/svg+xml,%3Csvg/%3E", "url") == ImagePart("image/svg+xml", "PHN2Zy8+")


@pytest.mark.parametrize(
    "url", ["", "cat.png", "ftp://x/y.png", "data:image/png;base64", "data:text/plain;base64,aGk="]
)
def test_what_is_no_image_is_refused(url: str) -> None:
    with pytest.raises(BodyError, match=r"^where must be an"):
        media.image(url, "where")


@pytest.mark.parametrize("data", ["%", "é", "a", "?", "abc!"])
def test_what_is_no_base64_is_refused(data: str) -> None:
    with pytest.raises(BodyError, match=r"^where is not valid base64"):
        media.image(f"data:image/png;base64,{data}", "where")


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("a.pdf", "JVBERi0=", FilePart("application/pdf", "JVBERi0=", name="a.pdf")),
        ("", "JVBERi0=", FilePart("application/pdf", "JVBERi0=")),
        ("a", "data:application/octet-stream;base64,JVBERi0=", FilePart("application/pdf", "JVBERi0=", name="a")),
        ("a.json", "data:application/json;base64,e30=", FilePart("application/json", text="{}", name="a.json")),
        ("a.csv", "YSxi", FilePart("text/csv", text="a,b", name="a.csv")),
        ("a", "data:text/plain,a%20b", FilePart("text/plain", text="a b", name="a")),
        ("a.docx", "UEs=", FilePart("", "UEs=", name="a.docx")),
    ],
)
def test_a_document_is_text_where_it_can_be(name: str, data: str, found: FilePart) -> None:
    assert media.file(name, data, "where") == found
