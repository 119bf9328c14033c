"""The doors for people, each as guarded as `/auth/login`."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from apikeys.login_guard import TooManyFailuresError


class PageLoginForm(AuthenticationForm):
    """For every role."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except TooManyFailuresError as error:
            raise ValidationError(str(error), code="too_many_failures") from None


class AdminLoginForm(PageLoginForm, AdminAuthenticationForm):
    """For the admin pages, which are for administrators alone."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "Enter the user name and the password of an administrator. Other roles log in at /login, for "
        "the dashboard.",
    }
