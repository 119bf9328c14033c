"""The dashboard's pages. Each is an empty frame that scripts of ours fill from the API, so that a page costs next to
nothing and whoever looks at it sees what their role may see.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from apikeys import policy
from apikeys.credentials import of_session
from apikeys.identity import ANYBODY, Identity
from apikeys.login_forms import PageLoginForm

View = Callable[..., HttpResponseBase]

# What a model said is shown on these pages. Should it ever be taken for more than text, it still finds no script that
# may run, no other host to talk to, and no frame to hide in. https://www.w3.org/TR/CSP3/
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def guarded(view: View) -> View:
    @wraps(view)
    def guard(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        response = view(request, *arguments, **named)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        # It names whoever is logged in, and holds their CSRF token.
        response["Cache-Control"] = "private, no-cache"
        return response

    return guard


@guarded
@require_safe
def now(request: HttpRequest) -> HttpResponseBase:
    return _page(request, "now")


@guarded
@require_safe
def try_it(request: HttpRequest) -> HttpResponseBase:
    return _page(request, "try")


@guarded
@require_safe
def history(request: HttpRequest) -> HttpResponseBase:
    return _page(request, "history")


@guarded
@require_safe
def task(request: HttpRequest, task_id: str) -> HttpResponseBase:
    return _page(request, "task", task_id=task_id)


@guarded
@require_safe
def routing(request: HttpRequest) -> HttpResponseBase:
    return _page(request, "routing")


@guarded
@require_safe
def costs(request: HttpRequest) -> HttpResponseBase:
    return _page(request, "costs")


@guarded
@require_safe
def keys(request: HttpRequest) -> HttpResponseBase:
    return _page(request, "keys")


@method_decorator(guarded, name="dispatch")
class LoginPage(LoginView):
    """For every role; the admin pages' own lets in administrators alone."""

    http_method_names = ["get", "head", "post"]
    template_name = "dashboard/login.html"
    authentication_form = PageLoginForm
    next_page = "now"
    extra_context = {"visitor": None}


@method_decorator(guarded, name="dispatch")
class LogoutPage(LogoutView):
    http_method_names = ["post"]
    next_page = "log-in"


def _page(request: HttpRequest, name: str, **context: str) -> HttpResponse:
    visitor = _visitor(request)
    if visitor is None:
        return redirect_to_login(request.get_full_path(), "log-in")
    return render(request, f"dashboard/{name}.html", {"page": name, "visitor": visitor, **context})


def _visitor(request: HttpRequest) -> Identity | None:
    """Who looks; None where they must log in first. While identity is off the database is not asked."""
    return of_session(request) if policy.current().auth_enabled else ANYBODY
