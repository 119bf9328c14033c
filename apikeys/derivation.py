"""Keys of our own that all come from one secret."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(secret: str, purpose: str) -> str:
    """32 bytes in hexadecimal. Whoever learns one of them learns neither the secret nor another one.

    https://www.rfc-editor.org/rfc/rfc5869
    """
    return HKDF(SHA256(), length=32, salt=None, info=f"oxide {purpose}".encode()).derive(secret.encode()).hex()
