from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from services.adapters.quoting import without

PLAIN, SIGNS = "sk-or-0123456789-xyz", 'sk/or+0123="45\\67&xyz'


@pytest.mark.parametrize("secret", [PLAIN, SIGNS])
@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda secret: json.dumps(secret)[1:-1],
        lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
        lambda secret: "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in secret),
        lambda secret: "".join(c if c.isalnum() else f"\\u{ord(c):04X}" for c in secret),
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(secret, safe="").lower(),
    ],
    ids=["plain", "JSON", "PHP", "escapes", "ESCAPES", "percents", "small percents"],
)
def test_a_key_is_left_out_however_it_is_written(secret: str, write: object) -> None:
    assert callable(write)
    assert without([secret], f"No such key: {write(secret)}.") == "No such key: [key]."


def test_the_longer_of_two_keys_is_left_out_whole() -> None:
    assert without(["abcd", "abcdefgh"], "abcdefgh and abcd") == "[key] and [key]"


@pytest.mark.parametrize("secrets", [[], [""], ["another"]])
def test_a_text_without_a_key_stays_as_it_is(secrets: list[str]) -> None:
    assert without(secrets, "Model not found: 100%.") == "Model not found: 100%."


def test_letters_are_not_taken_for_others() -> None:
    assert without(["Ab/Cd"], "aB/cD ab%2fcd") == "aB/cD ab%2fcd"
