"""A state as admin pages show it: a coloured dot for the eye in a hurry, and always the words."""

from __future__ import annotations

from typing import Literal

from django.utils.html import format_html
from django.utils.safestring import SafeString

Tone = Literal["good", "bad", "busy", "quiet"]


def badge(tone: Tone, text: str) -> SafeString:
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)
