from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.http import HttpRequest

from apikeys import security_log


def _logged_in(request: HttpRequest, user: Any, **_signal: Any) -> None:
    security_log.record("login", request, user=user.get_username(), door=request.path_info)


def _logged_out(request: HttpRequest, user: Any, **_signal: Any) -> None:
    if user is not None:
        security_log.record("logout", request, user=user.get_username())


class ApiKeysConfig(AppConfig):
    name = "apikeys"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Access"

    def ready(self) -> None:
        # Models can be imported no earlier than here.
        from django.contrib.auth.models import Group, User  # noqa: PLC0415

        from apikeys.accounts import accounts  # noqa: PLC0415
        from apikeys.client_keys import client_keys  # noqa: PLC0415
        from apikeys.keyring import stored_keys  # noqa: PLC0415
        from apikeys.models import ClientKey, EndedLogin, ProviderKey, SecurityPolicy  # noqa: PLC0415
        from apikeys.policy import policy  # noqa: PLC0415
        from apikeys.tokens import ended_logins  # noqa: PLC0415
        from snapshots.snapshot import Snapshot  # noqa: PLC0415

        snapshots: dict[type[Any], Snapshot[Any]] = {
            User: accounts,
            Group: accounts,
            ClientKey: client_keys,
            EndedLogin: ended_logins,
            SecurityPolicy: policy,
            ProviderKey: stored_keys,
        }

        def changed(sender: type[Any], update_fields: Collection[str] | None = None, **_signal: Any) -> None:
            # Logging in notes when that was, which changes nothing that anybody looks up here.
            if update_fields is None or set(update_fields) != {"last_login"}:
                snapshots[sender].changed()

        def groups_changed(action: str, **_signal: Any) -> None:
            if action.startswith("post_"):
                accounts.changed()

        user_logged_in.connect(_logged_in, dispatch_uid="apikeys.security_log")
        user_logged_out.connect(_logged_out, dispatch_uid="apikeys.security_log")
        for model in snapshots:
            for signal in (post_save, post_delete):
                signal.connect(changed, sender=model, weak=False, dispatch_uid="apikeys.snapshots")
        m2m_changed.connect(groups_changed, sender=User.groups.through, weak=False, dispatch_uid="apikeys.groups")
