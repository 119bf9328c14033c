from __future__ import annotations

import base64
import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from apikeys.identity import Role
from apikeys.models import EndedLogin
from tests.people import PASSWORD, access_token, bearer, log_in, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("identity_on")]

SERVICES = "/api/services/"
SIGNING_KEY = str(settings.SIMPLE_JWT["SIGNING_KEY"])


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture
def pair(client: APIClient, ada: User) -> dict[str, Any]:
    answer: dict[str, Any] = log_in(client, "ada").json()
    return answer


def refresh(token: str) -> Any:
    return APIClient().post("/auth/refresh", {"refresh_token": token}, format="json")


def ask(client: APIClient, token: str) -> Any:
    return client.get(SERVICES, headers=bearer(token))


def forged(**changes: Any) -> str:
    """An access token that is right but for the changes; None takes a claim out."""
    claims = jwt.decode(access_token("ada"), options={"verify_signature": False}) | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, SIGNING_KEY, "HS256")


def assembled(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, signature])


def test_a_login_is_answered_with_tokens(pair: dict[str, Any], client: APIClient) -> None:
    assert pair["token_type"] == "bearer"
    assert pair["expires_in"] == 600
    assert ask(client, pair["access_token"]).status_code == 200
    assert pair["refresh_token"]


def test_tokens_are_not_to_be_stored_on_the_way(client: APIClient, ada: User) -> None:
    assert log_in(client, "ada")["Cache-Control"] == "no-store"


def test_a_login_is_noted(pair: dict[str, Any], ada: User) -> None:
    ada.refresh_from_db()
    assert ada.last_login is not None


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD)])
def test_every_wrong_login_is_answered_in_the_same_way(client: APIClient, ada: User, name: str, password: str) -> None:
    make_user("off", is_active=False)
    answer = log_in(client, name, password)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {
        "error": "Authentication failed",
        "detail": "The user name or the password is wrong, or the user is disabled.",
        "code": "UNAUTHORIZED",
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "ada"},
        {"username": "ada", "password": 5},
        {"username": ["ada"], "password": PASSWORD},
        {"username": "ada", "password": PASSWORD, "is_superuser": True},
        {"username": "a" * 151, "password": PASSWORD},
        {"username": "ada", "password": "p" * 1025},
        {"username": "a\x00da", "password": PASSWORD},
        "ada",
        [],
    ],
)
def test_a_login_that_cannot_be_read_is_400_and_repeats_no_password(client: APIClient, body: Any) -> None:
    answer = client.post("/auth/login", body, format="json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert PASSWORD not in answer.content.decode()


def test_a_login_is_possible_with_a_dead_token_still_in_the_header(client: APIClient, ada: User) -> None:
    body = {"username": "ada", "password": PASSWORD}
    assert client.post("/auth/login", body, format="json", headers=bearer("old")).status_code == 200


def test_a_login_works_while_identity_is_off(client: APIClient, ada: User, settings: Any) -> None:
    settings.AUTH_ENABLED = False
    assert log_in(client, "ada").status_code == 200
    assert client.get("/auth/me").json() == {
        "name": "anonymous",
        "kind": "anonymous",
        "scopes": ["admin", "execute", "read"],
        "auth_enabled": False,
    }


def test_me_tells_who_one_is(client: APIClient, pair: dict[str, Any]) -> None:
    shown = client.get("/auth/me", headers=bearer(pair["access_token"])).json()
    assert shown == {"name": "ada", "kind": "user", "scopes": ["read"], "auth_enabled": True}
    assert client.get("/auth/me").status_code == 401


# Tokens that are not right


def test_every_bad_token_is_refused_in_the_same_words(client: APIClient, ada: User, pair: dict[str, Any]) -> None:
    now = int(time.time())
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    head, body, signature = pair["access_token"].split(".")
    bad = {
        "nonsense": "nonsense",
        "empty": "",
        "blank": " ",
        "latin": "é",
        "two parts": f"{head}.{body}",
        "no signature": f"{head}.{body}.",
        "another signature": f"{head}.{body}.{signature[::-1]}",
        "alg none": assembled({"alg": "none", "typ": "JWT"}, claims),
        "alg nOnE": assembled({"alg": "nOnE"}, claims),
        "alg missing": assembled({}, claims, signature),
        "alg list": assembled({"alg": ["HS256"]}, claims, signature),
        "another algorithm": jwt.encode(claims, SIGNING_KEY, "HS512"),
        "RS256 in name": assembled({"alg": "RS256"}, claims, signature),
        "kid": jwt.encode(claims, "\0" * 32, "HS256", headers={"kid": "../../../../dev/null"}),
        "kid that is no text": assembled({"alg": "HS256", "kid": 7}, claims, signature),
        "crit": assembled({"alg": "HS256", "crit": ["b64"], "b64": False}, claims, signature),
        "the secret key itself": jwt.encode(claims, settings.SECRET_KEY, "HS256"),
        "expired": forged(exp=now - 1),
        "no expiry": forged(exp=None),
        "not yet valid": forged(nbf=now + 600),
        "issued in the future": forged(iat=now + 600),
        "no id": forged(jti=None),
        "no type": forged(token_type=None),
        "no login": forged(login=None),
        "no fingerprint": forged(hash_password=None),
        "no user": forged(user_id=None),
        "user that is no number": forged(user_id="ada"),
        "another user": assembled({"alg": "HS256"}, claims | {"user_id": "1"}, signature),
        "deleted user": forged(user_id="4711"),
        "refresh as access": pair["refresh_token"],
        "deep header": base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.e30",
        "long": "a" * 10_000,
        "a key that is none": "ox-abcdefgh_0123456789",
        "only the beginning of a key": "ox-",
    }
    answers = {name: ask(client, token) for name, token in bad.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(bad, 401)
    assert len({answer.content for answer in answers.values()}) == 1
    assert ask(client, pair["access_token"]).status_code == 200


def test_the_signing_key_is_not_the_secret_key() -> None:
    assert len(SIGNING_KEY) >= 32
    assert SIGNING_KEY not in (settings.SECRET_KEY, *settings.CLIENT_KEY_DIGEST_KEYS)


def test_two_tokens_that_begin_alike_are_told_apart(client: APIClient, ada: User) -> None:
    make_user("bob")
    tokens = {name: access_token(name) for name in ("ada", "bob")}
    assert tokens["ada"].split(".")[0] == tokens["bob"].split(".")[0]
    for _ in range(2):
        names = [client.get("/auth/me", headers=bearer(token)).json()["name"] for token in tokens.values()]
        assert names == ["ada", "bob"]


def test_a_token_is_checked_without_the_database(client: APIClient, pair: dict[str, Any]) -> None:
    ask(client, pair["access_token"])
    with CaptureQueriesContext(connection) as queries:
        assert ask(client, pair["access_token"]).status_code == 200
    assert len(queries) == 0, queries.captured_queries


# What ends a login


def change_password(ada: User) -> None:
    ada.set_password("another horse battery")
    ada.save()


def disable(ada: User) -> None:
    ada.is_active = False
    ada.save(update_fields=["is_active"])


def delete(ada: User) -> None:
    ada.delete()


@pytest.mark.parametrize("end", [change_password, disable, delete])
def test_tokens_die_with_what_they_were_given_for(
    client: APIClient, ada: User, pair: dict[str, Any], end: Callable[[User], None]
) -> None:
    assert ask(client, pair["access_token"]).status_code == 200
    end(ada)
    assert ask(client, pair["access_token"]).status_code == 401
    assert refresh(pair["refresh_token"]).status_code == 401


def test_a_role_that_is_taken_away_is_gone_at_once(client: APIClient, ada: User) -> None:
    ada.groups.set([])
    ada.is_superuser = True
    ada.save()
    token = access_token("ada")
    assert "admin" in client.get("/auth/me", headers=bearer(token)).json()["scopes"]
    ada.is_superuser = False
    ada.save()
    assert client.get("/auth/me", headers=bearer(token)).json()["scopes"] == ["read"]


def test_groups_give_roles(client: APIClient) -> None:
    token = {role: (make_user(role.value, role), access_token(role.value))[1] for role in Role}
    shown = {role: client.get("/auth/me", headers=bearer(token[role])).json()["scopes"] for role in Role}
    assert shown == {
        Role.VIEWER: ["read"],
        Role.OPERATOR: ["execute", "read"],
        Role.ADMIN: ["admin", "execute", "read"],
    }
    User.objects.get(username="admin").groups.clear()
    assert client.get("/auth/me", headers=bearer(token[Role.ADMIN])).json()["scopes"] == ["read"]


def test_a_refresh_token_is_good_for_one_next_pair(client: APIClient, pair: dict[str, Any]) -> None:
    answer = refresh(pair["refresh_token"])
    assert answer.status_code == 200
    following = answer.json()
    assert following.keys() == pair.keys()
    assert following["refresh_token"] != pair["refresh_token"]
    assert ask(client, following["access_token"]).status_code == 200
    again = refresh(pair["refresh_token"])
    assert (again.status_code, again.json()["code"]) == (401, "UNAUTHORIZED")


def test_a_refresh_token_that_is_replayed_ends_its_whole_login(client: APIClient, pair: dict[str, Any]) -> None:
    other = log_in(APIClient(), "ada").json()
    following = refresh(pair["refresh_token"]).json()
    assert refresh(pair["refresh_token"]).status_code == 401
    assert refresh(following["refresh_token"]).status_code == 401
    assert ask(client, following["access_token"]).status_code == 401
    assert ask(client, other["access_token"]).status_code == 200
    assert refresh(other["refresh_token"]).status_code == 200


def test_of_twenty_refreshes_at_once_one_succeeds(pair: dict[str, Any]) -> None:
    statuses: list[int] = []
    together = threading.Barrier(20)

    def try_it() -> None:
        together.wait()
        statuses.append(refresh(pair["refresh_token"]).status_code)
        connection.close()

    threads = [threading.Thread(target=try_it) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [401] * 19


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
def test_what_is_no_refresh_token_gets_nothing(token: str) -> None:
    assert refresh(token).status_code == (401 if token else 400)


def test_an_access_token_is_no_refresh_token(pair: dict[str, Any]) -> None:
    assert refresh(pair["access_token"]).status_code == 401


def test_logging_out_ends_every_token_of_the_login_and_no_other(client: APIClient, pair: dict[str, Any]) -> None:
    other = log_in(client, "ada").json()
    following = refresh(pair["refresh_token"]).json()
    answer = client.post("/auth/logout", {"refresh_token": following["refresh_token"]}, format="json")
    assert (answer.status_code, answer.json()) == (200, {"status": "logged_out"})
    for token in (pair["access_token"], following["access_token"]):
        assert ask(client, token).status_code == 401
    assert refresh(following["refresh_token"]).status_code == 401
    assert ask(client, other["access_token"]).status_code == 200
    assert refresh(other["refresh_token"]).status_code == 200


def test_logging_out_with_the_access_token_ends_the_refresh_token_too(client: APIClient, pair: dict[str, Any]) -> None:
    assert client.post("/auth/logout", headers=bearer(pair["access_token"])).status_code == 200
    assert ask(client, pair["access_token"]).status_code == 401
    assert refresh(pair["refresh_token"]).status_code == 401


def test_logging_out_without_a_token_is_401(client: APIClient) -> None:
    assert client.post("/auth/logout").status_code == 401
    assert client.post("/auth/logout", {"refresh_token": "nonsense"}, format="json").status_code == 401


def test_what_has_expired_is_not_kept(client: APIClient, pair: dict[str, Any]) -> None:
    client.post("/auth/logout", {"refresh_token": pair["refresh_token"]}, format="json")
    OutstandingToken.objects.update(expires_at="2020-01-01T00:00:00Z")
    EndedLogin.objects.update(expires_at="2020-01-01T00:00:00Z")
    other = log_in(client, "ada").json()
    client.post("/auth/logout", {"refresh_token": other["refresh_token"]}, format="json")
    assert OutstandingToken.objects.count() == 1
    assert EndedLogin.objects.count() == 1


def test_no_token_stands_in_the_database(pair: dict[str, Any]) -> None:
    refresh(pair["refresh_token"])
    assert set(OutstandingToken.objects.values_list("token", flat=True)) == {""}


def test_the_fingerprint_is_the_one_of_simplejwt(pair: dict[str, Any], ada: User) -> None:
    from rest_framework_simplejwt.authentication import JWTAuthentication

    backend = JWTAuthentication()
    assert backend.get_user(backend.get_validated_token(pair["access_token"])) == ada


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate, gzip"])
@pytest.mark.parametrize("path", ["/auth/login", "/auth/refresh", "/auth/logout"])
def test_without_credentials_no_more_is_read_than_a_login_needs(client: APIClient, path: str, encoding: str) -> None:
    body = json.dumps({"username": "ada", "password": PASSWORD, "more": "x" * 100_000}).encode()
    packed = gzip.compress(zlib.compress(body)) if "," in encoding else gzip.compress(body) if encoding else body
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = client.post(path, packed, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert "64 KB" in answer.json()["detail"]


def test_with_credentials_a_compressed_body_may_be_as_large_as_any(client: APIClient, ada: User) -> None:
    body = gzip.compress(json.dumps({"prompt": "x" * 100_000, "service": "nobody"}).encode())
    headers = {"Content-Encoding": "gzip", **bearer(access_token("ada"))}
    answer = client.post("/api/tasks/execute/", body, content_type="application/json", headers=headers)
    assert answer.status_code in (400, 403)
