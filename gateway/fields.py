"""What the bodies of several APIs have in common."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from apikeys.decoding import BodyError
from routing.engine import ANY_SERVICE


class StreamOptions(Struct):
    include_usage: bool | None = None


class SampledBody(Struct, kw_only=True):
    """OpenAI's two ways to have text made share these."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    n: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | list[str] | None = None

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wanted_model(self) -> str:
        """A request without a model leaves the choice to Oxide."""
        return self.model or ANY_SERVICE


def text_of(found: Any, name: str, path: str) -> str:
    """A text in a part of a conversation, which is read by hand. Raises `BodyError` that names its place."""
    text = found.get(name) if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise BodyError(f"{path}.{name} is missing, or no string.")
    return text
