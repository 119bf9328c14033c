"""`/password`: whoever is logged in to the pages changes their own password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.generic import FormView

from apikeys import passwords
from apikeys.credentials import of_session
from apikeys.login_guard import TooManyFailuresError
from monitoring.pages import guarded


class PasswordForm(forms.Form):
    current_password = forms.CharField(strip=False, max_length=1024)
    new_password = forms.CharField(strip=False, max_length=1024)
    repeated_password = forms.CharField(strip=False, max_length=1024)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("new_password") != found.get("repeated_password"):
            raise ValidationError("The two new passwords differ. Enter the same one twice.")
        return found


@method_decorator(guarded, name="dispatch")
class PasswordPage(FormView):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    http_method_names = ["get", "head", "post"]
    template_name = "dashboard/password.html"
    form_class = PasswordForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), "log-in")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"page": "password", "visitor": of_session(self.request), **super().get_context_data(**kwargs)}

    def form_valid(self, form: PasswordForm) -> HttpResponse:
        user = User.objects.get(pk=self.request.user.pk or 0)
        try:
            passwords.change(
                self.request, user, form.cleaned_data["current_password"], form.cleaned_data["new_password"]
            )
        except (passwords.WrongPasswordError, TooManyFailuresError) as error:
            form.add_error(None, str(error))
        except ValidationError as error:
            form.add_error(None, error)
        if form.errors:
            return self.form_invalid(form)
        return self.render_to_response(self.get_context_data(form=PasswordForm(), changed=True))
