"""The dashboard's pages. Each is an empty frame that scripts of ours fill from the API, so that a page costs next to
nothing and whoever looks at it sees what their role may see.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from apikeys import devices, policy
from apikeys.credentials import of_session
from apikeys.identity import ANYBODY, Identity
from apikeys.login_forms import PageLoginForm
from apikeys.login_guard import account_key

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

# What a model said is shown on these pages. Should it ever be taken for more than text, it still finds no script that
# may run, no other host to talk to, and no frame to hide in. https://www.w3.org/TR/CSP3/
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def limited(view: View) -> View:
    """A view whose pages may load what stands above, and nothing else."""

    @wraps(view)
    def limit(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        response = view(request, *arguments, **named)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return cast("View", limit)


def guarded(view: View) -> View:
    limit = limited(view)

    @wraps(view)
    def guard(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        response = limit(request, *arguments, **named)
        # It names whoever is logged in, and holds their CSRF token.
        response["Cache-Control"] = "private, no-cache"
        return response

    return cast("View", guard)


def page(name: str) -> Callable[..., HttpResponseBase]:
    """The page of templates/dashboard/`name`.html, which is told what its address holds."""

    @guarded
    @require_safe
    def view(request: HttpRequest, **held: str) -> HttpResponseBase:
        visitor = _visitor(request)
        if visitor is None:
            return redirect_to_login(request.get_full_path(), "log-in")
        return render(request, f"dashboard/{name}.html", {"page": name, "visitor": visitor, **held})

    return view


now = page("now")
try_it = page("try")
history = page("history")
task = page("task")
routing = page("routing")
costs = page("costs")
keys = page("keys")


@method_decorator(guarded, name="dispatch")
class LoginPage(LoginView):
    """For every role; the admin pages' own lets in administrators alone."""

    http_method_names = ["get", "head", "post"]
    template_name = "dashboard/login.html"
    authentication_form = PageLoginForm
    next_page = "now"
    extra_context = {"visitor": None}

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        devices.remember(answer, self.request, account_key(form.get_user().get_username()))
        return answer


@method_decorator(guarded, name="dispatch")
class LogoutPage(LogoutView):
    http_method_names = ["post"]
    next_page = "log-in"


def _visitor(request: HttpRequest) -> Identity | None:
    """Who looks; None where they must log in first. While identity is off the database is not asked."""
    return of_session(request) if policy.current().auth_enabled else ANYBODY
