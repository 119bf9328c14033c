"""The people who have an account, by id, without asking the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import User
from rest_framework_simplejwt.utils import get_md5_hash_password

from apikeys.identity import Identity, role_of
from snapshots.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Account:
    """`fingerprint` changes with the password; tokens carry it, and so die with the old one."""

    identity: Identity
    active: bool
    fingerprint: str


def active(user_id: int | None) -> Account | None:
    account = accounts.get().get(user_id) if user_id is not None else None
    return account if account and account.active else None


def fingerprint(user: User) -> str:
    """simplejwt's own, as its setting CHECK_REVOKE_TOKEN has it."""
    return get_md5_hash_password(user.password)


def _load() -> Mapping[int, Account]:
    return {user.pk: _account(user) for user in User.objects.prefetch_related("groups")}


def _account(user: User) -> Account:
    role = role_of([group.name for group in user.groups.all()], is_superuser=user.is_superuser)
    identity = Identity(user.username, "user", role.scopes, user.pk, f"user:{user.pk}")
    return Account(identity, user.is_active, fingerprint(user))


accounts: Snapshot[Mapping[int, Account]] = Snapshot("users", _load)
