"""Provider keys in the admin: entered and replaced there, never shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apikeys import keyring, security_log
from apikeys.audited_admin import AuditedAdmin
from apikeys.badges import badge
from apikeys.models import ProviderKey
from apikeys.vault import VaultError
from services import directory, keys
from services.asking_admin import AskingAdmin
from services.key_pages import page_for
from services.outcomes import Outcome

_ABOUT_IT = (
    "As the provider gives it, such as sk-or-v1-…, in one piece. It is stored encrypted and shown to nobody, not even "
    "here. Where the environment has a key for the service, that one wins."
)


class ProviderKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    service = forms.ChoiceField(
        choices=lambda: [("", "---------"), *_without_key()],
        help_text="Whose key it is. Services that have one stored already are not offered: change theirs in the list.",
    )
    api_key = forms.CharField(
        label="API key",
        help_text=_ABOUT_IT,
        # Browsers must not offer to keep it either.
        widget=forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"}),
    )

    class Meta:
        model = ProviderKey
        fields = ["service"]

    def clean_api_key(self) -> str:
        secret = str(self.cleaned_data["api_key"])
        try:
            keys.require_usable(secret)
        except keys.KeyRefusedError as error:
            raise forms.ValidationError(str(error), code="unusable") from None
        return secret


@admin.register(ProviderKey)
class ProviderKeyAdmin(AskingAdmin, AuditedAdmin):
    form = ProviderKeyForm
    fields = ["service", "preview", "in_force", "api_key", "updated_at"]
    readonly_fields = ["preview", "in_force", "updated_at"]
    list_display = ["service", "preview", "in_force", "verdict", "updated_at"]
    search_fields = ["service"]
    search_help_text = "A part of the name of the service."
    ordering = ["service"]
    actions = ["test_now"]

    def get_fields(self, request: HttpRequest, obj: ProviderKey | None = None) -> Any:
        return super().get_fields(request, obj) if obj else ["service", "api_key"]

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderKey | None = None) -> list[str]:
        fields = [str(field) for field in super().get_readonly_fields(request, obj)]
        return [*fields, "service"] if obj else fields

    def save_model(self, _request: HttpRequest, obj: ProviderKey, form: Any, _change: bool) -> None:
        obj.seal(form.cleaned_data["api_key"])
        obj.save()

    def when_empty(self) -> SafeString | str:
        wanting = [config for config in directory.current().values() if keys.is_missing(config)]
        if not wanting:
            return "No key is stored here, and no service waits for one."
        links = format_html_join(", ", '<a href="{}">{}</a>', ((page_for(config), config.name) for config in wanting))
        return format_html("No key is stored here yet. Enter that of a service without one: {}.", links)

    @admin.display(description="key")
    def preview(self, row: ProviderKey) -> str:
        return keyring.preview(_secret(row)) or "cannot be read"

    @admin.display(description="use")
    def in_force(self, row: ProviderKey) -> SafeString:
        config = directory.current().get(row.service)
        if not _secret(row):
            return badge("bad", "encrypted with another OXIDE_SECRET_KEY: enter it again")
        if config is None:
            return badge("quiet", "there is no such service")
        if keyring.find(row.service, config.api_key_env).source == "environment":
            return badge("quiet", f"{config.api_key_env} is set and wins")
        return badge("good", "in use")

    @admin.display(description="last check")
    def verdict(self, row: ProviderKey) -> SafeString:
        config = directory.current().get(row.service)
        source = keyring.find(row.service, config.api_key_env).source if config else None
        # What is known is known of the key in force, which may be another one.
        state = keys.state(config) if config and source == "database" else "unknown"
        tones = {"valid": badge("good", "valid"), "invalid": badge("bad", "refused")}
        return tones.get(state) or badge("quiet", "not known")

    def ask(self, row: ProviderKey) -> Outcome:
        trial = _tested(row.service, _secret(row))
        level = messages.SUCCESS if trial.valid else messages.ERROR if trial.success else messages.WARNING
        return Outcome(level, f"{row.service}: {trial.message}")

    def ask_all(self, request: HttpRequest, rows: Iterable[ProviderKey]) -> None:
        rows = list(rows)
        for row in rows:
            security_log.record("provider_key_tested", request, name=row.service)
        super().ask_all(request, rows)

    @admin.action(description="Test now with the provider", permissions=["change"])
    def test_now(self, request: HttpRequest, chosen: QuerySet[ProviderKey]) -> None:
        self.ask_all(request, chosen)


def _tested(service: str, secret: str) -> keys.Trial:
    config = directory.current().get(service)
    if config is None:
        return keys.Trial(False, False, "There is no such service any more. Delete the key.")
    if not secret:
        return keys.Trial(False, False, "The stored key cannot be read. Enter it again.")
    try:
        return keys.test(config, secret)
    except keys.KeyRefusedError as error:
        return keys.Trial(False, False, str(error))


def _secret(row: ProviderKey) -> str:
    try:
        return row.secret
    except VaultError:
        return ""


def _without_key() -> Iterator[tuple[str, str]]:
    """The services that may be given one here."""
    stored = set(ProviderKey.objects.values_list("service", flat=True))
    for name, config in directory.current().items():
        if config.type != "builtin" and name not in stored:
            yield name, name
