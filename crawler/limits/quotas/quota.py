"""`Quota`: one policy of a server, and the rules by which answers teach what is left of it.

1. *Causality.* Answers overtake each other. One may raise what is left only if it was asked for after the last word.
2. *Windows.* A new one has begun if it ends at or after the latest end of the last (at: or a token bucket is never
   understood), or if a causal word has more left.
3. *In flight.* What is on its way counts as spent until its answer says otherwise.
4. *One probe.* When all should be restored exactly one request asks; its answer opens the window.
5. *Kinds.* Half a quota or more at once: a fixed window. Next to nothing, or a refusal: it is restored continuously,
   and the next unit comes after its share of the window, not at the stated end.
6. *Others.* What is used up and was not used by us was used by others, who are expected to go on.
7. *A refusal with quota left* speaks of another limit: `crawler.limits.learning.refusals`.
8. *Nothing said* is counted: by `pass_over` where a policy fell silent, by
   `crawler.limits.learning.undeclared` where none spoke.
9. *No word* changes nothing that is not counted: answers of caches and of other scopes carry none.
10. *Our own log*: where all that was used was used by us, one window after a request there is room for another,
    whatever the kind and whatever end is stated (`crawler.limits.quotas.request_log`).
11. *Late ends*: where a window was over before it should have been, or twice should last a second more than people
    choose, its usual length after our first request is its end, until a refusal says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.headers.declared import Observation
from crawler.limits.quotas.replenishment import Restoration
from crawler.limits.quotas.request_log import OwnLog
from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import ROUNDING, Bracket
from crawler.limits.quotas.usage import Usage
from crawler.limits.quotas.window import Window

__all__ = ["Mode", "Quota"]

Mode = Literal["auto", "smooth", "burst"]

NEARLY: Final = 0.97
"""Share of a window over which a quota is spread: the rest makes up for requests that start late."""
FIRST: Final = 0.25
"""The same while it is not known whether all comes back at once: where each unit comes back one window after it was
used, what is used late is late for ever."""
SLOWER: Final = 1.02
"""Factor of the steady interval of a continuous quota over the server's own."""
FASTER: Final = 0.5
"""The same while much of it is left."""
LOW: Final = 0.2
"""Share of the limit under which little is left."""
LOOK: Final = 0.3
"""Shares of a window between two requests where others are expected to need all that is left."""
PATIENCE: Final = 600.0
"""Seconds: a stated wait that is longer is a reason to ask again, not to wait blindly."""
BLIND: Final = 60.0
"""Seconds: the longest wait where no end is stated."""


@attrs.define(eq=False, kw_only=True)
class Quota:
    """One policy: what is left of it, and when more comes."""

    name: str
    """As the server, or the dialect that understands it, calls it."""
    unit: str = "requests"
    """What is counted."""
    limit: float | None = None
    """Units in one window."""
    limit_declared: bool = False
    """Whether that is the server's word."""
    remaining: float | None = None
    """Units left by the last word; `None`: not known, a probe will tell."""
    heard: float = -math.inf
    """Seconds since the epoch: when the last word came."""
    ends: Bracket = attrs.field(factory=Bracket)
    """When something is restored."""
    epoch: int = 0
    """Windows seen."""
    window: Window = attrs.field(factory=Window)
    """How long they are."""
    restoration: Restoration = attrs.field(factory=Restoration)
    """How it comes back."""
    usage: Usage = attrs.field(
        default=attrs.Factory(lambda self: Usage(counts_requests=self.unit == "requests"), takes_self=True)
    )
    """Who takes what of it."""
    own: OwnLog = attrs.field(factory=OwnLog)
    """When we took it."""
    longest: float = 3600.0
    """Seconds that one word may at most make us wait."""
    _began: float = math.nan
    _first: tuple[float, float] | None = None
    _asked: float = -math.inf
    _asked_again: int = 0
    _unsaid: float = 0.0
    _silent: float = 0.0
    _silence_is_free: bool = False

    # ---- what answers teach ------------------------------------------------------------------------------------------

    def observe(
        self,
        word: Observation,
        *,
        sent: float,
        received: float,
        cost: float = 1.0,
        inflight: float = 0.0,
        refused: bool = False,
    ) -> bool:
        """Learns from what one answer says. Returns whether limit or window became another.

        Parameters:
            word: what it says.
            sent: seconds since the epoch: when it was asked for.
            received: seconds since the epoch: when it came.
            cost: units of its request.
            inflight: units that are still on their way.
            refused: whether it is a refusal.
        """
        before = self.limit, self.window.length
        ends = self.window.declare(word.window, word.reset)
        if word.limit is not None:
            self.limit, self.limit_declared = word.limit, True
        if word.rate is not None and word.rate > 0:
            self.restoration.rate = word.rate
        changed = self.epoch > 0 and before != (self.limit, self.window.length)
        left = word.remaining if word.remaining is not None else self._count(ends, cost)
        if left is None:
            return changed
        if not self.limit_declared:
            self.limit = max(self.limit or 0.0, left if refused else left + cost)
        answer = QuotaSample(
            left=left,
            ends=ends,
            sent=sent,
            received=received,
            cost=cost,
            inflight=inflight,
            causal=sent >= self.heard,
            refused=refused,
            broken=refused or changed,
        )
        if self.remaining is None:
            self._open(answer)
        elif self._is_over(answer):
            self._remember(answer, heard=False)
            self.usage.spend(cost)
            return changed
        else:
            self._check_expectations(answer)
            if self._is_new(answer):
                self._learn_how_late_ends_are(answer)
                self._judge(answer)
                self._open(answer)
            else:
                self._go_on(answer)
        self._remember(answer, heard=True)
        if answer.causal:
            self._asked = sent
        self.usage.travelled(received - sent)
        self.heard = max(self.heard, received)
        return changed

    def pass_over(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Counts an answer that says nothing of this policy (rule 8). Returns whether it can be counted on."""
        if self.remaining is None:
            return True
        if sent >= self.restored_at():
            if self.limit is None or self.window.length is None:
                return False
            self.count_window(self.limit - cost, sent, received)
        elif not self._silence_is_free:
            self._spend(cost)
            self._silent += cost
        self._log(sent, received, cost)
        return True

    def count_window(self, left: float, sent: float, received: float, margin: float = 0.0) -> None:
        """Begins a window of which nothing was said, with its first request."""
        length = self.window.length or 0.0
        self.window.stated = True
        self._start(max(0.0, left), Bracket(sent + length, received + length + margin), received)
        self.heard = max(self.heard, received)

    def spend(self, cost: float) -> None:
        """Counts a request of whose answer nobody will hear."""
        self._spend(cost)
        self.own.lose()

    def _spend(self, cost: float) -> None:
        units = cost if self.usage.counts_requests else self.usage.price
        if self.remaining is not None:
            self.remaining = max(0.0, self.remaining - units)
            self._unsaid += units
        self.usage.spend(cost)

    def exhaust(self, until: float = -math.inf) -> None:
        """A refusal was due to this policy: nothing is left, before `until` (seconds since the epoch)."""
        self.remaining = 0.0
        self.own.lose()
        if until > self.ends.hi:
            self.ends = Bracket(until, until)

    def resume(self, now: float) -> None:
        """What was in flight when an earlier run broke off is not known: a probe will tell what is left."""
        self.remaining = None
        self.ends = Bracket(-math.inf, now)
        self.own.lose()

    # ---- when the next request may start -----------------------------------------------------------------------------

    def ready_at(self, now: float, *, cost: float, inflight: float, flying: Callable[[float], bool]) -> float:
        """Seconds since the epoch: when there is quota; infinite: not before something comes back.

        Parameters:
            now: seconds since the epoch.
            cost: units of the next request by its grant.
            inflight: units on their way.
            flying: whether anything that started at or after a time is on its way.
        """
        need = self.usage.need(cost)
        free = self.free(now, inflight)
        if free >= need:
            return -math.inf
        probe = self.restored_at()
        by_log = self._log_speaks(now)
        room = self._room_at(need, inflight) if by_log else math.inf  # rule 10
        if not self.window.explained:
            probe, room = min(probe, room), math.inf
        if now >= probe and flying(probe):  # rule 4
            probe = math.inf
        if by_log:
            return min(probe, room)
        if self.limit is not None and need + inflight > self.limit:
            return probe  # more than that never comes back
        trickle = self.restoration.trickle_at(
            need - free, heard=self.heard, until=self.ends.hi, interval=self.interval
        )  # fmt: skip
        return min(probe, trickle)

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Seconds since the epoch: when the next request starts if what is left is spread over what lasts.

        Parameters:
            last: seconds since the epoch: the last start.
            cost: units of the next request by its grant.
            inflight: units on their way.
            backlog: units that wait.
            mode: how to spread.
        """
        if mode == "burst" or self.remaining is None:
            return -math.inf
        need, interval, share = self.usage.need(cost), self.interval, self._share(inflight)
        if mode == "auto" and (backlog * need <= share * cost or self._may_slide(last)):
            return -math.inf
        if interval is not None and (self.restoration.kind == "continuous" or not self.window.stated):
            plenty = self.window.stated and self.limit is not None and self.remaining >= LOW * self.limit
            return last + (FASTER if plenty else SLOWER) * interval * need
        if share < need:
            return self._look_at(last)
        if not self.ends.is_known() or not self.window.stated or share + need <= 0.0:
            return -math.inf
        until = self.ends.lo
        if mode == "auto" and self.restoration.kind == "unknown" and not self.pressure:
            until = self._began + FIRST * (until - self._began)
        return last + NEARLY * max(0.0, until - last) * need / (share + need)

    def free(self, now: float, inflight: float) -> float:
        """Units that are certainly left at `now` (rules 3 and 6); nothing known: none."""
        if self.remaining is None:
            return 0.0
        pressure = self.pressure
        if not pressure:
            return self.remaining - inflight
        return self.remaining - inflight - pressure * (now - self.heard) - self.usage.reserve(pressure)

    def restored_at(self) -> float:
        """Seconds since the epoch: when a probe may ask whether something was restored (rule 4)."""
        if self.ends.hi == math.inf:
            return self.heard + doubled(self._asked_again, cap=BLIND)
        if self.remaining is None:
            return self.ends.hi
        at = self.ends.hi
        if (
            self._asked_again > 1 and self.restoration.kind != "continuous"
        ):  # served, though nothing was left: it counts
            at = max(at, self.heard + doubled(self._asked_again - 2, base=ROUNDING / 4, cap=BLIND))
        if self.window.stated:
            at += self.restoration.caution(self.interval, self.window.length)
        if at - self.heard > min(PATIENCE, self.longest):
            at = min(at, self.heard + doubled(self._asked_again, base=PATIENCE, cap=self.longest))
        return at

    @property
    def interval(self) -> float | None:
        """Seconds in which one unit is restored, on average."""
        if self.restoration.rate:
            return 1.0 / self.restoration.rate
        return self.window.length / self.limit if self.window.length and self.limit else None

    @property
    def pressure(self) -> float:
        """Units a second to leave to others. What comes back all the time hides what they take; it is heard anew."""
        return 0.0 if self.restoration.kind == "continuous" else self.usage.pressure(self.window.length)

    def _share(self, inflight: float) -> float:
        """Units that are ours until the end, if others go on as they do (rule 6)."""
        share = (self.remaining or 0.0) - inflight
        if self.ends.is_known():
            share -= self.pressure * max(0.0, self.ends.hi - self.heard)
        return share

    def _look_at(self, last: float) -> float:
        """Seconds since the epoch: when to ask what is left although others are expected to need all of it."""
        if not self.pressure:
            return -math.inf
        return min(max(self.heard, last) + LOOK * (self.window.length or ROUNDING), self.restored_at())

    def _log_speaks(self, now: float) -> bool:
        """Whether our own log tells when there is room (rule 10)."""
        window = self.window
        return (
            window.length is not None
            and self.limit is not None
            and window.is_sure()
            and self.usage.counts_requests
            and not self.pressure
            and self.own.speaks(now, window.length)
        )

    def _room_at(self, need: float, inflight: float) -> float:
        return self.own.ready_at((self.limit or 0.0) - inflight - need, self.window.length or 0.0)

    def _may_slide(self, last: float) -> bool:
        """Whether each unit may come back one window after it was used: then none is kept for later."""
        kind = self.restoration.kind
        return kind != "unknown" and not self.restoration.at_once and self._log_speaks(last)

    # ---- the rules ---------------------------------------------------------------------------------------------------

    def _count(self, ends: Bracket | None, cost: float) -> float | None:
        """What is left where that is not said."""
        over = self.remaining is None or (ends is not None and ends.lo >= self.ends.hi)
        left = self.limit if over else self.remaining
        return None if left is None else max(0.0, left - cost)

    def _is_over(self, answer: QuotaSample) -> bool:
        """Whether it speaks of a window that is over."""
        slack = min(ROUNDING, (self.window.length or math.inf) / 4)
        return answer.ends is not None and not answer.causal and answer.ends.hi + slack <= self.ends.lo

    def _is_new(self, answer: QuotaSample) -> bool:
        """Rule 2. One that others overtook counts only if its end is far off: ends of single units have no order."""
        if answer.ends is not None and answer.ends.lo >= self.ends.hi < answer.ends.hi:
            return answer.causal or answer.ends.lo >= self.ends.hi + (self.window.length or 4.0) / 2
        return answer.causal and answer.left > (self.remaining or 0.0) + self._unsaid

    def _check_expectations(self, answer: QuotaSample) -> None:
        """Rules 4 and 5: something was there before its time, or was not there in time."""
        if (self.remaining or 0.0) >= answer.cost or not answer.causal:
            return
        by_log = self._log_speaks(answer.sent)
        early = answer.sent < min(self.restored_at(), self._room_at(answer.cost, 0.0) if by_log else math.inf)
        if self.restoration.kind == "continuous":
            if early and answer.refused:
                self.restoration.flows = False
            elif early and not answer.broken and not by_log:
                self.restoration.came_early()
        elif answer.refused and not early:
            self._learn_why_a_probe_was_refused(answer)

    def _learn_why_a_probe_was_refused(self, answer: QuotaSample) -> None:
        """Either the stated end was rounded down, or the window has ended and yet nothing was restored."""
        if self.window.pad < 0:
            late = self.window.lengthen()
            for ends in (self.ends, answer.ends):
                if ends is not None:
                    ends.shift(late)
            return
        if self.window.pad or (answer.ends is not None and answer.ends.lo >= self.ends.hi + ROUNDING / 2):
            self.restoration.vote_continuous(2)
            return
        self.window.pad = ROUNDING
        for ends in (self.ends, answer.ends):
            if ends is not None:
                ends.shift(ROUNDING)

    def _is_full(self, answer: QuotaSample) -> bool:
        """Whether nothing is used but by its own request and those in flight."""
        return self.limit is not None and answer.left >= self.limit - answer.cost - answer.inflight

    def _learn_how_late_ends_are(self, answer: QuotaSample) -> None:
        """Rule 11: all is there again although the window should go on for a while."""
        early = answer.received < self.ends.lo and answer.causal and not answer.broken
        if early and self._first is not None and not self.window.declared and self._is_full(answer):
            (sent, received), pad = self._first, self.window.pad
            self.window.shorten(self._asked - received, answer.received - sent, opened=received, end=self.ends.hi)
            if answer.ends is not None:
                answer.ends.shift(self.window.pad - pad)

    def _judge(self, answer: QuotaSample) -> None:
        limit = self.limit or 0.0
        self.restoration.judge(
            answer,
            before=self.remaining or 0.0,
            heard=self.heard,
            ends=self.ends,
            limit=limit,
            interval=self.interval,
        )
        if not self.window.declared:
            self.restoration.measure(answer, limit)

    def _open(self, answer: QuotaSample) -> None:
        """A window has begun, or is the first."""
        ends = answer.ends or self._guess(answer)
        first = self._is_full(answer)
        self._first = (answer.sent, answer.received) if first else None
        if answer.ends is not None:
            self.window.begin(ends, last=self.ends, sent=answer.sent, received=answer.received, first=first)
        self._start(answer.left, ends, answer.received)

    def _guess(self, answer: QuotaSample) -> Bracket:
        """The end of a window where none is stated."""
        length = self.window.length
        if length is None:
            return Bracket()
        grew = self.remaining is not None and answer.left > self.remaining
        return Bracket(self.heard + length if grew else answer.sent, answer.received + length)

    def _start(self, left: float, ends: Bracket, received: float) -> None:
        self.window.end(self.ends)
        self.epoch += 1
        self.ends, self.remaining, self._began = ends, left, received
        self._asked_again, self._unsaid, self._silent = 0, 0.0, 0.0
        self.usage.open(left, received, None if self.limit is None else self.limit - left)

    def _remember(self, answer: QuotaSample, *, heard: bool) -> None:
        """Compares what is left with our own log, and writes the request down (rule 10)."""
        limit, length = self.limit, self.window.length
        if answer.broken:
            wrong = answer.refused and answer.left < answer.cost and self._log_speaks(answer.sent)
            self.own.doubt(math.inf if wrong else answer.received)
        elif heard and answer.causal and limit is not None and length is not None:
            certain, possible = self.own.counted(answer.sent, answer.received, length)
            left = limit - answer.cost - answer.left
            if left > possible + answer.inflight:
                self.own.doubt(answer.received)
            elif left < certain and self.restoration.kind == "continuous":
                self.own.doubt(math.inf)  # no sliding log: a bucket, or an estimate
            elif left < certain:
                self.restoration.at_once = True
            elif 0 < possible < len(self.own):
                self.window.explained = True
        self._log(answer.sent, answer.received, answer.cost)

    def _log(self, sent: float, received: float, cost: float) -> None:
        self.own.add(sent, received, self.limit)
        if cost != 1.0:
            self.own.doubt(math.inf)

    def _go_on(self, answer: QuotaSample) -> None:
        """Another word of the same window."""
        before = self.remaining or 0.0
        if answer.ends is not None:
            if answer.causal and self.restoration.kind == "continuous":
                self.ends = answer.ends  # each unit has its own
            else:
                self.ends.narrow(answer.ends)
        if answer.causal:  # rule 1
            self.remaining = answer.left
            self._silence_is_free |= self._silent > 0 and answer.left > before - answer.cost
            self._asked_again += answer.left < answer.cost
            self._unsaid = self._silent = 0.0
        else:
            self.remaining = min(before, answer.left)
        if answer.broken:
            self.usage.open(answer.left, answer.received, None)
        else:
            self.usage.answered(answer.left, answer.received, answer.cost, answer.inflight)

    def report(self) -> dict[str, Any]:
        """What is known of it, as JSON values."""
        known = {
            "unit": None if self.unit == "requests" else self.unit,
            "limit": self.limit,
            "remaining": self.remaining,
            "window": self.window.length,
            "rate": self.restoration.rate,
            "reset_at": self.ends.hi if self.ends.hi < math.inf else None,
            "kind": self.restoration.kind,
            "others": round(self.usage.others, 4) or None,
            "pad": self.window.pad or None,
        }
        return {name: value for name, value in known.items() if value is not None}
