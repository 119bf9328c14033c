from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apikeys.admin import role_of_user
from apikeys.identity import Role
from apikeys.models import ClientKey
from tests.people import bearer, in_the_past, make_key, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("identity_on")]

KEYS = "/admin/apikeys/clientkey/"
USERS = "/admin/auth/user/"


def make(client: Client, **form: Any) -> Any:
    return client.post(f"{KEYS}add/", {"name": "program", "scopes": ["read"], **form})


def test_a_key_is_shown_once_on_the_page_that_follows(admin_client: Client, client: APIClient) -> None:
    page = make(admin_client)
    assert page.status_code == 200
    found = re.search(r'<code id="key"[^>]*>(ox-\w+)</code>', page.content.decode())
    assert found
    assert client.get("/auth/me", headers=bearer(found[1])).json()["scopes"] == ["read"]
    assert "no-store" in page["Cache-Control"]
    assert "messages" not in page.cookies
    for address in (KEYS, f"{KEYS}{ClientKey.objects.get().pk}/change/", "/admin/"):
        assert found[1] not in admin_client.get(address).content.decode()


def test_whoever_makes_a_key_is_suggested_as_its_owner(admin_client: Client, admin_user: User) -> None:
    form = admin_client.get(f"{KEYS}add/").context["adminform"].form
    assert form.initial["owner"] == admin_user.pk


def test_a_new_key_may_execute_and_nothing_else_unless_somebody_says_so(admin_client: Client) -> None:
    form = admin_client.get(f"{KEYS}add/").context["adminform"].form
    assert form.fields["scopes"].initial == ["execute"]


def test_whoever_makes_a_key_owns_it_where_no_owner_is_named(admin_client: Client, admin_user: User) -> None:
    assert make(admin_client, owner="").status_code == 200
    assert ClientKey.objects.get().owner == admin_user


def test_an_administrator_adopts_ownerless_keys(admin_client: Client, client: APIClient, admin_user: User) -> None:
    secret = make_key("ownerless", owner=None)
    other = make_user("ada")
    make_key("owned", owner=other)
    assert "refused: it has no owner" in admin_client.get(KEYS).content.decode()
    assert client.get("/api/services/", headers=bearer(secret)).status_code == 401
    chosen = [str(pk) for pk in ClientKey.objects.values_list("pk", flat=True)]
    answer = admin_client.post(KEYS, {"action": "adopt", "_selected_action": chosen}, follow=True)
    assert "Keys that you own now: 1" in answer.content.decode()
    assert client.get("/api/services/", headers=bearer(secret)).status_code == 200
    assert ClientKey.objects.get(name="ownerless").owner == admin_user
    assert LogEntry.objects.get().object_repr == "ownerless"
    assert ClientKey.objects.get(name="owned").owner == other


def test_switching_a_key_off_in_the_list_is_live(admin_client: Client, client: APIClient) -> None:
    secret = make_key()
    key = ClientKey.objects.get()
    assert client.get("/api/services/", headers=bearer(secret)).status_code == 200
    form = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(key.pk), "_save": "Save"}
    assert admin_client.post(KEYS, form).status_code == 302
    assert client.get("/api/services/", headers=bearer(secret)).status_code == 401


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": "a\nb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "expires_at"),
    ],
)
def test_a_wrong_field_is_named(admin_client: Client, form: dict[str, Any], field: str) -> None:
    page = make(admin_client, **form)
    assert field in page.context["adminform"].form.errors
    assert not ClientKey.objects.exists()


def test_a_key_keeps_its_name_and_secret_when_it_is_changed(admin_client: Client, client: APIClient) -> None:
    secret = make_key()
    key = ClientKey.objects.get()
    form = {"name": "other", "scopes": ["execute"], "enabled": "on", "owner": str(key.owner_id)}
    assert admin_client.post(f"{KEYS}{key.pk}/change/", form).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.scopes) == ("program", ["execute"])
    assert client.get("/api/services/", headers=bearer(secret)).status_code == 403


@pytest.mark.parametrize("role", Role)
def test_a_user_is_made_with_a_role(admin_client: Client, role: Role) -> None:
    form = {"username": "ada", "role": role.value, "password1": "cobalt-heron-71", "password2": "cobalt-heron-71"}
    answer = admin_client.post(f"{USERS}add/", {**form, "usable_password": "true"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    ada = User.objects.get(username="ada")
    assert role_of_user(ada) is role
    assert ada.is_superuser is ada.is_staff is (role is Role.ADMIN)


def change(client: Client, user: User, **changes: str) -> None:
    form = {"username": user.username, "role": role_of_user(user).value, "is_active": "on", **changes}
    answer = client.post(f"{USERS}{user.pk}/change/", {k: v for k, v in form.items() if v})
    assert answer.status_code == 302, answer.context["adminform"].form.errors


def test_a_role_is_taken_away_again(admin_client: Client) -> None:
    ada = make_user("ada", Role.ADMIN, is_superuser=True, is_staff=True)
    ada.groups.add(Group.objects.create(name="book club"))
    change(admin_client, ada, role="operator")
    ada = User.objects.get(pk=ada.pk)
    assert role_of_user(ada) is Role.OPERATOR
    assert not ada.is_superuser
    assert not ada.is_staff
    assert set(ada.groups.values_list("name", flat=True)) == {"book club", "operator"}


def test_disabling_a_user_is_live(admin_client: Client, client: APIClient) -> None:
    ada = make_user("ada")
    secret = make_key(owner=ada)
    assert client.get("/api/services/", headers=bearer(secret)).status_code == 200
    change(admin_client, ada, is_active="")
    assert client.get("/api/services/", headers=bearer(secret)).status_code == 401


def test_the_page_of_a_user_shows_their_role(admin_client: Client) -> None:
    ada = make_user("ada", Role.OPERATOR)
    page = admin_client.get(f"{USERS}{ada.pk}/change/")
    assert page.context["adminform"].form["role"].initial == Role.OPERATOR
    assert ">operator<" in admin_client.get(USERS).content.decode()


def test_people_are_found_by_their_role_and_a_longer_list_takes_no_more_queries(admin_client: Client) -> None:
    def queries(**query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(USERS, query)
        return len(captured)

    def found(role: Role) -> list[str]:
        return [user.username for user in admin_client.get(USERS, {"role": role.value}).context["cl"].result_list]

    make_user("vic")
    queries()
    few = queries()
    both = make_user("olga", Role.OPERATOR)
    both.groups.add(Group.objects.get(name="viewer"))
    make_user("ada", Role.ADMIN)
    assert queries() == few
    assert [found(role) for role in Role] == [["vic"], ["olga"], ["ada", "admin"]]


def test_the_list_tells_which_keys_are_good(admin_client: Client) -> None:
    make_key("good")
    make_key("off", enabled=False)
    make_key("old", expires_at=in_the_past())
    make_key("orphan", owner=make_user("ada", is_active=False))
    shown = admin_client.get(KEYS).content.decode()
    for words in ("valid", "switched off", "ended", "its owner is disabled"):
        assert f">{words}<" in shown


def test_tokens_and_groups_have_no_pages(admin_client: Client) -> None:
    for address in ("/admin/auth/group/", "/admin/token_blacklist/outstandingtoken/"):
        assert admin_client.get(address).status_code == 404
    page = admin_client.get("/admin/").content.decode()
    assert f'href="{KEYS}"' in page
    assert f'href="{USERS}"' in page
