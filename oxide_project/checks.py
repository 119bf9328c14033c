"""What `manage.py check` looks at, beyond the single values that the settings refuse by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.db import DatabaseError, connection

from apikeys import client_keys
from apikeys.models import ClientKey
from config.problems import ConfigInvalidError
from config.reading import read
from config.schema import SecurityEntry
from snapshots.connections import is_embedded


@register
def configuration_file(app_configs: Any, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    try:
        read(settings.CONFIG_FILE)
    except ConfigInvalidError as error:
        hint = "Mend it, or name another file in OXIDE_CONFIG. Until then the database keeps what was imported last."
        return [Error(problem, hint=hint, id="oxide.E001") for problem in str(error).splitlines()]
    return []


@register(Tags.security, deploy=True)
def allowed_hosts(app_configs: Any, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    if "*" not in (settings.ENVIRONMENT_HOSTS or _declared().allowed_hosts):
        return []
    hint = "Name the hosts that clients use, such as OXIDE_ALLOWED_HOSTS=oxide.example.org,localhost."
    return [Warning('The allowed hosts hold "*": every Host header is served.', hint=hint, id="oxide.W001")]


@register(Tags.security, deploy=True)
def identity(app_configs: Any, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    if settings.AUTH_ENABLED or (settings.AUTH_ENABLED is None and _declared().auth_enabled):
        return []
    hint = "Set OXIDE_AUTH_ENABLED=true, unless only programs on this machine reach Oxide."
    return [Warning("Nobody is asked who they are: whoever calls can spend your money.", hint=hint, id="oxide.W002")]


@register(Tags.security, deploy=True)
def ownerless_keys(app_configs: Any, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    if is_embedded() and not Path(connection.settings_dict["NAME"]).exists():
        return []  # to look would make an empty one
    try:
        names = ", ".join(ClientKey.objects.filter(enabled=True, owner=None).values_list("name", flat=True))
    except DatabaseError:  # it is away, or not made yet
        return []
    if not names:
        return []
    message = f"These keys for programs have no owner and are refused once authentication is on: {names}."
    return [Warning(message, hint=client_keys.HOW_TO_ADOPT, id="oxide.W003")]


def _declared() -> SecurityEntry:
    try:
        return read(settings.CONFIG_FILE).security
    except ConfigInvalidError:  # `configuration_file` tells
        return SecurityEntry()
