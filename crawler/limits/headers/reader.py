"""`HeaderReader`: what a server says of its limits, whatever its dialect.

Most servers that limit say so, in dozens of dialects: five shapes of one IETF draft, a common pattern with a vendor's
words in it, and a few of no pattern at all. A dialect needs some memory: numbers of one field are told apart by how
they move, policies may be named in one answer and referred to in the next, and the clocks of two machines differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import attrs

from crawler.limits.headers.clock_skew import Skew
from crawler.limits.headers.declared import NOTHING, Declared, Observation, TimeRange, intersect, merge
from crawler.limits.headers.field_names import DEFAULT, Field, telling
from crawler.limits.headers.grouping import Gathered, Group, Said, gather
from crawler.limits.headers.refusal_status import REFUSALS
from crawler.limits.headers.reset_semantics import Reading, Slopes
from crawler.limits.headers.reset_times import LONGEST, http_date, read_moment, when
from crawler.limits.headers.retry_after import YEAR, parse_retry_after
from crawler.limits.headers.structured_fields import Member, Policy, number
from crawler.limits.headers.vendors import READERS

__all__ = ["HeaderReader"]

ACCEPTED: Final = 202
CONCURRENT: Final = "concurrent-requests"
MOST: Final = 64
"""Policies that are remembered of one scope, and observations of one answer."""
NAME: Final = 100
"""Characters of a name."""

Pairs = Sequence[tuple[str, str]]


@attrs.frozen
class _At:
    """Where and when one answer came."""

    status: int
    sent: float
    received: float
    skew: TimeRange

    @property
    def clock(self) -> float:
        """The server's clock on receipt, at the earliest."""
        return self.received + self.skew[0]

    def when(self, text: str, *, milli: bool) -> TimeRange | None:
        """A reset value as a bracket by our clock."""
        return when(text, sent=self.sent, received=self.received, date=self.clock, milli=milli, skew=self.skew)

    def within(self, seconds: float) -> TimeRange | None:
        """Some time in these seconds; `None`: they are too many to believe."""
        return (self.sent, self.received + seconds) if seconds <= LONGEST else None


class HeaderReader:
    """The dialect of one scope. Knows no clock, and keeps a few numbers of what it was told."""

    def __init__(self) -> None:
        self._slopes = Slopes()
        self._skew = Skew()
        self._policies: dict[str, Policy] = {}
        self._date: tuple[str, float | None] = ("", None)

    def read(self, headers: Pairs, *, status: int, sent: float, received: float) -> Declared:
        """What one answer says of limits.

        Parameters:
            headers: its fields as they stand on the wire, (name, value).
            status: HTTP status.
            sent: seconds since the epoch by our clock: when the request went out.
            received: when the answer was there.

        An answer of a cache (``Age`` above 0) and an interim one (1xx) say nothing; what is malformed is left out; no
        header raises.
        """
        said = telling(headers)
        if not said or status < 200:
            return NOTHING
        at = self._at(headers, status, sent, received)
        if at is None:
            return NOTHING
        gathered = gather(said)
        self._remember(policy for group in gathered.groups for policy in group.policies)
        declared = merge(self._parts(gathered, at))
        if at.status == ACCEPTED or at.status >= 300 or declared.violated:
            declared = merge((declared, _wait(gathered, at)))
        return declared or NOTHING

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values: the verdicts on ambiguous fields, and the skew of the clocks."""
        return {"verdicts": self._slopes.state(), "skew": self._skew.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        if isinstance(state, dict):
            self._slopes.restore(state.get("verdicts"))
            self._skew.restore(state.get("skew"))

    def _at(self, headers: Pairs, status: int, sent: float, received: float) -> _At | None:
        """The circumstances of an answer; `None`: a cache gave it."""
        date = None
        for name, value in headers:
            low = name.lower()
            if low == "age" and (number(value) or 0.0) > 0:
                return None
            if low == "date":
                if value != self._date[0]:
                    self._date = value, http_date(value)
                date = self._date[1]
        if date is not None:
            self._skew.see(date, sent=sent, received=received)
        return _At(status, sent, received, self._skew.bracket or (0.0, 0.0))

    def _remember(self, policies: Iterable[Policy]) -> None:
        for policy in policies:
            if policy.name in self._policies or len(self._policies) < MOST:
                self._policies[policy.name] = policy

    # What an answer says, part by part

    def _parts(self, gathered: Gathered, at: _At) -> Iterator[Declared]:
        name = next((value.strip()[:NAME] for _, value in gathered.words.get("name", ())), "")
        for field, item in gathered.items:
            yield self._item(field, item, at)
        for group in gathered.groups:
            yield self._group(group, name if group.policy == DEFAULT else "", at)
            for policy in group.policies:
                yield _promise(policy)
        for field, value in gathered.words.get("vendor", ()):
            yield READERS[field.name](value, at.sent, at.received)
        for _, value in gathered.words.get("concurrency", ()):
            yield Declared(concurrency=_many(number(value)))
        yield Declared(violated=tuple(_violated(gathered, name or DEFAULT, at.status)))

    def _item(self, field: Field, item: Member, at: _At) -> Declared:
        """One named item of the draft's last shape."""
        name, left = item.value[:NAME], number(item.params["r"])
        policy = self._policies.get(name) or Policy(name=name, limit=None, window=None, unit="requests")
        if left is None or policy.unit == CONCURRENT:
            return NOTHING
        left = max(0.0, left)
        said = [(field, item.params["t"])] if "t" in item.params else []
        reset, rate = self._reset(said, policy, left, at)
        return _observed(policy, left, reset, rate)

    def _group(self, group: Group, name: str, at: _At) -> Declared:
        """The fields of one policy."""
        limit, left = group.amounts()
        if limit == 0 and group.family.startswith("x-"):  # Okta: not a quota, but too many at once
            return Declared(violated=("concurrency",) if at.status in REFUSALS else ())
        if limit == 0:
            limit, left = None, 0.0
        known = self._known(group, limit)
        span = next((x for field, value in group.said.get("window", ()) if (x := _span(value, field))), None)
        fill = next((x for x in group.numbers("fill") if x > 0), None)
        policy = Policy(
            name=name or (known.name if known else group.policy),
            limit=limit,
            window=known.window if known else None if fill else span or group.window,
            unit=known.unit if known else group.unit,
        )
        reset, rate = self._reset(group.said.get("reset", ()), policy, left, at)
        declared = _observed(policy, left, reset, fill / span if fill and span else rate)
        if reset and limit is None and left is None and at.status in REFUSALS:
            return attrs.evolve(declared, retry_after=min(max(0.0, reset[1] - at.received), YEAR))
        return declared

    def _known(self, group: Group, limit: float | None) -> Policy | None:
        """The policy that a group without a name of its own speaks of: the one with its limit, or the only one."""
        if group.policy != DEFAULT:
            return group.policies[0] if len(group.policies) == 1 else None
        policies = group.policies or list(self._policies.values())
        if limit is None:
            return policies[0] if len(policies) == 1 else None
        return next((policy for policy in policies if policy.limit == limit and policy.unit != CONCURRENT), None)

    def _reset(
        self, said: Iterable[Said], policy: Policy, left: float | None, at: _At
    ) -> tuple[TimeRange | None, float | None]:
        """When something is restored, and how much of it a second, by every reset field of one policy."""
        found: TimeRange | None = None
        speed: float | None = None
        for field, text in sorted(said, key=lambda one: not one[0].lasting):
            reset, rate = self._one_reset(field, text, policy, left, at)
            if reset is not None and (reset[1] > at.received or left == 0):  # over while something is left: no news
                found = intersect(found, reset) if found else reset
            speed = rate if speed is None else speed
        return found, speed

    def _one_reset(
        self, field: Field, text: str, policy: Policy, left: float | None, at: _At
    ) -> tuple[TimeRange | None, float | None]:
        verdict = self._slopes.verdict(field.name)
        plain = at.when(text, milli=field.milli)
        milli = None if field.milli or not text.strip().isdigit() else at.when(text, milli=True)
        if not verdict and milli and plain and policy.window and _is_longer(plain, milli, policy.window, at):
            verdict, plain = "milliseconds", None
        if plain is None or verdict == "moving":
            return milli if verdict == "milliseconds" else None, None
        reading = Reading(
            sent=at.sent, received=at.received, reset=plain, milli=milli, limit=policy.limit, remaining=left
        )
        self._slopes.see(field.name, policy.name, reading)
        match self._slopes.verdict(field.name):
            case "milliseconds":
                return milli, None
            case "moving":
                return None, None
            case "full":
                rate = policy.limit / policy.window if policy.limit and policy.window else reading.rate()
                return at.within(1 / rate) if rate and left is not None and left < 1 else None, rate
            case _:
                return plain, None


def _many(limit: float | None) -> int | None:
    return int(limit) if limit is not None and 1 <= limit < 1e9 else None


def _span(value: str, field: Field) -> float | None:
    """Seconds of an interval."""
    moment = read_moment(value, now=-math.inf, milli=field.milli)
    return moment.value if moment is not None and not moment.absolute and 0 < moment.value <= YEAR else None


def _is_longer(plain: TimeRange, milli: TimeRange, window: float, at: _At) -> bool:
    """Whether a number is too long for its own window if it counts seconds, and fits if it counts milliseconds."""
    return plain[1] - at.received > 2 * window and milli[1] - at.received <= 1.1 * window


def _observed(policy: Policy, left: float | None, reset: TimeRange | None, rate: float | None) -> Declared:
    limit = policy.limit or None
    if limit is None and left is None and reset is None and rate is None:
        return NOTHING
    observation = Observation(
        policy=policy.name,
        limit=limit,
        remaining=left,
        reset=reset,
        window=policy.window,
        rate=rate,
        unit=policy.unit,
    )
    return Declared(observations=(observation,))


def _promise(policy: Policy) -> Declared:
    """What a policy says of itself, whatever is left of it."""
    if policy.unit == CONCURRENT:
        return Declared(concurrency=_many(policy.limit))
    return _observed(policy, None, None, None)


def _violated(gathered: Gathered, policy: str, status: int) -> Iterator[str]:
    """Policies that a refusal names: by a reason, or by the scope in which it counts."""
    if status >= 400:
        yield from (reason for _, value in gathered.words.get("reason", ()) if (reason := value.strip()[:NAME]))
    if status in REFUSALS:
        for _, value in gathered.words.get("scope", ()):
            scope = value.strip()[:NAME]
            if scope and scope.lower() != "false":
                yield {"true": "global", "user": policy}.get(scope.lower(), scope)


def _wait(gathered: Gathered, at: _At) -> Declared:
    """The longest wait that an answer names."""
    waits = [
        seconds
        for field, value in gathered.words.get("retry", ())
        if (seconds := parse_retry_after(value, now=at.clock, milli=field.milli)) is not None
    ]
    return Declared(retry_after=max(waits, default=None))
