"""A key goes where it was meant to go: what the admin pages may change of a service's address, and of its key.

A browser session of an administrator must not be enough to have a key sent elsewhere. So a key that was entered in the
pages is dropped with the host that it was entered for, and one of the environment or the configuration file, which the
pages cannot ask for again, keeps its hosts. The configuration file itself may say anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from apikeys import keyring
from apikeys.models import ProviderKey
from services.adapters import network
from services.models import KeyHost, Service
from services.validation import origin_of


@dataclass(frozen=True, slots=True)
class Objection:
    """`field` is one of the form's, `problem` a sentence that says what to do."""

    field: str
    problem: str


def note(service: Service) -> None:
    """Remember where what a service takes from the environment goes: to its host, and to its proxy."""
    if origin := origin_of(service.base_url):
        for variable in _variables(service):
            KeyHost.objects.get_or_create(variable=variable, origin=origin)
    credentials, proxy = network.proxy_credentials(service.proxy)
    for variable in credentials:
        KeyHost.objects.get_or_create(variable=variable, origin=proxy)


def objection(service: Service, before: Service | None) -> Objection | None:
    """What is wrong with a service as a form would save it; `before` is its row as it is now, if there is one."""
    return (
        _objection_to_key(service, before)
        or _objection_to_headers(service, before)
        or _objection_to_proxy(service, before)
    )


def drop_moved_key(service: Service, before: Service | None) -> bool:
    """Forget the key that is stored for a service which goes another way now. Returns whether there was one."""
    if not _moved(service, before):
        return False
    stored = list(ProviderKey.objects.filter(service=service.name))
    for row in stored:
        row.delete()
    return bool(stored)


def _objection_to_key(service: Service, before: Service | None) -> Objection | None:
    origin = origin_of(service.base_url)
    moved = _moved(service, before)
    if not origin or (not moved and before and before.api_key_env == service.api_key_env):
        return None
    source = keyring.find(service.name, service.api_key_env).source
    if source == "file" and moved:
        problem = "The configuration file holds a key for this service. Change its address there, and reload."
        return Objection("base_url", problem)
    if source != "environment":
        return None
    if service.proxy and (before is None or before.proxy != service.proxy):
        problem = f"A proxy may see the key in {service.api_key_env}. Set it in the configuration file, and reload."
        return Objection("proxy", problem)
    known = _hosts(service.api_key_env)
    if not known or origin in known:
        return None
    return _bound("base_url" if moved else "api_key_env", service.api_key_env, known, "key")


def _objection_to_headers(service: Service, before: Service | None) -> Objection | None:
    origin = origin_of(service.base_url)
    for variable in sorted(network.variables(service.headers)):
        known = _hosts(variable)
        if origin and known and origin not in known:
            return _bound("headers", variable, known)
        if origin and known and service.proxy and (before is None or before.proxy != service.proxy):
            problem = f"A proxy may see the value of {variable}. Set it in the configuration file, and reload."
            return Objection("proxy", problem)
    return None


def _objection_to_proxy(service: Service, before: Service | None) -> Objection | None:
    if before is not None and before.proxy == service.proxy:
        return None
    credentials, proxy = network.proxy_credentials(service.proxy)
    for variable in sorted(credentials):
        known = _hosts(variable)
        if known and proxy not in known:
            return _bound("proxy", variable, known)
    return None


def _bound(field: str, variable: str, known: set[str], what: str = "value") -> Objection:
    problem = (
        f"{variable} holds a {what} for {', '.join(sorted(known))}. Name another variable, or set this in the "
        "configuration file and reload."
    )
    return Objection(field, problem)


def _moved(service: Service, before: Service | None) -> bool:
    """Whether its key would go to another host, or past another proxy."""
    if before is None or origin_of(before.base_url) != origin_of(service.base_url):
        return True
    return bool(service.proxy) and before.proxy != service.proxy


def _variables(service: Service) -> frozenset[str]:
    own = {service.api_key_env} if service.api_key_env else set()
    return network.variables(service.headers) | own


def _hosts(variable: str) -> set[str]:
    """Where the key in a variable goes, by services that are there and by those that are no more."""
    rows = Service.objects.filter(api_key_env=variable).exclude(base_url="")
    noted = KeyHost.objects.filter(variable=variable)
    return {origin_of(row.base_url) for row in rows} | {row.origin for row in noted}
