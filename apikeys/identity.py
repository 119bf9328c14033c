"""Who calls, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Scope(StrEnum):
    READ = "read"  # look at everything, the tasks of all callers included
    EXECUTE = "execute"  # have tasks done, which costs money, and look at one's own
    ADMIN = "admin"  # change rules, services, keys and configuration


class Role(StrEnum):
    """What a person is; also the name of the group that makes somebody one."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        return _SCOPES[self]


_SCOPES = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.EXECUTE}),
    Role.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """`name` is a user's or a key's, and unique only among its kind. `caller` is what its tasks are stored under: kind
    and primary key, such as `key:12`; empty where nobody is known.
    """

    name: str
    kind: Literal["anonymous", "user", "key"]
    scopes: frozenset[Scope]
    user_id: int | None = None
    caller: str = ""

    @property
    def is_anonymous(self) -> bool:
        return self.kind == "anonymous"

    @property
    def sees_all_tasks(self) -> bool:
        return Scope.READ in self.scopes

    def may_see(self, caller: str | None) -> bool:
        """Whether it may see a task of that `caller`. A task without one belongs to nobody."""
        return self.sees_all_tasks or (bool(caller) and caller == self.caller)


ANYBODY = Identity("anonymous", "anonymous", frozenset(Scope))
"""Whoever calls while identity is off."""

NOBODY = Identity("anonymous", "anonymous", frozenset())
"""Who sent no credentials although identity is on."""


def role_of(groups: Iterable[str], *, is_superuser: bool) -> Role:
    """The highest that a person's groups give; somebody in none of them may look."""
    held = {Role.ADMIN} if is_superuser else {role for role in Role if role in groups}
    return next((role for role in reversed(Role) if role in held), Role.VIEWER)
