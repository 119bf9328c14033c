"""Keys as they lie in the database: encrypted, so that who reads its file or a copy of it reads no key.

The encryption key is derived from `OXIDE_SECRET_KEY`. When that changes, name the old one in
`OXIDE_SECRET_KEY_FALLBACKS`: what was encrypted with it can still be read.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from apikeys.derivation import derive

# Part of what every stored key was encrypted with: it must never change.
_PURPOSE = "keys of providers"


class VaultError(Exception):
    """Something stored cannot be read. The text says what to do."""


def encrypt(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _fernet().decrypt(token).decode()
    except InvalidToken:
        raise VaultError(
            "was encrypted with another OXIDE_SECRET_KEY: name that one in OXIDE_SECRET_KEY_FALLBACKS, "
            "or enter the key again"
        ) from None


def renew(token: str) -> str:
    """The same text, encrypted with the secret key of today."""
    return encrypt(decrypt(token))


def _fernet() -> MultiFernet:
    return MultiFernet([_derived(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _derived(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(derive(secret, _PURPOSE))))
