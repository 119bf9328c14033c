"""Admin pages of what a provider can be asked about."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from services.outcomes import Outcome, tell
from snapshots.connections import release_connection

AT_ONCE = 8


class AskingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    """Its form has one more button, which saves and then asks the provider: see asking_submit_line.html."""

    def ask(self, row: Any) -> Outcome:
        raise NotImplementedError

    def ask_all(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        rows = list(rows)
        release_connection()  # providers may take their time
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="asking") as pool:
            tell(request, list(pool.map(self.ask, rows)))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        answer = super().changeform_view(request, object_id, form_url, extra_context)
        # It is committed by now: nobody waits for the database while a provider is asked.
        if request.POST.get("_continue") == "ask" and answer.status_code == 302:
            page = resolve(urlsplit(answer["Location"]).path)
            # Where the row is no longer there, Django leads to its front page, and says so.
            if saved := page.kwargs.get("object_id"):
                self.ask_all(request, [self.get_object(request, unquote(saved))])
        return answer
