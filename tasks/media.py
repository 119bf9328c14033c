"""Images and documents as clients write them: addresses, data in them, and media types that are near the mark."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Final
from urllib.parse import unquote_to_bytes

from apikeys.decoding import BodyError
from services.adapters.base import FilePart, ImagePart

# What browsers, cameras and old tools write: https://github.com/NousResearch/hermes-agent/issues/55432
_ALIASES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/jfif": "image/jpeg",
    "image/x-png": "image/png",
    "image/apng": "image/png",
    "image/x-ms-bmp": "image/bmp",
    "image/tif": "image/tiff",
    "application/x-pdf": "application/pdf",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
}
# How base64 data of these types begins: https://en.wikipedia.org/wiki/List_of_file_signatures
_BEGINNINGS: Final = {
    "/9j/": "image/jpeg",
    "iVBORw0KGgo": "image/png",
    "R0lGOD": "image/gif",
    "Qk": "image/bmp",
    "JVBERi0": "application/pdf",
}
_SPACE: Final = re.compile(r"\s+")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_TEXTS: Final = frozenset(
    {
        "application/json",
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/javascript",
        "application/typescript",
        "application/sql",
        "application/x-sh",
        "application/x-ndjson",
        "application/rtf",
    }
)
_BY_ENDING: Final = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "py": "text/x-python",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
}


def image(url: str, path: str) -> ImagePart | FilePart:
    """An image in an address of the scheme `data`, or the document that is there in its place.

    Raises `BodyError` that names `path`.
    """
    found = _data_url(url, path)
    if found is None:
        raise BodyError(f"{path} must be an http(s) address or data:image/...;base64,...")
    declared, data = found
    if declared == "application/pdf" or declared.startswith("audio/"):  # some clients send all files as images
        return FilePart(declared, data)
    return ImagePart(media_type=_image_type(declared, data, path), data=data)


def image_of(media_type: str, data: str, path: str) -> ImagePart:
    """An image from its base64 data and the type declared beside it. Raises `BodyError` that names `path`."""
    data = base64(data, path)
    return ImagePart(media_type=_image_type(_plain_type(media_type), data, path), data=data)


def file(name: str, data: str, path: str, media_type: str = "") -> FilePart:
    """A document from base64 data, or from an address that holds it. Raises `BodyError` that names `path`."""
    found = _data_url(data, path) if data[:5].lower() == "data:" else None
    declared, content = found or ("", base64(data, path))
    kind = _plain_type(media_type) or declared
    if kind in ("", "application/octet-stream"):
        kind = _BY_ENDING.get(name.rpartition(".")[2].lower()) or _sniffed(content) or kind
    if kind.startswith("text/") or kind in _TEXTS:
        return FilePart(kind, text=b64decode(content).decode("utf-8", "replace"), name=name)
    return FilePart(kind, content, name=name)


def audio(data: str, form: str, path: str) -> FilePart:
    """A recording from base64 data and its format, as in "wav". Raises `BodyError` that names `path`."""
    return FilePart(_plain_type(f"audio/{form}"), base64(data, path))


def base64(data: str, path: str) -> str:
    """Base64 in its plain form: without white space, in the usual alphabet, padded. Raises `BodyError`."""
    plain = data
    if not _is_valid(plain):
        plain = _SPACE.sub("", data).translate(_URL_SAFE).rstrip("=")
        plain += "=" * (-len(plain) % 4)
        if not _is_valid(plain):
            raise BodyError(f"{path} is not valid base64.")
    return plain


def _is_valid(data: str) -> bool:
    try:
        b64decode(data, validate=True)
    except ValueError:  # binascii.Error is one; a character beyond ASCII is another
        return False
    return True


def _data_url(url: str, path: str) -> tuple[str, str] | None:
    """The media type and the base64 data in an address of the scheme `data`; None for any other text.

    https://www.rfc-editor.org/rfc/rfc2397
    """
    head, comma, data = url.strip().partition(",")
    if not comma or head[:5].lower() != "data:":
        return None
    media_type, *parameters = head[5:].split(";")
    if any(parameter.strip().lower() == "base64" for parameter in parameters):
        content = unquote_to_bytes(data).decode("latin-1") if "%" in data[:100] or "%" in data[-10:] else data
        return _plain_type(media_type), base64(content, path)
    return _plain_type(media_type), b64encode(unquote_to_bytes(data)).decode()


def _plain_type(media_type: str) -> str:
    """In lower case, without parameters, under its registered name."""
    plain = media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def _image_type(declared: str, data: str, path: str) -> str:
    """The declared type. The data decides where none is declared, or where a PNG, a GIF or a WebP is really another.

    A JPEG stays what it was declared to be, and a type that is not known here as well: the vendor has the last word.
    """
    seen = _sniffed(data)
    if declared.startswith("image/") and declared not in ("image/*", "image/png", "image/gif", "image/webp"):
        return declared
    if seen.startswith("image/"):
        return seen
    if declared.startswith("image/") and declared != "image/*":
        return declared
    raise BodyError(f"{path} must be an image: name its media type, as in data:image/png;base64,...")


def _sniffed(data: str) -> str:
    if data.startswith("UklGR"):
        return "image/webp" if b64decode(data[:16])[8:12] == b"WEBP" else ""
    return next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), "")
