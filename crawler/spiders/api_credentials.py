"""Credentials of an API: header fields, a token or a user, given as values or as names of environment variables."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from crawler import urls
from crawler.environment import resolve, resolve_credentials
from crawler.errors import ConfigError
from crawler.headers import Headers
from crawler.messages import Request
from crawler.messages.checks import parse_auth, parse_headers
from crawler.messages.request import copy_unchecked

__all__ = ["ApiCredentials", "parse_credentials"]


@attrs.frozen
class ApiCredentials:
    """Credentials that are sent to certain origins only."""

    origins: frozenset[str]
    """Scheme, host and port of each origin."""
    fields: dict[str, str] = attrs.field(repr=False)
    """Header fields."""
    auth: tuple[str, str] | str | None = attrs.field(repr=False)
    """User and password, or a scheme and credentials; `None` without them."""

    def with_credentials(self, request: Request) -> Request | None:
        """Return the request with the credentials; `None` if it needs none, or goes to another origin."""
        if not (self.fields or self.auth) or urls.origin(request.url) not in self.origins:
            return None
        added = [pair for pair in self.fields.items() if pair[0] not in request.headers]
        headers = Headers([*request.headers.pairs, *added])
        return copy_unchecked(request, headers=headers, auth=request.auth or self.auth)


def parse_credentials(
    origins: frozenset[str], *, headers: Mapping[str, str], token: str, user: str, where: str
) -> ApiCredentials:
    """Return the credentials that the arguments of a spider describe. Error messages never contain them."""
    if token and user:
        raise ConfigError(f"{where} user: give a token or a user, not both")
    fields = {name: resolve_credentials(value, f"{where} headers") for name, value in headers.items()}
    if token:
        fields["Authorization"] = f"Bearer {resolve(token, f'{where} token')}"
    name, colon, password = resolve(user, f"{where} user").partition(":")
    if user and not colon:
        raise ConfigError(f"{where} user: expected user:password, or env:NAME of a variable that holds it")
    for field, value in fields.items():
        try:
            parse_headers({field: value})
        except ValueError as error:
            source = "token" if token and field == "Authorization" else "headers"
            reason = str(error) if "field name" in str(error) else f"{source}: cannot be sent as {field}"
            raise ConfigError(f"{where} {reason}") from None
    try:
        return ApiCredentials(origins, fields, parse_auth((name, password)) if user else None)
    except ValueError as error:
        raise ConfigError(f"{where} {error}") from None
