from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view

from apikeys.auth_views import LoginViewSet, MeViewSet, PasswordViewSet
from apikeys.bodies import ClientKeyBody, LoginBody, LogoutBody, PasswordBody, RefreshBody
from apikeys.client_key_views import ClientKeyViewSet
from apikeys.presentation import ClientKeyList, ClientKeyMade, LoggedOut, Me, TokenPair
from oxide_project.openapi.shapes import answers, json_body
from services.key_presentation import KeyStatus, KeyStatusList, KeyTested, KeyUpdated
from services.key_views import KeyTest, KeyUpdate, KeyViewSet

LOGIN = OpenApiExample("A login", {"username": "admin", "password": "your-password"}, request_only=True)
KEY = OpenApiExample("A key", {"service": "openrouter", "api_key": "sk-or-..."}, request_only=True)


def document() -> None:
    _document_identity()
    _document_client_keys()
    _document_provider_keys()


def _document_identity() -> None:
    extend_schema_view(
        login=extend_schema(
            auth=[],
            summary="Get a token for a name and a password",
            request=json_body(LoginBody),
            responses=answers({200: TokenPair}, 413, 415),
            examples=[LOGIN],
        ),
        refresh=extend_schema(
            auth=[],
            summary="Get the next pair of tokens for a refresh token",
            request=json_body(RefreshBody),
            responses=answers({200: TokenPair}, 413, 415),
        ),
        logout=extend_schema(
            auth=[],
            summary="End a login: its tokens are good no more",
            request=json_body(LogoutBody),
            responses=answers({200: LoggedOut}, 413, 415),
        ),
    )(LoginViewSet)
    extend_schema_view(
        create=extend_schema(
            operation_id="auth_password_create",
            summary="Change your own password",
            description="Ends all of your logins. The answer is a new one.",
            request=json_body(PasswordBody),
            responses=answers({200: TokenPair}, 413, 415),
        )
    )(PasswordViewSet)
    extend_schema_view(retrieve=extend_schema(summary="Who you are to Oxide", responses=answers({200: Me})))(MeViewSet)


def _document_client_keys() -> None:
    extend_schema_view(
        list=extend_schema(summary="Keys of programs", responses=answers({200: ClientKeyList})),
        create=extend_schema(
            summary="Make a key for a program",
            description="This is the only answer that ever holds the key. Without `scopes` it gets `execute`: it runs "
            "tasks and sees its own. `read` shows it the tasks of all callers. You cannot grant a scope that you lack.",
            request=json_body(ClientKeyBody),
            responses=answers({201: ClientKeyMade}, 413, 415),
        ),
        destroy=extend_schema(
            summary="Revoke a program's key",
            responses=answers({204: None}, 404),
        ),
    )(ClientKeyViewSet)


def _document_provider_keys() -> None:
    extend_schema_view(
        overview=extend_schema(
            operation_id="api_keys_status_list",
            summary="Which services have their key",
            responses=answers({200: KeyStatusList}),
        ),
        status=extend_schema(summary="Whether a service has its key", responses=answers({200: KeyStatus}, 404)),
        test=extend_schema(
            summary="Ask a provider whether it takes a key",
            description="Without `api_key` the configured one is tested. Calls only a free address; stores nothing.",
            request=json_body(KeyTest),
            responses=answers({200: KeyTested}, 404, 413, 415),
            examples=[KEY],
        ),
        replace=extend_schema(
            summary="Give a service another key",
            description="Writes the key to the configuration file, or encrypted to the database "
            "(`OXIDE_KEY_STORE=database`).",
            request=json_body(KeyUpdate),
            responses=answers({200: KeyUpdated}, 404, 413, 415, 503),
            examples=[KEY],
        ),
    )(KeyViewSet)
