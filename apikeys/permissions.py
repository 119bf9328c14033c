"""What a caller may do. A new view is closed until it says otherwise."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apikeys import security_log
from apikeys.authentication import REFUSAL
from apikeys.credentials import caller
from apikeys.identity import Identity, Scope


class HasScope(BasePermission):
    """Reading needs READ, everything else ADMIN, unless the view says otherwise for an action (or, without
    actions, a method): `scopes = {"execute": Scope.EXECUTE}`.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        identity = known_caller(request)
        if hasattr(view, "action") and view.action is None:
            return True  # the view has no such method, and says so
        needed = scope_for(view, str(request.method))
        if needed not in identity.scopes:
            whole = request._request  # noqa: SLF001 - DRF documents it as the way to Django's
            security_log.record("permission_refused", whole, needs=needed, method=whole.method, path=whole.path)
            raise PermissionDenied(
                f"This needs the scope {needed}, which {identity.name} does not have. Ask an administrator for it."
            )
        return True


def known_caller(request: Request) -> Identity:
    """Who calls. Raises `NotAuthenticated` where that is not known."""
    identity = caller(request._request)  # noqa: SLF001 - DRF documents it as the way to Django's
    if identity is None or (identity.is_anonymous and not identity.scopes):
        raise NotAuthenticated(REFUSAL)
    return identity


def scope_for(view: Any, method: str) -> Scope:
    declared = getattr(view, "scopes", {})
    key = getattr(view, "action", None) or method.lower()
    default = Scope.READ if method in SAFE_METHODS else Scope.ADMIN
    return Scope(declared.get(key, default))
