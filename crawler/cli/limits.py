"""``crawler limits``: the rate limits that a server declares, in words, and how a crawl would follow them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import attrs
import msgspec

from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration
from crawler.cli.logs import log_to_stderr, say
from crawler.cli.options import LogLevel, SettingTexts, Url
from crawler.cli.single_page import SinglePage, fetch_page, status_line
from crawler.cli.standard_streams import show, write
from crawler.cli.target import check_url
from crawler.limits.headers.field_names import limit_fields
from crawler.limits.pace import parse_rate
from crawler.limits.throttle_statistics import ThrottleStatistics
from crawler.messages import Request, Response, Stop, Usage
from crawler.redaction import redact

__all__ = ["limits"]

WAIT_REASONS: Final = {
    "refusal": " (this one was refused)",
    "quota": " (the quota is used up until then)",
    "pace": " (requests are spread evenly)",
    "delay": " (the delay between two requests)",
}
"""Why the next request must wait, by the word of `Throttle.blocked_by`."""


class LimitedPage(SinglePage):
    """Fetches one page, and keeps what its response says about limits. A refusal is not retried."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.limits: ServerLimits | None = None

    def measure(self, usage: Usage) -> Stop | None:
        """Read the limits after every attempt, including that for robots.txt."""
        limit = self.limit(usage)
        if limit is None or usage.response is None:
            return None
        refused = usage.event == "refused"
        self.limits = ServerLimits.read(limit, usage.response, self.crawl.clock(), refused=refused)
        if not refused:
            return None
        self.response = usage.response
        return Stop("refused")


@attrs.frozen(kw_only=True)
class ServerLimits:
    """The limits of a server after one response, as JSON values."""

    url: str
    status: int
    refused: bool
    """Whether the server refused the request because there were too many."""
    fields: list[tuple[str, str]]
    """The header fields about limits."""
    policies: dict[str, dict[str, Any]]
    """By name: ``limit``, ``remaining``, ``window`` and others; ``ends_in`` is in seconds. With ``window_is_guess``, a
    single reset has shown the window, which may be longer."""
    next_in: float | None
    """Seconds until a crawl would start the next request. `None` means unknown."""
    held_by: str
    """The reason for the wait: ``refusal``, ``quota``, ``pace`` or ``delay``; empty without a wait."""
    at_once: int
    """Number of requests that may be in flight now."""
    at_most: int
    """Number of requests that may be in flight if the server keeps up."""
    delay: float
    """Seconds between two requests."""
    rates: tuple[str, ...]
    """The rates that the settings allow."""

    @classmethod
    def read(cls, limit: ThrottleStatistics, response: Response, now: float, *, refused: bool) -> ServerLimits:
        """Read the limits of a lane."""
        wait = limit.ready_at - now
        pairs = response.headers.pairs
        return cls(
            url=redact(response.url),
            status=response.status,
            refused=refused,
            fields=[(name, value) for name, value in pairs if limit_fields([(name, value)])],
            policies={name: _relative(policy, now) for name, policy in limit.policies.items()},
            next_in=None if math.isinf(wait) and wait > 0 else round(max(0.0, wait), 3),
            held_by=limit.blocked_by,
            at_once=limit.concurrency,
            at_most=limit.max_concurrency,
            delay=limit.delay,
            rates=limit.rates,
        )


def limits(
    url: Url,
    /,
    *,
    json: Annotated[bool, Argument("Print one JSON object instead of text.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Show the rate limits that a server declares, explained.

    It sends one request, as a crawl does, and explains the limits that the response states. It explains a refusal, too,
    and does not retry.

    Example: crawler limits https://api.example/users
    """
    log_to_stderr(log_level)
    spider = LimitedPage(Request(check_url(url)))
    fetch_page(spider, Configuration.load(settings=setting), show_status=False)
    if spider.limits is None:
        say(f"crawler: a plugin answered the request for {url}, so no server was asked\n")
    elif json:
        write(msgspec.json.encode(spider.limits).decode() + "\n")
    else:
        show(_lines(spider.limits))
    return 0


def _relative(policy: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return a policy in which ``ends_in``, in seconds from now, replaces ``reset_at``."""
    fields = {name: value for name, value in policy.items() if name != "reset_at"}
    reset_at = policy.get("reset_at")
    return fields if reset_at is None else fields | {"ends_in": round(max(0.0, reset_at - now), 3)}


# ---- in words --------------------------------------------------------------------------------------------------------


def _lines(limits: ServerLimits) -> Iterator[str]:
    yield f"{limits.url} returned {status_line(limits.status)}{': too many requests for now' if limits.refused else ''}"
    for name, value in limits.fields:
        yield f"  header    {name}: {value}"
    if not limits.fields:
        yield "  header    none about limits"
    for name, policy in limits.policies.items():
        yield f"  quota     {_quota(name, policy)}"
    yield f"  next      {_next(limits)}"
    for pace in _paces(limits):
        yield f"  pace      {pace}"
    more = f", up to {limits.at_most} while the server keeps up" if limits.at_most > limits.at_once else ""
    yield f"  in flight {limits.at_once} at once{more}"


def _quota(name: str, policy: Mapping[str, Any]) -> str:
    """Describe a quota: ``default: 100 requests per 60 s, 99 left, reset in 42 s``."""
    parts = [_amount(policy)]
    if policy.get("remaining") is not None:
        parts.append(f"{policy['remaining']:g} left")
    if policy.get("rate"):
        parts.append(f"refilled at {policy['rate']:.3g} per second")
    elif "ends_in" in policy:
        parts.append(f"reset in {_duration(policy['ends_in'])}")
    return f"{name}: {', '.join(part for part in parts if part)}"


def _amount(policy: Mapping[str, Any]) -> str:
    """Return the limit, unit and window of a quota, as far as they are known: ``100 requests per 60 s``."""
    unit = policy.get("unit", "requests")
    guess = " or longer, by a single reset" if policy.get("window_is_guess") else ""
    window = f" per {_duration(policy['window'])}{guess}" if policy.get("window") else ""
    return f"{policy['limit']:g} {unit}{window}" if policy.get("limit") else f"{unit}{window}"


def _next(limits: ServerLimits) -> str:
    """Return when the next request may start."""
    if limits.next_in is None:
        return "unknown: a crawl would have to probe for the limit"
    if not limits.next_in:
        return "a request may start now"
    return f"a request may start in {_duration(limits.next_in)}{WAIT_REASONS.get(limits.held_by, '')}"


def _paces(limits: ServerLimits) -> Iterator[str]:
    """Yield the paces that hold in the long run."""
    for name, policy in limits.policies.items():
        if policy.get("limit") and policy.get("window") and policy.get("unit", "requests") == "requests":
            at_most = "at most " if policy.get("window_is_guess") else ""
            yield f"{at_most}{_pace(policy['limit'] / policy['window'])} on average, from the quota {name}"
    for rate in limits.rates:
        requests, seconds = parse_rate(rate)
        yield f"{_pace(requests / seconds)}, from your rate of {rate}"
    if limits.delay:
        yield f"one request every {_duration(limits.delay)}, from the delay"


def _pace(rate: float) -> str:
    """Describe a rate, in requests per second, so that it is easy to imagine."""
    return f"{rate:.3g} requests per second" if rate > 1 else f"one request every {_duration(1 / rate)}"


def _duration(seconds: float) -> str:
    """Return a duration with a unit that suits it: ``42 s``, ``15 min``, ``24 h``."""
    for unit, length in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
