"""Who a client calls as."""

from __future__ import annotations

from oxide_client import answers, calls
from oxide_client.errors import UnauthorizedError


class Tokens:
    """`access` goes along with each call; `refresh` gets the next pair, and is there after a login alone."""

    def __init__(self, token: str | None) -> None:
        self.access = calls.checked_token(token)
        self.refresh: str | None = None

    def keep(self, pair: answers.TokenPair) -> answers.TokenPair:
        self.access, self.refresh = pair["access_token"], pair["refresh_token"]
        return pair

    def forget(self) -> None:
        self.access = self.refresh = None

    def refresh_with(self, given: str | None) -> str:
        """The refresh token that is given, or else the login's own."""
        if token := given or self.refresh:
            return token
        raise UnauthorizedError("There is no refresh token: log in with login first.")
