from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from apikeys.audited_admin import AuditedAdmin
from apikeys.badges import badge
from apikeys.editable_lists import EditableList
from apikeys.identity import Role, Scope, role_of
from apikeys.login_forms import AdminLoginForm
from apikeys.models import ClientKey

_SCOPES = {
    Scope.EXECUTE: "execute: run tasks, and see its own, not those of other callers",
    Scope.READ: "read: see everything, including the tasks of all callers",
    Scope.ADMIN: "admin: change rules, services, keys and configuration",
}
_ROLES = {
    Role.VIEWER: "viewer: looks at everything",
    Role.OPERATOR: "operator: also has tasks done",
    Role.ADMIN: "administrator: also changes everything, and uses these pages",
}


class ClientKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    scopes = forms.MultipleChoiceField(
        choices=list(_SCOPES.items()),
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.EXECUTE],
        help_text="What the program may do, at most: never more than its owner.",
    )

    class Meta:
        help_texts = {
            "name": "Which program uses it, such as nightly-report. The history names it as whoever asked.",
            "owner": "Whose rights it has. It is refused without an owner, and once that user is disabled or deleted.",
            "expires_at": "In UTC, such as 2030-01-01 00:00:00. It is refused from then on. Empty: it does not end.",
            "enabled": "A key that is switched off is refused at once, and can be switched on again.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expires_at" in self.fields:
            parts: Any = self.fields["expires_at"].widget  # one label stands for both
            for part, name in zip(parts.widgets, ("date", "time"), strict=True):
                part.attrs["aria-label"] = f"Expires at: {name}"

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if "expires_at" in self.changed_data and expires_at and expires_at <= timezone.now():
            raise ValidationError("This lies in the past. Name a moment to come, or leave it empty.")
        return expires_at


@admin.register(ClientKey)
class ClientKeyAdmin(EditableList):
    when_empty = "No program has a key yet. Add one for each program that is to call Oxide while identity is on."
    form = ClientKeyForm
    list_display = ["name", "enabled", "state", "prefix", "owner", "granted", "expires_at", "last_used_at"]
    list_editable = ["enabled"]
    list_filter = ["enabled", "owner"]
    actions = ["adopt"]
    list_select_related = ["owner"]
    search_fields = ["name", "prefix", "owner__username"]
    search_help_text = "A part of the name, the beginning of the key, or the owner."
    ordering = ["name"]
    fields = ["name", "owner", "scopes", "expires_at", "enabled", "prefix", "created_at", "last_used_at"]
    readonly_fields = ["prefix", "created_at", "last_used_at"]

    @admin.display(description="state")
    def state(self, key: ClientKey) -> SafeString:
        if not key.enabled:
            return badge("quiet", "switched off")
        if key.expires_at and key.expires_at <= timezone.now():
            return badge("bad", "ended")
        if key.owner is None:
            return badge("bad", "refused: it has no owner")
        if not key.owner.is_active:
            return badge("bad", "its owner is disabled")
        return badge("good", "valid")

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
            obj.owner = obj.owner or request.user  # type: ignore[assignment]  # these pages let in nobody else
        super().save_model(request, obj, form, change)

    @admin.action(permissions=["change"], description="Become the owner of selected keys that have none")
    def adopt(self, request: HttpRequest, keys: QuerySet[ClientKey]) -> None:
        orphans = list(keys.filter(owner=None))
        for key in orphans:
            key.owner = request.user  # type: ignore[assignment]  # as above
            key.save(update_fields=["owner"])
            self.log_change(request, key, [{"changed": {"fields": ["owner"]}}])
        self.message_user(
            request, f"Keys that you own now: {len(orphans)}. They can do what you may, within their scopes."
        )

    def response_add(self, request: HttpRequest, obj: ClientKey, *_: Any, **__: Any) -> HttpResponse:
        """The page that shows the key. Not as a message: that would be kept until the next page, in a cookie."""
        context = {**self.admin_site.each_context(request), "title": "New key", "key": obj}
        return TemplateResponse(request, "admin/apikeys/clientkey/made.html", {**context, "opts": self.opts})


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    role = forms.ChoiceField(
        choices=list(_ROLES.items()),
        widget=forms.RadioSelect,
        initial=Role.VIEWER,
        help_text="What they may do. Another role holds at once.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "role" in self.fields:
            self.fields["role"].initial = role_of_user(self.instance)


class PersonForm(RoleForm, UserChangeForm):  # type: ignore[type-arg]
    class Meta(UserChangeForm.Meta):
        help_texts = {
            "is_active": "Who is not may log in nowhere, and all of their tokens and keys are refused. Better than "
            "deleting: the history keeps its names.",
            "first_name": "For you to know who it is; shown at the top of these pages.",
            "last_name": "For you to know who it is.",
            "email": "For you to reach them, such as ada@example.org. Oxide sends no mail.",
        }


class NewPersonForm(RoleForm, AdminUserCreationForm):  # type: ignore[type-arg]
    pass


class RoleFilter(admin.SimpleListFilter):
    title = "role"
    parameter_name = "role"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(role.value, role.value) for role in Role]

    def queryset(self, _request: HttpRequest, users: QuerySet[User]) -> QuerySet[User]:
        admins, operators = Q(is_superuser=True) | Q(groups__name=Role.ADMIN), Q(groups__name=Role.OPERATOR)
        # In steps of their own: a person may be in several groups, and the highest counts.
        match self.value():
            case Role.ADMIN:
                return users.filter(pk__in=User.objects.filter(admins).values("pk"))
            case Role.OPERATOR:
                some = User.objects.filter(operators).exclude(pk__in=User.objects.filter(admins).values("pk"))
                return users.filter(pk__in=some.values("pk"))
            case Role.VIEWER:
                return users.exclude(pk__in=User.objects.filter(admins | operators).values("pk"))
        return users


class PersonAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Users with one role each, instead of groups and single permissions."""

    form = PersonForm
    add_form = NewPersonForm
    list_display = ["username", "role", "is_active", "email", "last_login"]
    list_filter = ["is_active", RoleFilter]
    search_help_text = "A part of the user name, the name or the address."
    ordering = ["username"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "password", "role", "is_active"]}),
        ("About", {"fields": ["first_name", "last_name", "email", "last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"classes": ["wide"], "fields": ["username", "role", "password1", "password2"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

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
