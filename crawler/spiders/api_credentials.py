"""What opens an API: header fields, a token, a user; given as they are, or by the name of an environment variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import attrs

from crawler import urls
from crawler.errors import ConfigError
from crawler.headers import Headers
from crawler.messages import Request
from crawler.messages.checks import parse_auth, parse_headers
from crawler.messages.request import copy_unchecked

__all__ = ["ApiCredentials", "parse_credentials", "resolve_value"]

FROM_ENVIRONMENT: Final = "env:"
"""How a value begins that is the name of a variable of the environment."""


@attrs.frozen
class ApiCredentials:
    """What is sent to some origins and to no other."""

    origins: frozenset[str]
    """Scheme, host and port of each."""
    fields: dict[str, str] = attrs.field(repr=False)
    """Header fields."""
    auth: tuple[str, str] | str | None = attrs.field(repr=False)
    """A user and a password."""

    def with_credentials(self, request: Request) -> Request | None:
        """The request with the credentials; `None`: it needs none, or goes elsewhere."""
        if not (self.fields or self.auth) or urls.origin(request.url) not in self.origins:
            return None
        added = [pair for pair in self.fields.items() if pair[0] not in request.headers]
        headers = Headers([*request.headers.pairs, *added])
        return copy_unchecked(request, headers=headers, auth=request.auth or self.auth)


def parse_credentials(
    origins: frozenset[str], *, headers: Mapping[str, str], token: str, user: str, where: str
) -> ApiCredentials:
    """Credentials by the arguments of a spider. No message shows one of them.

    Parameters:
        origins: where they may be sent to.
        headers: header fields.
        token: a bearer token (RFC 6750).
        user: ``user:password`` (RFC 7617).
        where: how a message begins.

    Raises:
        ConfigError: one of them cannot be sent.
    """
    if token and user:
        raise ConfigError(f"{where} user: give a token or a user, not both")
    fields = {name: resolve_value(value, f"{where} headers") for name, value in headers.items()}
    if token:
        fields["Authorization"] = f"Bearer {resolve_value(token, f'{where} token')}"
    name, colon, password = resolve_value(user, f"{where} user").partition(":")
    if user and not colon:
        raise ConfigError(f"{where} user: user:password, or env:NAME of a variable that holds that")
    for field, value in fields.items():
        try:
            parse_headers({field: value})
        except ValueError as error:
            source = "token" if token and field == "Authorization" else "headers"
            told = str(error) if "field name" in str(error) else f"{source}: it cannot be sent as {field}"
            raise ConfigError(f"{where} {told}") from None
    try:
        return ApiCredentials(origins, fields, parse_auth((name, password)) if user else None)
    except ValueError as error:
        raise ConfigError(f"{where} {error}") from None


def resolve_value(value: str, where: str) -> str:
    """A value, or for ``env:NAME`` what the environment has under that name.

    Raises:
        ConfigError: it has nothing.
    """
    if not value.startswith(FROM_ENVIRONMENT):
        return value
    name = value.removeprefix(FROM_ENVIRONMENT)
    if not os.environ.get(name):
        raise ConfigError(f"{where}: the environment has no {name!r}")
    return os.environ[name]
