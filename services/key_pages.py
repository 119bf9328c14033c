"""Where in the admin pages a service's key is entered."""

from __future__ import annotations

from django.urls import reverse
from django.utils.http import urlencode

from apikeys import keyring
from services.config import ServiceConfig


def page_for(config: ServiceConfig) -> str:
    """A service has one key there at most, which is replaced in the list."""
    if keyring.find(config.name).source == "database":
        return f"{reverse('admin:apikeys_providerkey_changelist')}?{urlencode({'q': config.name})}"
    return f"{reverse('admin:apikeys_providerkey_add')}?{urlencode({'service': config.name})}"
