"""Leaving secrets out of what a provider says: whole or in part, however JSON, an address or base64 writes them."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

MASK: Final = "[key]"
SHORTEST: Final = 8
_FEWEST_CHARACTERS: Final = 5  # that differ
# What people write where a server takes any key, without signs and a leading "sk". Such words stand in messages too.
_DUMMY_WORDS: Final = """
abc123 admin anonymous anything api apikey bearer changeme default demo dummy dummyapikey dummykey empty example fake
fakeapikey fakekey free guest inserthere insertkeyhere insertyourkeyhere internal key llamacpp lmstudio local localai
localhost missing mykey nokey nokeyneeded nokeyrequired noapikey none notavailable notneeded notrequired notset notused
null ollama openai optional placeholder public required sample secret string test testapikey testing testkey token
tokenabc123 undefined unknown unused vllm whatever yourapikey yourapikeyhere yourkey yourkeyhere yourapitoken
yoursecretkey password passwd dummykey123 testkey123 12345678 123456789 1234567890
"""
_DUMMIES: Final = frozenset(_DUMMY_WORDS.split())
_SIGNS: Final = re.compile(r"[\W_]+")
# What each key of a vendor begins with ("sk-ant-api03-", "sk-or-v1-") says nothing of the rest.
_PUBLIC: Final = re.compile(r"(?:[a-z0-9]{1,8}[-_]){0,4}")
_GRAM: Final = 5
_STRIDE: Final = 4
_MOST_HITS: Final = 8
_LEAST_OF_START: Final = 4
_LEAST_SHOWN: Final = 3
# Before and after a secret that might as well be a part of a word. What JSON or an address escapes ends a word, too.
_BEFORE: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
_AFTER: Final = r"(?![A-Za-z0-9])"
_WORD: Final = re.compile(r"[\w-]*", re.ASCII)
# sk-proj-abcd****wxyz, sk-...wxyz
_STARRED: Final = re.compile(r"(?<![\w-])([\w-]*+)(?:[*•·…]++|\.{2,}+)+([\w-]*+)", re.ASCII)
_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\([\"'\\/])")


def without(secrets: Iterable[str], text: str) -> str:
    """`text` with `[key]` in the place of each of these and of each larger part of one.

    Left alone is what is no secret (`is_secret`): to mask it would make texts unreadable. Takes time in proportion to
    the length of the text.
    """
    patterns = _patterns(frozenset(secrets))
    if not patterns:
        return text
    spans = list(patterns.spans(text))
    decoded, places = _decoded(text)
    if places:
        spans += [(places[start], places[end]) for start, end in patterns.spans(decoded)]
    return _masked(text, spans) if spans else text


def spellings(secrets: Iterable[str]) -> frozenset[str]:
    """Those of `secrets` that are some, as they are and as JSON, an address and base64 write them."""
    known = tuple(filter(is_secret, secrets))
    plain = {form for secret in known for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe=""))}
    return frozenset(plain | {form.text for secret in known for form in _in_base64(secret)})


def is_secret(value: str) -> bool:
    """Whether a key is one, rather than a word in the place of one: `EMPTY`, `ollama`, `sk-xxxxxxxx`."""
    if len(value) < SHORTEST or len(set(value)) < _FEWEST_CHARACTERS:
        return False
    return _SIGNS.sub("", value).lower().removeprefix("sk") not in _DUMMIES


class _Form(NamedTuple):
    """A secret in one of the ways to write it. `public` of its characters anybody may see.

    `least` is how many of the others make a part that is to be masked.
    """

    text: str
    public: int
    least: int


class _Patterns:
    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted(filter(is_secret, secrets), key=len, reverse=True)
        plain = [secret for secret in known if not _is_random(secret)]
        self._random = [_form(secret) for secret in known if _is_random(secret)]
        self._grams = _grams([*self._random, *(form for secret in known for form in _in_base64(secret))])
        # The longest first: one may be the beginning of another.
        self._plain = re.compile(f"{_BEFORE}(?:{'|'.join(map(re.escape, plain))}){_AFTER}") if plain else None

    def __bool__(self) -> bool:
        return bool(self._grams)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where what is to be masked begins and ends."""
        if self._plain:
            yield from (found.span() for found in self._plain.finditer(text))
        yield from self._parts(text)
        for found in _STARRED.finditer(text):
            if self._is_shown_in(*found.groups()):
                yield found.span()

    def _parts(self, text: str) -> Iterator[tuple[int, int]]:
        grams, place = self._grams, 0
        while place <= len(text) - _GRAM:
            hits = grams.get(text[place : place + _GRAM])
            found = [span for form, at in hits if (span := _part(form, at, text, place))] if hits else []
            if found:
                start, end = min(start for start, _ in found), max(end for _, end in found)
                yield start, end
                place = end
            else:
                place += 1

    def _is_shown_in(self, head: str, tail: str) -> bool:
        return any(
            max(0, len(head) - form.public) + len(tail) >= _LEAST_SHOWN
            for form in self._random
            if form.text.startswith(head) and form.text.endswith(tail)
        )


@lru_cache(maxsize=4)
def _patterns(secrets: frozenset[str]) -> _Patterns:
    return _Patterns(secrets)


def _is_random(secret: str) -> bool:
    """Whether a part of it tells that it comes from there: so not for words, nor for an address."""
    longest = max(map(len, _SIGNS.split(secret)))
    return len(secret) >= 2 * SHORTEST and (longest >= 2 * SHORTEST or _is_mixed(secret))


def _is_mixed(secret: str) -> bool:
    letters = [each for each in secret if each.isalpha()]
    digits = sum(each.isdigit() for each in secret)
    both_cases = any(map(str.isupper, letters)) and sum(map(str.isupper, letters)) * 4 > len(letters)
    return digits * 8 >= len(secret) or both_cases


def _form(secret: str) -> _Form:
    begun = _PUBLIC.match(secret)
    public = min(begun.end() if begun else 0, len(secret) - SHORTEST)
    return _Form(secret, public, SHORTEST if _is_mixed(secret[public:]) else SHORTEST + _STRIDE)


def _in_base64(secret: str) -> Iterator[_Form]:
    """As it looks within a longer text, at each of the three places that it may have there: `name:secret` in Basic."""
    content = secret.encode("utf-8", "replace")
    for offset, lost in ((0, 0), (1, 2), (2, 3)):
        cut = (offset + len(content)) % 3 > 0
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(b"x" * offset + content).decode().rstrip("=")
            yield _Form(text[lost : len(text) - cut], 0, SHORTEST)


def _grams(forms: Iterable[_Form]) -> Mapping[str, list[tuple[_Form, int]]]:
    """Pieces of each form so close to each other that a part to be masked holds one."""
    grams: defaultdict[str, list[tuple[_Form, int]]] = defaultdict(list)
    for form in forms:
        first = max(0, form.public + _LEAST_OF_START - _GRAM)
        places = {first, *range(form.public, len(form.text) - _GRAM + 1, _STRIDE), len(form.text) - _GRAM}
        for place in sorted(places):
            hits = grams[form.text[place : place + _GRAM]]
            if len(hits) < _MOST_HITS:
                hits.append((form, place))
    return dict(grams)


def _part(form: _Form, at: int, text: str, place: int) -> tuple[int, int] | None:
    """Where the part of `form` around `place`, its `at`th character, begins and ends; None where it is too small."""
    back = 0
    while back < min(at, place) and form.text[at - back - 1] == text[place - back - 1]:
        back += 1
    ahead = _GRAM
    while at + ahead < len(form.text) and place + ahead < len(text) and form.text[at + ahead] == text[place + ahead]:
        ahead += 1
    own = at + ahead - max(form.public, at - back)
    is_start = at == back and own >= _LEAST_OF_START and back + ahead >= SHORTEST
    if own < min(form.least, len(form.text)) and not is_start:
        return None
    end = place + ahead
    if at + ahead < len(form.text) and (rest := _WORD.match(text, end)):
        end = rest.end()
    return place - back, end


def _decoded(text: str) -> tuple[str, list[int]]:
    """The text without the escapes of JSON and of addresses, and the place of each character in it (none without)."""
    if "%" not in text and "\\" not in text:
        return text, []
    pieces: list[str] = []
    places: list[int] = []
    done = 0
    for found in _ESCAPED.finditer(text):
        start, end = found.span()
        code = found[1] or found[2] or found[3]
        pieces += (text[done:start], chr(int(code, 16)) if code else found[4])
        places += (*range(done, start), start)
        done = end
    places += range(done, len(text) + 1)
    return "".join((*pieces, text[done:])), places


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    last = -1
    for start, end in sorted(spans):
        if start > last:  # neither within the one before nor right behind it
            pieces += (text[done:start], MASK)
        done = last = max(done, end)
    return "".join((*pieces, text[done:]))
