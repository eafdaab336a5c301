"""Small values: failures, rows of items, and what hooks may answer."""

from __future__ import annotations

import math
import traceback as tracebacks
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import msgspec
from attrs.validators import instance_of, optional

from crawler.content.encoding import replace_surrogates
from crawler.limits.events import QuotaEvent

if TYPE_CHECKING:
    from crawler.errors import RequestError
    from crawler.messages.request import Request
    from crawler.messages.response import Response

__all__ = ["Drop", "Failure", "Item", "Pause", "Produced", "Retry", "Row", "Stop", "Usage"]

Item: TypeAlias = Any
"""A dict, or an instance of an attrs class, a dataclass, a msgspec Struct or a pydantic model."""
Produced: TypeAlias = Any
"""What a callback gives back: requests and items by a generator, a list, an async function or an async generator.

To a type checker it is `Any`: there is no union that it would accept as the annotation of a generator.
"""


def _storable(reason: Any) -> Any:
    """Make a reason encodable: words of a page may hold lone surrogates. Its type is checked afterwards."""
    return replace_surrogates(reason) if isinstance(reason, str) else reason


def _seconds(_: object, field: attrs.Attribute[float], value: float) -> None:
    """Refuses what is no span of time."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{field.name} must be 0 seconds or more, not {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class Failure:
    """A request whose callback was not reached, or whose callback raised."""

    request: Request
    """What was asked."""
    error: RequestError
    """Why it failed."""
    attempts: int
    """Attempts that were made."""
    response: Response | None = None
    """The answer, where there was one."""

    @property
    def reason(self) -> str:
        """The kind of failure, as the report counts it."""
        return self.error.reason

    @property
    def kind(self) -> str:
        """What exactly, in one word, where that is known: see `RequestError.kind`."""
        return self.error.kind

    @property
    def traceback(self) -> str:
        """The traceback of what a callback or hook raised; empty for other failures."""
        cause = self.error.__cause__
        return "".join(tracebacks.format_exception(cause)) if cause is not None else ""


@attrs.frozen
class Drop:
    """A hook's word that this request or item is not wanted."""

    reason: str = attrs.field(default="dropped", converter=_storable, validator=instance_of(str))
    """A word for the report."""


@attrs.frozen
class Retry:
    """A hook's word that this attempt does not count as an answer: try again."""

    reason: str = attrs.field(default="retry", converter=_storable, validator=instance_of(str))
    """A word for the log."""
    after: float | None = attrs.field(default=None, kw_only=True, validator=optional(_seconds))
    """Seconds to wait; `None`: the usual backoff."""


@attrs.frozen
class Pause:
    """Answer of `measure`: start nothing for a while."""

    seconds: float = attrs.field(validator=_seconds)
    """How long."""
    scope: str | None = None
    """Which lane; `None`: the one that was measured."""


@attrs.frozen
class Stop:
    """Answer of `measure`: end the crawl (exit code 3)."""

    reason: str = attrs.field(converter=_storable, validator=instance_of(str))
    """A word for the report."""


@attrs.frozen(kw_only=True)
class Usage:
    """What `measure` is told after every attempt."""

    event: str = "answer"
    """What happened: ``answer``, ``refused`` or ``error``; then, once each time it comes true, of a quota: ``forecast``
    (it will be used up before its reset), ``low`` (less than a fifth is left), ``critical`` (all that is left is on its
    way), ``recovered`` (served again after refusals) or ``policy_changed``."""
    lane: str
    """The lane that was asked."""
    scope: str = ""
    """Of an event of a quota: the lane or budget that it belongs to."""
    quota: QuotaEvent | None = None
    """Of an event of a quota: which policy, its limit, what remains, when it resets, when a breach would come."""
    request: Request
    """What was asked."""
    response: Response | None = None
    """The answer, if any."""
    error: RequestError | None = None
    """Why there was none."""
    quotas: dict[str, dict[str, dict[str, Any]]] = attrs.field(factory=dict)
    """What is known of the quotas of the lane and of the budgets that the request names: by their names, then by
    policy: ``limit``, ``remaining``, ``window`` (seconds), ``reset_at`` (seconds since the epoch), …"""
    requests: int
    """Requests sent on this lane so far."""
    refusals: int
    """Refusals on this lane so far: 429, 503 and what else says that it was asked too much."""


@attrs.frozen(eq=False)
class Row:
    """One committed item, as `persist` gets it."""

    data: bytes
    """The item as JSON, UTF-8."""
    key: str
    """A name of this item that never names another: safe to insert or replace by."""
    page: str
    """The URL of the page that it came from."""
    value: Item = None
    """The object that the spider made, where it is at hand."""

    @property
    def item(self) -> dict[str, Any]:
        """The item as a dict of JSON values."""
        decoded: dict[str, Any] = msgspec.json.decode(self.data)
        return decoded
