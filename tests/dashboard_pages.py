"""The dashboard's pages, as the URLconf has them: a page that is added there is among them."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import URLPattern, get_resolver, reverse

from monitoring import pages


def dashboard_pages(values: Mapping[str, str]) -> dict[str, str]:
    """The path of each page that can be looked at, by its name. `values` are those of the parameters in paths."""
    found = {}
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLPattern) and _is_looked_at(pattern):
            needed = pattern.pattern.regex.groupindex
            found[str(pattern.name)] = reverse(str(pattern.name), kwargs={name: values[name] for name in needed})
    return found


def _is_looked_at(pattern: URLPattern) -> bool:
    methods = getattr(getattr(pattern.callback, "view_class", None), "http_method_names", ["get"])
    return pattern.callback.__module__ == pages.__name__ and "get" in methods
