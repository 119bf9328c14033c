from __future__ import annotations

import hashlib
import hmac
import secrets
import string

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from apikeys import vault
from apikeys.identity import Scope

KEY_START = "ox-"
_ALPHABET = string.ascii_letters + string.digits
_PREFIX_LENGTH = 8
_SECRET_LENGTH = 40  # 238 bits

# What stands in logs, headers and addresses without further ado.
valid_key_name = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9_.@ -]*\Z", "Use letters, digits, spaces, '_', '-', '.' and '@', a letter or digit first."
)


def local_hosts() -> list[str]:
    return ["localhost", "127.0.0.1"]


class SecurityPolicy(models.Model):
    """The `security` section of the configuration: one row. The environment may say otherwise (`apikeys.policy`)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    auth_enabled = models.BooleanField(default=False)
    anonymous_rate = models.CharField(max_length=12, default="100/m")
    authenticated_rate = models.CharField(max_length=12, default="1000/m")
    allowed_hosts = models.JSONField(default=local_hosts)
    cors_origins = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "security policies"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_security_policy")]

    def __str__(self) -> str:
        return "security"


class ProviderKey(models.Model):
    """The key with which Oxide calls one service, encrypted."""

    service = models.CharField(max_length=50, unique=True)
    ciphertext = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["service"]
        constraints = [models.CheckConstraint(condition=~models.Q(ciphertext=""), name="provider_key_is_there")]

    def __str__(self) -> str:
        return self.service

    @property
    def secret(self) -> str:
        """The key itself. Raises `VaultError`, worded to follow the name of the service."""
        return vault.decrypt(self.ciphertext)

    def seal(self, secret: str) -> None:
        """Take over another key. Saving is up to the caller."""
        self.ciphertext = vault.encrypt(secret)

    @classmethod
    def store(cls, service: str, secret: str) -> None:
        """Make this the service's key, in the place of an earlier one."""
        cls.objects.update_or_create(service=service, defaults={"ciphertext": vault.encrypt(secret)})

    def renew(self) -> None:
        """Encrypt it with the secret key of today."""
        self.ciphertext = vault.renew(self.ciphertext)
        self.save(update_fields=["ciphertext", "updated_at"])


class ClientKey(models.Model):
    """A key with which a program calls Oxide. The key itself is nowhere: only a keyed digest of it.

    It can do at most what its owner may do, and nothing once the owner is disabled.
    """

    name = models.CharField(max_length=100, unique=True, validators=[valid_key_name])
    prefix = models.CharField(max_length=20, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True)
    scopes = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    last_used_at = models.DateTimeField(null=True, editable=False)

    drawn = ""

    class Meta:
        verbose_name = "key for programs"
        verbose_name_plural = "keys for programs"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def granted(self) -> frozenset[Scope]:
        return frozenset(scope for scope in Scope if scope in self.scopes)

    def draw_secret(self) -> str:
        """Give it a new key, which is returned, and known to this object alone. Saving is up to the caller."""
        self.prefix = KEY_START + _random(_PREFIX_LENGTH)
        self.drawn = f"{self.prefix}_{_random(_SECRET_LENGTH)}"
        self.digest = digests(self.drawn)[0]
        return self.drawn


class EndedLogin(models.Model):
    """A login that was ended before its tokens expire: none of them is valid any more."""

    login = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.login


def prefix_of(secret: str) -> str:
    """The public part of a key."""
    return secret.partition("_")[0]


def digests(secret: str) -> list[str]:
    """Keyed, so that a copy of the database alone does not even allow guessing. The first is the one to keep; the
    others are those with earlier secret keys (`OXIDE_SECRET_KEY_FALLBACKS`).
    """
    keys: list[str] = settings.CLIENT_KEY_DIGEST_KEYS
    return [hmac.new(key.encode(), secret.encode(), hashlib.sha256).hexdigest() for key in keys]


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
