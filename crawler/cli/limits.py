"""``crawler limits``: what a server declares of its limits, in words, and how a crawl would keep to it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import attrs
import msgspec
from cyclopts import Parameter

from crawler.cli.configuration import Layers
from crawler.cli.logs import log_to_stderr, say
from crawler.cli.single_page import LogLevel, OnePage, SettingTexts, Url, ask, status_line
from crawler.cli.standard_streams import write
from crawler.cli.target import web_url
from crawler.limits.headers.field_names import limit_fields
from crawler.limits.pace import parse_rate
from crawler.limits.throttle import Throttle
from crawler.messages import Request, Response, Stop, Usage

__all__ = ["limits"]

BY: Final = {
    "refusal": ", since this one was refused",
    "quota": ", since nothing is left until then",
    "pace": ", since requests are spread evenly",
    "delay": ", by the delay",
}
"""Why the next request has to wait."""


class LimitedPage(OnePage):
    """Keeps what the crawl has learned of the lane; a refusal is an answer too, and is not asked again."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.known: Known | None = None

    def measure(self, usage: Usage) -> Stop | None:
        """After every attempt, that for a robots.txt too."""
        throttle = self.throttle(usage)
        if throttle is None or usage.response is None:
            return None
        self.known = Known.of(throttle, usage.response, self.crawl.clock(), refused=usage.event == "refused")
        if usage.event != "refused":
            return None
        self.response = usage.response
        return Stop("refused")


@attrs.frozen(kw_only=True)
class Known:
    """What one answer makes known, as JSON values."""

    url: str
    status: int
    refused: bool
    """Whether the answer says that we asked too much."""
    fields: list[tuple[str, str]]
    """The header fields that speak of limits."""
    policies: dict[str, dict[str, Any]]
    """By name: limit, remaining, window and so on; ``ends_in`` is in seconds."""
    next_in: float | None
    """Seconds until a crawl would start the next request; `None`: not known."""
    held_by: str
    """What it waits for: ``refusal``, ``quota``, ``pace``, ``delay`` or nothing."""
    at_once: int
    """Requests that may be in flight now."""
    at_most: int
    """Requests that may be in flight if the server keeps up."""
    delay: float
    """Seconds between two requests."""
    rates: tuple[str, ...]
    """What the user allows."""

    @classmethod
    def of(cls, throttle: Throttle, response: Response, now: float, *, refused: bool) -> Known:
        """What a lane's throttle knows at `now` (seconds since the epoch)."""
        wait = throttle.ready_at(now) - now
        pairs = response.headers.pairs
        return cls(
            url=response.url,
            status=response.status,
            refused=refused,
            fields=[(name, value) for name, value in pairs if limit_fields([(name, value)])],
            policies={name: _relative(policy, now) for name, policy in throttle.policies().items()},
            next_in=None if math.isinf(wait) and wait > 0 else round(max(0.0, wait), 3),
            held_by=throttle.blocked_by,
            at_once=throttle.concurrency.limit,
            at_most=throttle.concurrency.most,
            delay=throttle.pacing.delay,
            rates=throttle.pace.rate,
        )


def limits(
    url: Url,
    /,
    *,
    json: Annotated[bool, Parameter(help="One JSON object.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Tell what a server declares of its limits, and how a crawl would keep to it.

    One request is made, as in a crawl, and its answer is explained. A refusal is explained too, and not asked again.
    """
    log_to_stderr(log_level)
    spider = LimitedPage(Request(web_url(url)))
    ask(spider, Layers.read(settings=setting), tell=False)
    if spider.known is None:
        say(f"crawler: a plugin answered for {url}: no server was asked\n")
    elif json:
        write(msgspec.json.encode(spider.known).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(spider.known)))
    return 0


def _relative(policy: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A policy with its end as seconds from now on."""
    told = {name: value for name, value in policy.items() if name != "reset_at"}
    ends = policy.get("reset_at")
    return told if ends is None else told | {"ends_in": round(max(0.0, ends - now), 3)}


# ---- in words --------------------------------------------------------------------------------------------------------


def _lines(known: Known) -> Iterator[str]:
    yield f"{known.url} answered {status_line(known.status)}{': it refuses for now' if known.refused else ''}"
    for name, value in known.fields:
        yield f"  says      {name}: {value}"
    if not known.fields:
        yield "  says      nothing of limits in its header fields"
    for name, policy in known.policies.items():
        yield f"  quota     {_quota(name, policy)}"
    yield f"  next      {_next(known)}"
    for pace in _paces(known):
        yield f"  pace      {pace}"
    more = f", more while the server keeps up, {known.at_most} at most" if known.at_most > known.at_once else ""
    yield f"  at once   {known.at_once}{more}"


def _quota(name: str, policy: Mapping[str, Any]) -> str:
    """``default: 100 requests in 60 s, 99 left, all of it back in 42 s``."""
    parts = [_amount(policy)]
    if policy.get("remaining") is not None:
        parts.append(f"{policy['remaining']:g} left")
    if policy.get("rate"):
        parts.append(f"{policy['rate']:.3g} a second come back")
    elif "ends_in" in policy:
        parts.append(f"more in {_span(policy['ends_in'])}")
    return f"{name}: {', '.join(part for part in parts if part)}"


def _amount(policy: Mapping[str, Any]) -> str:
    unit = policy.get("unit", "requests")
    window = f" in {_span(policy['window'])}" if policy.get("window") else ""
    return f"{policy['limit']:g} {unit}{window}" if policy.get("limit") else f"{unit}{window}"


def _next(known: Known) -> str:
    if known.next_in is None:
        return "not known: the limit has to be found out"
    if not known.next_in:
        return "a request may start at once"
    return f"a request may start in {_span(known.next_in)}{BY.get(known.held_by, '')}"


def _paces(known: Known) -> Iterator[str]:
    """What holds in the long run."""
    for name, policy in known.policies.items():
        if policy.get("limit") and policy.get("window") and policy.get("unit", "requests") == "requests":
            yield f"{_pace(policy['limit'] / policy['window'])} on average, by the quota {name}"
    for rate in known.rates:
        requests, seconds = parse_rate(rate)
        yield f"{_pace(requests / seconds)}, by your rate of {rate}"
    if known.delay:
        yield f"one request in {_span(known.delay)}, by the delay"


def _pace(rate: float) -> str:
    """Requests per second in words that can be imagined."""
    return f"{rate:.3g} requests a second" if rate > 1 else f"one request in {_span(1 / rate)}"


def _span(seconds: float) -> str:
    """``42 s``, ``15 min``, ``24 h``."""
    for unit, length in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
