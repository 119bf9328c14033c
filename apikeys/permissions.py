"""What a caller may do. A new view is closed until it says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apikeys.credentials import REFUSAL, caller
from apikeys.identity import Identity, Scope

OWN_OR_ALL = (Scope.READ, Scope.EXECUTE)
"""For views that show a caller without READ its own tasks, or nothing that belongs to anybody."""


class HasScope(BasePermission):
    """Reading needs READ, everything else ADMIN, unless the view says otherwise for an action (or, without
    actions, a method): `scopes = {"execute": Scope.EXECUTE, "history": OWN_OR_ALL}`. Of several one is enough.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        identity = known_caller(request)
        if hasattr(view, "action") and view.action is None:
            return True  # the view has no such method, and says so
        needed = scopes_for(view, str(request.method))
        if identity.scopes.isdisjoint(needed):
            wanted = " or ".join(needed)
            raise PermissionDenied(
                f"This needs the scope {wanted}, which {identity.name} does not have. Ask an administrator for it."
            )
        return True


def known_caller(request: Request) -> Identity:
    """Who calls. Raises `NotAuthenticated` where that is not known."""
    identity = caller(request._request)  # noqa: SLF001 - DRF documents it as the way to Django's
    if identity is None or (identity.is_anonymous and not identity.scopes):
        raise NotAuthenticated(REFUSAL)
    return identity


def scopes_for(view: Any, method: str) -> tuple[Scope, ...]:
    """Those of which a caller needs one."""
    declared: Mapping[str, Scope | tuple[Scope, ...]] = getattr(view, "scopes", {})
    key = getattr(view, "action", None) or method.lower()
    # HEAD is answered as GET is.
    needed = declared.get("get" if key == "head" else key, Scope.READ if method in SAFE_METHODS else Scope.ADMIN)
    return (needed,) if isinstance(needed, Scope) else needed
