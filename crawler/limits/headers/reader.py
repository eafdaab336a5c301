"""`HeaderReader`: read the limits that a server declares, in whatever dialect.

Most servers with limits declare them, in dozens of dialects: four forms of one IETF draft, a common pattern with
vendor-specific words, and a few formats of their own. The reader keeps some memory, because the numbers of a field are
recognised by how they change, policies may be named in one response and used in the next, and two clocks differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import attrs
from msgspec.structs import replace

from crawler.lazy_pattern import lazy_pattern
from crawler.limits.headers.clock_skew import ClockSkew
from crawler.limits.headers.declared import NOTHING, Declared, Observation, TimeRange, intersect, merge
from crawler.limits.headers.field_names import DEFAULT_POLICY, WINDOWS, FieldName, limit_fields
from crawler.limits.headers.grouping import FieldGroup, FieldValue, GroupedFields, group_fields
from crawler.limits.headers.refusal_status import REFUSAL_STATUSES
from crawler.limits.headers.reset_semantics import ResetReading, ResetSemantics
from crawler.limits.headers.reset_times import (
    MAX_WAIT,
    is_window_in_milliseconds,
    parse_http_date,
    parse_reset,
    parse_time,
)
from crawler.limits.headers.retry_after import MAX_RETRY_AFTER, parse_retry_after
from crawler.limits.headers.structured_fields import Member, Policy, leading_number
from crawler.limits.headers.vendors import VENDOR_PARSERS

__all__ = ["HeaderReader"]

ACCEPTED: Final = 202
CONCURRENT: Final = "concurrent-requests"
"""Unit of a policy that limits requests in flight."""
MAX_POLICIES: Final = 64
"""Declared policies that are remembered per server."""
MAX_PLAIN_WAIT: Final = 60.0
"""Seconds; a longer wait that is first stated when nothing is left may be one in milliseconds."""
MAX_NAME_LENGTH: Final = 100
"""Characters; longer names are cut."""

BUCKET_ID = lazy_pattern(r"(?=\D*\d)[\w:-]{8,100}", re.ASCII)
"""The id of a quota (Discord), which two servers do not have by chance."""

HeaderPairs = Sequence[tuple[str, str]]


@attrs.frozen
class _ResponseContext:
    """Status and times of one response."""

    status: int
    sent: float
    received: float
    skew: TimeRange
    wait: float | None = None
    """Seconds to wait, as a refusal states."""

    @property
    def server_time(self) -> float:
        """The server's clock on receipt, at the earliest, in seconds since the epoch."""
        return self.received + self.skew[0]

    def parse_reset(self, text: str, *, milliseconds: bool) -> TimeRange | None:
        """Return the range of a reset value by our clock."""
        return parse_reset(text, sent=self.sent, received=self.received, skew=self.skew, milliseconds=milliseconds)


class HeaderReader:
    """Reads the limit fields of one server. It reads no clock and remembers a bounded number of values."""

    def __init__(self) -> None:
        self._semantics = ResetSemantics()
        self._skew = ClockSkew()
        self._policies: dict[str, Policy] = {}
        self._date: tuple[str, float | None] = ("", None)

    def read(self, headers: HeaderPairs, *, status: int, sent: float, received: float) -> Declared:
        """Return what one response declares about limits.

        Responses from caches (``Age`` above 0) and interim responses (1xx) declare nothing. Malformed fields are
        ignored; no field raises.
        """
        fields = limit_fields(headers)
        if not fields or status < 200:
            return NOTHING
        context = self._context(headers, status, sent, received)
        if context is None:
            return NOTHING
        grouped = group_fields(fields)
        waits = _longest_wait(grouped, context)
        if context.status in REFUSAL_STATUSES:
            context = attrs.evolve(context, wait=waits.retry_after)
        self._remember(policy for group in grouped.groups for policy in group.policies)
        declared = merge(self._parts(grouped, context))
        if context.status == ACCEPTED or context.status >= 300 or declared.violated:
            declared = merge((declared, waits))
        return declared or NOTHING

    def state(self) -> dict[str, Any]:
        """Return the verdicts on ambiguous fields and the clock skew as JSON values."""
        return {"verdicts": self._semantics.state(), "skew": self._skew.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; unreadable parts are ignored."""
        if isinstance(state, dict):
            self._semantics.restore(state.get("verdicts"))
            self._skew.restore(state.get("skew"))

    def _context(self, headers: HeaderPairs, status: int, sent: float, received: float) -> _ResponseContext | None:
        """Return status and times of a response, or `None` if it comes from a cache."""
        date = None
        for name, value in headers:
            low = name.lower()
            if low == "age" and (leading_number(value) or 0.0) > 0:
                return None
            if low == "date":
                if value != self._date[0]:
                    self._date = value, parse_http_date(value)
                date = self._date[1]
        if date is not None:
            self._skew.observe(date, sent=sent, received=received)
        return _ResponseContext(status, sent, received, self._skew.range or (0.0, 0.0))

    def _remember(self, policies: Iterable[Policy]) -> None:
        for policy in policies:
            if policy.name in self._policies or len(self._policies) < MAX_POLICIES:
                self._policies[policy.name] = policy

    # ---- the parts of a response -------------------------------------------------------------------------------------

    def _parts(self, grouped: GroupedFields, context: _ResponseContext) -> Iterator[Declared]:
        ungrouped = grouped.ungrouped
        names = [(value.strip()[:MAX_NAME_LENGTH], field.name) for field, value in ungrouped.get("name", ())]
        name, source = names[0] if names else ("", "")
        has_id = "bucket" in source and BUCKET_ID.fullmatch(name) is not None
        for field, item in grouped.items:
            yield self._read_item(field, item, context)
        for group in grouped.groups:
            declared = self._read_group(group, name if group.policy == DEFAULT_POLICY else "", context)
            yield _with_id(declared, name) if has_id else declared
            for policy in group.policies:
                yield _read_policy(policy)
        for field, value in ungrouped.get("vendor", ()):
            yield VENDOR_PARSERS[field.name](value, context.sent, context.received)
        for _, value in ungrouped.get("concurrency", ()):
            yield Declared(concurrency=_concurrency(leading_number(value)))
        yield Declared(violated=tuple(_violated(grouped, name or DEFAULT_POLICY, context.status)))

    def _read_item(self, field: FieldName, item: Member, context: _ResponseContext) -> Declared:
        """Read one named item of form D (see `crawler.limits.headers.structured_fields`)."""
        name, remaining = item.value[:MAX_NAME_LENGTH], leading_number(item.params["r"])
        policy = self._policies.get(name) or Policy(name=name, limit=None, window=None, unit="requests")
        if remaining is None or policy.unit == CONCURRENT:
            return NOTHING
        remaining = max(0.0, remaining)
        resets = [(field, item.params["t"])] if "t" in item.params else []
        reset, rate = self._read_resets(resets, policy, remaining, context)
        return _observed(policy, remaining, reset, rate, unusable_reset=bool(resets))

    def _read_group(self, group: FieldGroup, name: str, context: _ResponseContext) -> Declared:
        """Read the fields of one policy."""
        limit, remaining = group.limit_and_remaining()
        if limit == 0 and group.family.startswith("x-"):  # Okta: a concurrency limit, not a quota
            return Declared(violated=("concurrency",) if context.status in REFUSAL_STATUSES else ())
        if limit == 0:
            limit, remaining = None, 0.0
        known = self._known_policy(group, limit)
        interval = next((x for field, value in group.fields.get("window", ()) if (x := _interval(value, field))), None)
        fill = next((x for x in group.numbers("fill") if x > 0), None)
        word = next((value for _, value in group.fields.get("window", ()) if value in WINDOWS), "")
        policy = Policy(
            name=name or (known.name if known else word or group.policy),
            limit=limit,
            window=known.window if known else None if fill else interval or group.window,
            unit=known.unit if known else group.unit,
        )
        resets = group.fields.get("reset", ())
        reset, rate = self._read_resets(resets, policy, remaining, context)
        rate = fill / (interval or 1.0) if fill else rate
        declared = _observed(policy, remaining, reset, rate, unusable_reset=bool(resets))
        if reset and limit is None and remaining is None and context.status in REFUSAL_STATUSES:
            return replace(declared, retry_after=min(max(0.0, reset[1] - context.received), MAX_RETRY_AFTER))
        return declared

    def _known_policy(self, group: FieldGroup, limit: float | None) -> Policy | None:
        """Return the declared policy that an unnamed group describes: the one with its limit, or the only one."""
        if group.policy != DEFAULT_POLICY:
            return group.policies[0] if len(group.policies) == 1 else None
        policies = group.policies or list(self._policies.values())
        if limit is None:
            return policies[0] if len(policies) == 1 else None
        return next((policy for policy in policies if policy.limit == limit and policy.unit != CONCURRENT), None)

    def _read_resets(
        self, fields: Iterable[FieldValue], policy: Policy, remaining: float | None, context: _ResponseContext
    ) -> tuple[TimeRange | None, float | None]:
        """Return the reset time and the rate (units per second) that all reset fields of one policy state."""
        found: TimeRange | None = None
        found_rate: float | None = None
        for field, text in sorted(fields, key=lambda one: not one[0].relative):
            reset, rate = self._read_reset(field, text, policy, remaining, context)
            if reset is not None and (reset[1] > context.received or remaining == 0):  # a past reset is no news
                found = intersect(found, reset) if found else reset
            found_rate = rate if found_rate is None else found_rate
        return found, found_rate

    def _read_reset(
        self, field: FieldName, text: str, policy: Policy, remaining: float | None, context: _ResponseContext
    ) -> tuple[TimeRange | None, float | None]:
        verdict = self._semantics.verdict(field.name)
        plain = context.parse_reset(text, milliseconds=field.milliseconds)
        may_be_milliseconds = not field.milliseconds and text.strip().isdigit()
        milliseconds = context.parse_reset(text, milliseconds=True) if may_be_milliseconds else None
        if not verdict and milliseconds is not None and plain is None:  # as seconds, it would be implausibly long
            verdict = "milliseconds"
            self._semantics.remember(field.name, verdict)
        elif not verdict and _exceeds_window(plain, milliseconds, policy.window, context):
            verdict, plain = "milliseconds", None
        if plain is None or verdict == "moving":
            return milliseconds if verdict == "milliseconds" else None, None
        reading = ResetReading(
            sent=context.sent,
            received=context.received,
            reset=plain,
            milliseconds=milliseconds,
            limit=policy.limit,
            remaining=remaining,
        )
        is_long = (
            milliseconds is not None and plain[1] - context.received > MAX_PLAIN_WAIT and milliseconds[1] < plain[0]
        )
        refused = context.status in REFUSAL_STATUSES
        if not verdict and is_long and context.wait is not None:
            verdict = self._semantics.verdict_by_wait(field.name, reading, context.wait)
        elif not verdict and is_long and (refused or remaining == 0):
            verdict = self._semantics.verdict_when_empty(field.name, policy.name, reading, refused=refused)
        self._semantics.observe(field.name, policy.name, reading)
        match self._semantics.verdict(field.name) or verdict:
            case "milliseconds":
                return milliseconds, None
            case "moving":
                return None, None
            case "full":
                rate = (
                    policy.limit / policy.window
                    if policy.limit and policy.window
                    else self._semantics.rate(field.name, policy.name, reading)
                )
                is_empty = rate and remaining is not None and remaining < 1 and 1 / rate <= MAX_WAIT
                return (context.sent, context.received + 1 / rate) if rate and is_empty else None, rate
            case _:
                return plain, None


def _with_id(declared: Declared, name: str) -> Declared:
    """Return the same, with the observation of this name marked as one that has an id."""
    marked = (replace(one, has_id=True) if one.policy == name else one for one in declared.observations)
    return replace(declared, observations=tuple(marked))


def _concurrency(limit: float | None) -> int | None:
    return int(limit) if limit is not None and 1 <= limit < 1e9 else None


def _interval(value: str, field: FieldName) -> float | None:
    """Return the length of an interval in seconds."""
    number = leading_number(value)
    milliseconds = field.milliseconds or (number is not None and is_window_in_milliseconds(number))
    time = parse_time(value, now=-math.inf, milliseconds=milliseconds)
    if value in WINDOWS:
        return WINDOWS[value]
    return time.value if time is not None and not time.absolute and 0 < time.value <= MAX_RETRY_AFTER else None


def _exceeds_window(
    plain: TimeRange | None, milliseconds: TimeRange | None, window: float | None, context: _ResponseContext
) -> bool:
    """Return whether a number is too long for its window as seconds, but fits as milliseconds."""
    if not (plain and milliseconds and window):
        return False
    return plain[1] - context.received > 2 * window and milliseconds[1] - context.received <= 1.1 * window


def _observed(
    policy: Policy,
    remaining: float | None,
    reset: TimeRange | None,
    rate: float | None,
    *,
    unusable_reset: bool = False,
) -> Declared:
    limit = policy.limit or None
    if limit is None and remaining is None and reset is None and rate is None:
        return NOTHING
    observation = Observation(
        policy=policy.name,
        limit=limit,
        remaining=remaining,
        reset=reset,
        unusable_reset=unusable_reset and reset is None and rate is None,
        window=policy.window,
        rate=rate,
        unit=policy.unit,
    )
    return Declared(observations=(observation,))


def _read_policy(policy: Policy) -> Declared:
    """Return what a policy declares, independent of how much of it is left."""
    if policy.unit == CONCURRENT:
        return Declared(concurrency=_concurrency(policy.limit))
    return _observed(policy, None, None, None)


def _violated(grouped: GroupedFields, policy: str, status: int) -> Iterator[str]:
    """Yield the policies that a refusal names, by a reason or by the scope that it applies to."""
    if status >= 400:
        for _, value in grouped.ungrouped.get("reason", ()):
            if reason := value.strip()[:MAX_NAME_LENGTH]:
                yield reason
    if status in REFUSAL_STATUSES:
        for _, value in grouped.ungrouped.get("scope", ()):
            scope = value.strip()[:MAX_NAME_LENGTH]
            if scope and scope.lower() != "false":
                yield {"true": "global", "user": policy}.get(scope.lower(), scope)


def _longest_wait(grouped: GroupedFields, context: _ResponseContext) -> Declared:
    """Return the longest wait that a response states."""
    waits = [
        seconds
        for field, value in grouped.ungrouped.get("retry", ())
        if (seconds := parse_retry_after(value, now=context.server_time, milliseconds=field.milliseconds)) is not None
    ]
    return Declared(retry_after=max(waits, default=None))
