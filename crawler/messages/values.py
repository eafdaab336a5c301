"""Small values: failures, rows of items, and the values that hooks return."""

from __future__ import annotations

import math
import traceback as tracebacks
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import attrs
import msgspec
from attrs.validators import optional

from crawler.content.encoding import replace_surrogates
from crawler.limits.events import QuotaEvent
from crawler.redaction import redact

if TYPE_CHECKING:
    from crawler.errors import RequestError
    from crawler.messages.request import Request
    from crawler.messages.response import Response

__all__ = [
    "BodyWriter", "Drop", "Failure", "Item", "Pause", "Produced", "Receive", "Retry", "Row", "Stop", "Usage",
]  # fmt: skip

Item: TypeAlias = Any
"""One item: a dict, or an instance of an attrs class, a dataclass, a msgspec Struct or a pydantic model."""
Produced: TypeAlias = Any
"""Result of a callback: an item, a request, an iterable of them, a generator, or the async form of one of these.

Its static type is `Any`, since no union type fits the annotation of a generator."""


def _storable(reason: Any) -> Any:
    """Hide secrets, and replace lone surrogates, which UTF-8 cannot encode. The validator checks the type."""
    return redact(replace_surrogates(reason)) if isinstance(reason, str) else reason


def _text(_: object, field: attrs.Attribute[str], value: str) -> None:
    """Validate a text."""
    if not isinstance(value, str):
        raise TypeError(f"{field.name} must be str, not {type(value).__name__}")


def _seconds(_: object, field: attrs.Attribute[float], value: float) -> None:
    """Validate a duration in seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{field.name} must be 0 seconds or more, not {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class Failure:
    """A request whose callback was not reached, or whose callback raised."""

    request: Request
    """The request that failed."""
    error: RequestError
    """Why it failed."""
    attempts: int
    """Number of attempts that were made."""
    response: Response | None = None
    """The response; `None` if there was none."""

    @property
    def reason(self) -> str:
        """The class of failure as the report counts it: see `RequestError.reason`."""
        return self.error.reason

    @property
    def kind(self) -> str:
        """The exact cause in one word; empty if unknown. See `RequestError.kind`."""
        return self.error.kind

    @property
    def traceback(self) -> str:
        """The traceback of the exception that a callback or hook raised; empty for other failures."""
        cause = self.error.__cause__
        return redact("".join(tracebacks.format_exception(cause))) if cause is not None else ""


@attrs.frozen
class Drop:
    """Returned by a hook to drop a request or an item."""

    reason: str = attrs.field(default="dropped", converter=_storable, validator=_text)
    """Reason by which the report counts it, in a word or two."""
    is_success: bool = False
    """Whether the request has been dealt with, as when its page has not changed. A crawl without a page has failed,
    unless `fetch` has dropped a request that way."""


@runtime_checkable
class BodyWriter(Protocol):
    """The destination of a body that `Crawl.fetch` writes as it arrives. A file of `trio.open_file` is one."""

    async def write(self, data: bytes, /) -> object:
        """Write the next bytes of the decoded body. The server is not read from until this returns.

        A `Drop` that it returns leaves the rest of the body unread.
        """


Receive: TypeAlias = "Callable[[Response], Awaitable[BodyWriter | Drop | None]]"
"""Chooses the destination of the body of a response. See `Crawl.fetch`."""


@attrs.frozen
class Retry:
    """Returned by a hook or a callback to discard this attempt and try again."""

    reason: str = attrs.field(default="retry", converter=_storable, validator=_text)
    """Reason for the log, in a word or two."""
    after: float | None = attrs.field(default=None, kw_only=True, validator=optional(_seconds))
    """Seconds to wait before the next attempt. `None` means the usual backoff."""


@attrs.frozen
class Pause:
    """Returned by `measure` to start no requests on a lane for a while."""

    seconds: float = attrs.field(validator=_seconds)
    """Length of the pause."""
    scope: str | None = None
    """Name of the lane. `None` means the lane that was measured."""


@attrs.frozen
class Stop:
    """Returned by `measure` to end the crawl, with exit code 3."""

    reason: str = attrs.field(converter=_storable, validator=_text)
    """Reason for the report, in a word or two."""


@attrs.frozen(kw_only=True)
class Usage:
    """The argument of `measure`: one attempt, or one event of a quota."""

    event: str = "answer"
    """Kind of the event.

    After an attempt it is ``answer``, ``refused`` or ``error``. For a quota it is one of these, once each time it
    becomes true: ``forecast`` (the quota will be used up before its reset), ``low`` (less than a fifth is left),
    ``critical`` (requests in flight use all that is left), ``recovered`` (requests succeed again after refusals),
    ``policy_changed``."""
    lane: str
    """The lane of the request."""
    scope: str = ""
    """For a quota event, the lane or budget of the quota; otherwise empty."""
    quota: QuotaEvent | None = None
    """For a quota event, its policy, limit, remaining units, reset and expected exhaustion; otherwise `None`."""
    request: Request
    """The request."""
    response: Response | None = None
    """The response; `None` if there was none."""
    error: RequestError | None = None
    """Why there was no response; `None` if there was one."""
    quotas: dict[str, dict[str, dict[str, Any]]] = attrs.field(factory=dict)
    """State of the quotas of the lane, and of the budgets that the request names. The keys are these names, then
    policies; the values have ``limit``, ``remaining``, ``window`` (seconds), ``reset_at`` (seconds since the epoch),
    …"""
    waited: dict[str, float] = attrs.field(factory=dict)
    """After an attempt, the seconds for which requests of the lane were ready but had to wait since the attempt before,
    by reason: ``pace``, ``delay``, ``quota``, ``refusal``, ``concurrency``, ``outage``."""
    requests: int
    """Requests sent on this lane so far."""
    refusals: int
    """Responses on this lane so far by which the server refused load: 429, 503, …"""


@attrs.frozen(eq=False)
class Row:
    """One committed item, as `persist` gets it."""

    data: bytes
    """The item as JSON, in UTF-8."""
    key: str
    """Unique and stable key of the item, safe for inserts and upserts."""
    page: str
    """The URL of the page that the item came from."""
    value: Item = None
    """The object that the spider yielded; `None` if it is no longer in memory."""
    type: str = ""
    """The name of the class of the item; empty for a dict. Unlike `value`, it is known after a restart."""
    sinks: tuple[str, ...] = ()
    """The names of the only sinks that have not stored it; empty: none has."""

    @property
    def item(self) -> dict[str, Any]:
        """The item as a dict of JSON values."""
        decoded: dict[str, Any] = msgspec.json.decode(self.data)
        return decoded
