from __future__ import annotations

import json
import random
import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest

from services.adapters.quoting import is_secret, without

PLAIN, SIGNS, WORDS = "sk-or-0123456789-xyz", 'sk/or+0123="45\\67&xyz', "correct-horse/battery"
OPENAI = "sk-proj-Zq8rT1uLw0Xc5vBn3MdKfG7hJ2pYsE9aQ6iVoR4tWxyz"
ANTHROPIC = "sk-ant-api03-Lk29fjQ_e83Hdk-20Gmzpq8Rt5vXw1yAbCdEfGhIjKlMnOp-AA"
HEX = "9f86d081884c7d659a2feaa0c55ad015"


@pytest.mark.parametrize("secret", [PLAIN, SIGNS, WORDS, OPENAI, ANTHROPIC, HEX])
@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda secret: json.dumps(secret)[1:-1],
        lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
        lambda secret: "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in secret),
        lambda secret: "".join(c if c.isalnum() else f"\\u{ord(c):04X}" for c in secret),
        lambda secret: "".join(f"%{ord(c):02x}" for c in secret),
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(secret, safe="").lower() if secret == secret.lower() else quote(secret),
    ],
    ids=["plain", "JSON", "PHP", "escapes", "ESCAPES", "all percents", "percents", "small percents"],
)
def test_a_key_is_left_out_however_it_is_written(secret: str, write: Callable[[str], str]) -> None:
    assert without([secret], f"No such key: {write(secret)}.") == "No such key: [key]."
    assert without([secret], f'{{"key":"{write(secret)}"}}\\n') == '{"key":"[key]"}\\n'


@pytest.mark.parametrize("secret", [PLAIN, SIGNS, WORDS, OPENAI, ANTHROPIC, HEX])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("around", ["{}", ":{}", "me:{}", "user:{}", "{}:", "x:{}:y"])
def test_a_key_in_base64_is_left_out(secret: str, encode: Callable[[bytes], bytes], around: str) -> None:
    encoded = encode(around.format(secret).encode()).decode()
    left = without([secret], f"Basic {encoded} was refused").removeprefix("Basic ").removesuffix(" was refused")
    assert "[key]" in left
    assert len(left.replace("[key]", "")) <= 6 + len(around)


@pytest.mark.parametrize("secret", [OPENAI, ANTHROPIC, HEX])
@pytest.mark.parametrize(
    "part",
    [
        lambda key: key[:20],
        lambda key: key[:24],
        lambda key: key[-16:],
        lambda key: key[16:28],
        lambda key: key[:-1],
        lambda key: key[1:],
        lambda key: f"{key[:12]}****{key[-4:]}",
        lambda key: f"{key[:16]}{'*' * 80}{key[-4:]}",
        lambda key: f"{key[:3]}...{key[-4:]}",
        lambda key: f"{key[:16]}…",
        lambda key: f"***{key[-4:]}",
        lambda key: f"{key[:20]}-changed",
        lambda key: quote(key[:30], safe=""),
    ],
)
def test_a_part_of_a_key_is_left_out(secret: str, part: Callable[[str], str]) -> None:
    said = f"Incorrect API key provided: {part(secret)}. You can find yours at https://example.org/keys."
    assert without([secret], said) == (
        "Incorrect API key provided: [key]. You can find yours at https://example.org/keys."
    )


@pytest.mark.parametrize(
    "said",
    [
        "Keys begin with sk-ant-api03- or sk-proj-, for example sk-...",
        "sk-proj keys are refused... try again.",
        "The first 20 of 4096 tokens, id 9f86-77, req_011CSHoEeqs5C35K2UUqR7Fy",
        "Größe ist 日本語 🙂 **bold** text… and so on",
        "https://example.org/%E6%97%A5?a=%20b\\u00e9\\n",
    ],
)
def test_what_keys_of_a_vendor_have_in_common_is_left_alone(said: str) -> None:
    assert without([OPENAI, ANTHROPIC, HEX], said) == said


def test_keys_with_a_common_beginning_are_told_apart() -> None:
    keys = [OPENAI[:16] + ending * 3 for ending in ("aB1cD2eF", "gH3iJ4kL", "mN5oP6qR")]
    said = f"{keys[1]} and {keys[0]}, not {OPENAI}"
    assert without(keys, said) == "[key] and [key], not [key]"


DUMMIES = [
    "", "k", "x", "sk", "EMPTY", "ollama", "none", "test", "dummy", "sk-1234", "sk-xxxxxxxxxxxx", "not-needed",
    "no-key-required", "lm-studio", "your-api-key", "YOUR_API_KEY_HERE", "placeholder", "sk-placeholder", "anything",
    "00000000-0000", "internal", "token-abc123",
]  # fmt: skip


@pytest.mark.parametrize("dummy", DUMMIES)
def test_a_dummy_garbles_no_message(dummy: str) -> None:
    said = f"Check that ollama is not-needed: an internal placeholder for {dummy} (your-api-key, lm-studio), anything."
    assert not is_secret(dummy)
    assert without([dummy], said) == said
    assert without([dummy, OPENAI], f"{said} {OPENAI}") == f"{said} [key]"


@pytest.mark.parametrize("secret", ["hunter22", "swordfish", "correct-horse", "my-team-key"])
def test_a_short_secret_is_left_out_as_a_word_and_not_within_one(secret: str) -> None:
    assert without([secret], f"({secret}) {secret}s x{secret} {secret}") == f"([key]) {secret}s x{secret} [key]"
    assert without([secret], f"a\\n{secret}\\t%3D{secret}") == "a\\n[key]\\t%3D[key]"


def test_the_longer_of_two_keys_is_left_out_whole() -> None:
    assert without(["abcd-efgh", "abcd-efgh-ijkl"], "abcd-efgh-ijkl and abcd-efgh") == "[key] and [key]"
    assert without([HEX, HEX + "-prod"], f"{HEX}-prod and {HEX}") == "[key] and [key]"


def test_a_secret_beyond_ascii_is_left_out() -> None:
    assert without(["schlüssel-größe-日本"], "x schlüssel-größe-日本 y") == "x [key] y"


@pytest.mark.parametrize("secrets", [[], [""], ["another-one"]])
def test_a_text_without_a_key_stays_as_it_is(secrets: list[str]) -> None:
    assert without(secrets, "Model not found: 100%.") == "Model not found: 100%."


def test_letters_are_not_taken_for_others() -> None:
    assert without(["Ab/Cd-EfGh"], "aB/cD-eFgH ab%2fcd-efgh") == "aB/cD-eFgH ab%2fcd-efgh"


def test_long_texts_and_many_keys_take_no_longer_than_their_length() -> None:
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    keys = ["sk-proj-" + "".join(chance.choices(letters, k=160)) for _ in range(100)]
    keys += [keys[0][:60] + "".join(chance.choices(letters, k=100)) for _ in range(100)]
    for text in (
        "sk-proj-" * 10_000,
        keys[0][:59] * 1_500,
        "a" * 100_000,
        "a.." * 30_000,
        "%41" * 30_000,
        "*" * 100_000,
    ):
        without(keys, text)
    assert without(keys, "x " * 30_000 + keys[150]) == "x " * 30_000 + "[key]"
