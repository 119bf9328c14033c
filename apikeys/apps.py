from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_delete, post_save


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

        for model in snapshots:
            for signal in (post_save, post_delete):
                signal.connect(changed, sender=model, weak=False, dispatch_uid="apikeys.snapshots")
        m2m_changed.connect(groups_changed, sender=User.groups.through, weak=False, dispatch_uid="apikeys.groups")
