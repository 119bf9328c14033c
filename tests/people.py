"""People and programs that call Oxide, each with what they call it with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone
from rest_framework.test import APIClient

from apikeys.identity import Role, Scope
from apikeys.models import ClientKey
from tests import canary
from tests.watch import watch

PASSWORD = canary.password()


def make_user(name: str, role: Role = Role.VIEWER, **fields: Any) -> User:
    user = User.objects.create_user(name, password=PASSWORD, **fields)
    user.groups.add(Group.objects.get_or_create(name=role.value)[0])
    return user


def make_key(name: str = "program", *scopes: Scope, **fields: Any) -> str:
    """A key of an administrator's, unless `owner` says otherwise."""
    owner = fields.pop("owner") if "owner" in fields else owner_of_keys()
    key = ClientKey(name=name, scopes=list(scopes or [Scope.READ]), owner=owner, **fields)
    secret = key.draw_secret()
    key.save()
    return watch.learn("key for programs", secret, shown=f"{key.prefix}_")


def owner_of_keys() -> User:
    return User.objects.get_or_create(username="owner-of-keys", defaults={"is_superuser": True})[0]


def log_in(client: APIClient, name: str, password: str = PASSWORD) -> Any:
    return client.post("/auth/login", {"username": name, "password": password}, format="json")


def access_token(name: str) -> str:
    token: str = log_in(APIClient(), name).json()["access_token"]
    return token


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def in_the_past() -> Any:
    return timezone.now() - timedelta(seconds=1)
