from __future__ import annotations

from django.contrib.auth import authenticate
from django.contrib.auth.models import User, update_last_login
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apikeys import decoding, devices, passwords, presentation, security_log, tokens
from apikeys.bodies import LoginBody, LogoutBody, PasswordBody, RefreshBody
from apikeys.credentials import presented
from apikeys.login_guard import account_key
from apikeys.permissions import known_caller


class LoginViewSet(ViewSet):
    """Log in, stay logged in, log out. Open to all: whoever comes here has no valid credentials yet, or no more."""

    authentication_classes = ()
    permission_classes = ()

    @action(detail=False, methods=["post"])
    def login(self, request: Request) -> Response:
        body = decoding.body(request.data, LoginBody)
        user = authenticate(request._request, username=body.username, password=body.password)  # noqa: SLF001
        if not isinstance(user, User):
            raise AuthenticationFailed("The user name or the password is wrong, or the user is disabled.")
        update_last_login(None, user)  # type: ignore[arg-type]  # the sender does not matter
        whole = request._request  # noqa: SLF001
        security_log.record("login", whole, user=user.get_username(), door=whole.path_info)
        answer = Response(presentation.token_pair(tokens.issue(user)))
        # Only back to here: a program's other calls need no cookie.
        devices.remember(answer, whole, account_key(user.get_username()), path=_LOGIN_PATH)
        return answer

    @action(detail=False, methods=["post"])
    def refresh(self, request: Request) -> Response:
        body = decoding.body(request.data, RefreshBody)
        try:
            return Response(presentation.token_pair(tokens.refresh(body.refresh_token)))
        except tokens.ReplayedTokenError as error:
            security_log.record("refresh_token_replayed", request._request, user=error.username)  # noqa: SLF001
            raise AuthenticationFailed(_DEAD) from None
        except tokens.RefusedTokenError:
            raise AuthenticationFailed(_DEAD) from None

    @action(detail=False, methods=["post"])
    def logout(self, request: Request) -> Response:
        body = decoding.body(request.data or {}, LogoutBody)
        token = body.refresh_token or presented(request._request) or ""  # noqa: SLF001
        try:
            username = tokens.end(token)
        except tokens.RefusedTokenError:
            raise AuthenticationFailed(_DEAD) from None
        security_log.record("logout", request._request, user=username)  # noqa: SLF001
        return Response(presentation.logged_out())


class MeViewSet(ViewSet):
    """Who the caller is to Oxide. Whoever is known may ask, whatever else they may do."""

    permission_classes = ()

    def retrieve(self, request: Request) -> Response:
        return Response(presentation.me(known_caller(request)))


class PasswordViewSet(ViewSet):
    """Another password of one's own, whatever one may do otherwise."""

    permission_classes = ()

    def create(self, request: Request) -> Response:
        known = known_caller(request)
        whole = request._request  # noqa: SLF001 - DRF documents it as the way to Django's
        body = decoding.body(request.data, PasswordBody)
        user = User.objects.filter(pk=known.user_id or 0).first() if known.kind == "user" else None
        if user is None:
            raise PermissionDenied("Only people have a password: log in as the one whose password is to change.")
        try:
            passwords.change(whole, user, body.current_password, body.new_password)
        except passwords.WrongPasswordError as error:
            raise ValidationError({"current_password": str(error)}) from None
        except DjangoValidationError as error:
            raise ValidationError({"new_password": error.messages}) from None
        return Response(presentation.token_pair(tokens.issue(user)))


_DEAD = "This token is not valid (any more). Log in again at /auth/login."
_LOGIN_PATH = "/auth/login"
