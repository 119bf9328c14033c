from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from apikeys.editable_lists import EditableList
from apikeys.identity import Role, Scope, role_of
from apikeys.login_forms import AdminLoginForm
from apikeys.models import ClientKey

_SCOPES = {
    Scope.READ: "read: look at everything",
    Scope.EXECUTE: "execute: have tasks done",
    Scope.ADMIN: "admin: change rules, services, keys and configuration",
}
_ROLES = {
    Role.VIEWER: "viewer: looks at everything",
    Role.OPERATOR: "operator: also has tasks done",
    Role.ADMIN: "administrator: also changes everything, and uses these pages",
}


class ClientKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    scopes = forms.MultipleChoiceField(
        choices=list(_SCOPES.items()), widget=forms.CheckboxSelectMultiple, initial=[Scope.READ, Scope.EXECUTE]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expires_at" in self.fields:
            parts: Any = self.fields["expires_at"].widget  # one label stands for both
            for part, name in zip(parts.widgets, ("date", "time"), strict=True):
                part.attrs["aria-label"] = f"Expires at: {name}"

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if "expires_at" in self.changed_data and expires_at and expires_at <= timezone.now():
            raise ValidationError("This lies in the past.")
        return expires_at


@admin.register(ClientKey)
class ClientKeyAdmin(EditableList):
    form = ClientKeyForm
    list_display = ["name", "enabled", "prefix", "owner", "granted", "expires_at", "last_used_at"]
    list_editable = ["enabled"]
    list_select_related = ["owner"]
    search_fields = ["name", "prefix", "owner__username"]
    fields = ["name", "owner", "scopes", "expires_at", "enabled", "prefix", "created_at", "last_used_at"]
    readonly_fields = ["prefix", "created_at", "last_used_at"]

    @admin.display(description="scopes")
    def granted(self, key: ClientKey) -> str:
        return ", ".join(key.scopes)

    def get_readonly_fields(self, request: HttpRequest, obj: ClientKey | None = None) -> list[str]:
        # History knows it by its name.
        fields = [str(field) for field in super().get_readonly_fields(request, obj)]
        return [*fields, "name"] if obj else fields

    def get_fields(self, request: HttpRequest, obj: ClientKey | None = None) -> Any:
        """Without what is only known of a key that is there."""
        fields = super().get_fields(request, obj)
        return fields if obj else [name for name in fields if name not in self.readonly_fields and name != "enabled"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: ClientKey, form: Any, change: bool) -> None:
        if not change:
            obj.draw_secret()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ClientKey, *_: Any, **__: Any) -> HttpResponse:
        """The page that shows the key. Not as a message: that would be kept until the next page, in a cookie."""
        context = {**self.admin_site.each_context(request), "title": "New key", "key": obj}
        return TemplateResponse(request, "admin/apikeys/clientkey/made.html", {**context, "opts": self.opts})


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    role = forms.ChoiceField(choices=list(_ROLES.items()), widget=forms.RadioSelect, initial=Role.VIEWER)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "role" in self.fields:
            self.fields["role"].initial = role_of_user(self.instance)


class PersonForm(RoleForm, UserChangeForm):  # type: ignore[type-arg]
    pass


class NewPersonForm(RoleForm, AdminUserCreationForm):  # type: ignore[type-arg]
    pass


class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    """Users with one role each, instead of groups and single permissions."""

    form = PersonForm
    add_form = NewPersonForm
    list_display = ["username", "role", "is_active", "email", "last_login"]
    list_filter = ["is_active"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "password", "role", "is_active"]}),
        ("About", {"fields": ["first_name", "last_name", "email", "last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"classes": ["wide"], "fields": ["username", "role", "password1", "password2"]})]

    @admin.display(description="role")
    def role(self, user: User) -> str:
        return role_of_user(user)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if "role" in form.cleaned_data:
            obj.is_staff = obj.is_superuser = form.cleaned_data["role"] == Role.ADMIN
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if "role" in form.cleaned_data:
            give_role(form.instance, Role(form.cleaned_data["role"]))


def role_of_user(user: User) -> Role:
    return role_of([group.name for group in user.groups.all()], is_superuser=user.is_superuser)


def give_role(user: User, role: Role) -> None:
    """By way of the group of that name; groups of other names stay."""
    user.groups.remove(*user.groups.filter(name__in=list(Role)))
    user.groups.add(Group.objects.get_or_create(name=role.value)[0])


admin.site.login_form = AdminLoginForm
# A user's role says it all; tokens are nothing to look at.
admin.site.unregister([User, Group, OutstandingToken, BlacklistedToken])
admin.site.register(User, PersonAdmin)
