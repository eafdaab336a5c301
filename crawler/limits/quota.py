"""`Quota`: one policy of a server, and the rules by which answers teach what is left of it.

1. *Causality.* Answers overtake each other. One may raise what is left only if it was asked for after the last word.
2. *Windows.* A new one has begun if it ends at or after the latest end of the last (at: or a token bucket is never
   understood), or if a causal word has more left.
3. *In flight.* What is on its way counts as spent until its answer says otherwise.
4. *One probe.* When all should be restored exactly one request asks; its answer opens the window.
5. *Kinds.* Half a quota or more at once: a fixed window. Next to nothing, or a refusal: it is restored continuously,
   and the next unit comes after its share of the window, not at the stated end.
6. *Others.* What is used up and was not used by us was used by others, who are expected to go on.
7. *A refusal with quota left* speaks of another limit: `crawler.limits.refusals`.
8. *Nothing said* is counted: by `pass_over` where a policy fell silent, by `crawler.limits.learned` where none spoke.
9. *No word* changes nothing that is not counted: answers of caches and of other scopes carry none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

from crawler.limits.declared import Observation
from crawler.limits.usage import Usage
from crawler.limits.window import Bracket, longest_common

__all__ = ["Kind", "Mode", "Quota"]

Kind = Literal["unknown", "fixed", "continuous"]
Mode = Literal["auto", "smooth", "burst"]

ROUNDING: Final = 1.0
"""Seconds: servers state times in whole ones."""
NEARLY: Final = 0.97
"""Share of a window over which a quota is spread: the rest makes up for requests that start late."""
SLOWER: Final = 1.02
"""Factor of the steady interval of a continuous quota over the server's own."""
SURE: Final = 1.1
"""Shares of one unit to wait for the next where it is known that one comes in that time."""
EXPERIMENT: Final = 2.5
"""The same where it is not known yet."""
LONG: Final = 30.0
"""Seconds: in a window of this length a second lost to caution is worth less than a refusal."""
LOOK: Final = 0.3
"""Shares of a window between two requests where others are expected to need all that is left."""
PATIENCE: Final = 600.0
"""Seconds: a stated wait that is longer is a reason to ask again, not to wait blindly."""
BLIND: Final = 60.0
"""Seconds: the longest wait where no end is stated."""
EVIDENCE: Final = 3
"""Votes for one kind that are remembered."""


@attrs.define(eq=False, kw_only=True)
class Quota:
    """One policy: what is left of it, when more comes, and how it behaves."""

    name: str
    """As the server, or the dialect that understands it, calls it."""
    unit: str = "requests"
    """What is counted."""
    limit: float | None = None
    """Units in one window."""
    window: float | None = None
    """Seconds of one window, as declared or as learned from its ends."""
    rate: float | None = None
    """Units restored a second, where declared."""
    remaining: float | None = None
    """Units left by the last word; `None`: not known, a probe will tell."""
    ends: Bracket = attrs.field(factory=Bracket)
    """When something is restored."""
    pad: float = 0.0
    """Seconds that stated ends lie too early, learned from a server that rounds down."""
    usage: Usage = attrs.field(
        default=attrs.Factory(lambda self: Usage(counts_requests=self.unit == "requests"), takes_self=True)
    )
    """Who takes what of it."""
    longest: float = 3600.0
    """Seconds that one word may at most make us wait."""
    heard: float = -math.inf
    """Seconds since the epoch: when the last word came."""
    epoch: int = 0
    """Windows seen."""
    window_declared: bool = False
    """Whether the window is the server's word."""
    limit_declared: bool = False
    """Whether the limit is the server's word."""
    has_end: bool = False
    """Whether ends are stated."""
    fixed: int = 0
    """Votes for a fixed window."""
    continuous: int = 0
    """Votes for one that is restored continuously."""
    _moves: int = 0
    _asked_again: int = 0
    flows: bool | None = None
    """Whether units come back before the stated end; `None`: not tried."""
    _same_windows: int = 0
    _too_early: int = 0
    _unsaid: float = 0.0
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
        changed = self._declare(word)
        ends = Bracket(*word.reset) if word.reset else None
        if ends is not None:
            ends.shift(self.pad)
        left = word.remaining if word.remaining is not None else self._left_by_count(ends, cost)
        if left is None:
            return changed
        if self.limit is None or (not self.limit_declared and left + cost > self.limit):
            self.limit = left + (0.0 if refused else cost)
        causal = sent >= self.heard  # rule 1
        if self.remaining is None:
            self._open(left, ends, sent, received, cost, inflight)
        elif ends is not None and not causal and ends.hi + min(ROUNDING, (self.window or 60.0) / 4) <= self.ends.lo:
            self.usage.spend(cost)
            return changed  # an answer of a window that is over
        else:
            if refused:
                self._learn_from_refusal(ends, sent, cost)
            self._go_on(left, ends, sent, received, cost, inflight, causal, refused or changed)
        self.usage.travelled(received - sent)
        self.heard = max(self.heard, received)
        return changed

    def pass_over(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Counts an answer that says nothing of this policy (rule 8). Returns whether it can be counted on."""
        if self.remaining is None:
            return True
        if sent >= self.restored_at():
            if self.limit is None or self.window is None:
                return False
            self.has_end = True
            self._start(max(0.0, self.limit - cost), Bracket(sent + self.window, received + self.window), received)
            self.heard = max(self.heard, received)
        elif not self._silence_is_free:
            self.spend(cost)
        return True

    def spend(self, cost: float) -> None:
        """Counts a request of whose answer nobody will hear."""
        units = cost if self.usage.counts_requests else self.usage.price
        if self.remaining is not None:
            self.remaining = max(0.0, self.remaining - units)
            self._unsaid += units
        self.usage.spend(cost)

    def exhaust(self, until: float | None = None) -> None:
        """A refusal was due to this policy: nothing is left, before `until` where that is known."""
        self.remaining = 0.0
        if until is not None and until > self.ends.hi:
            self.ends = Bracket(until, until)

    def resume(self, now: float) -> None:
        """What was in flight when an earlier run broke off is not known: a probe will tell what is left."""
        self.remaining = None
        self.ends = Bracket(-math.inf, now)

    # ---- when the next request may start -----------------------------------------------------------------------------

    def free(self, now: float, inflight: float) -> float:
        """Units that are certainly left at `now` (rules 3 and 6); nothing known: none."""
        if self.remaining is None:
            return 0.0
        pressure = self._pressure()
        if not pressure:
            return self.remaining - inflight
        return self.remaining - inflight - pressure * (now - self.heard) - self.usage.reserve(pressure)

    def restored_at(self) -> float:
        """Seconds since the epoch: when a probe may ask whether something was restored (rule 4)."""
        if self.ends.hi == math.inf:
            return self.heard + min(BLIND, 2.0**self._asked_again)
        at = self.ends.hi + self._caution()
        if at - self.heard > PATIENCE:
            at = min(at, self.heard + min(self.longest, PATIENCE * 2.0**self._asked_again))
        return at

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
        if now >= probe and flying(probe):
            probe = math.inf
        return min(probe, self._trickle_at(need - free)) if self.kind == "continuous" else probe

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
        need, interval = self.usage.need(cost), self.interval
        share = self.remaining - inflight
        pressure = self._pressure()
        if pressure and self.ends.hi < math.inf:
            share -= pressure * max(0.0, self.ends.hi - self.heard)
        if mode == "auto" and backlog * need <= share * cost:
            return -math.inf
        if interval is not None and (self.kind == "continuous" or not self.has_end):
            few = self.limit is None or self.remaining < 0.2 * self.limit
            return last + interval * need * (SLOWER if few or self.kind != "continuous" else 0.5)
        if self.ends.lo == -math.inf or not self.has_end:
            return -math.inf
        if share < need:  # others are expected to take the rest, which is worth a look now and then
            look = max(self.heard, last) + LOOK * (self.window or ROUNDING)
            return min(look, self.restored_at()) if pressure else -math.inf
        return last + NEARLY * (self.ends.lo - last) * need / (share + need)

    @property
    def kind(self) -> Kind:
        """How it is restored (rule 5)."""
        if self.rate is not None or self.continuous > self.fixed:
            return "continuous"
        return "fixed" if self.fixed else "unknown"

    @property
    def interval(self) -> float | None:
        """Seconds in which one unit is restored, on average."""
        if self.rate is not None:
            return 1.0 / self.rate if self.rate > 0 else None
        return self.window / self.limit if self.window and self.limit else None

    # ---- the rules ---------------------------------------------------------------------------------------------------

    def _declare(self, word: Observation) -> bool:
        before = self.limit, self.window
        known = self.epoch > 0
        if word.limit is not None:
            self.limit, self.limit_declared = word.limit, True
        if word.window is not None and word.window > 0:
            self.window, self.window_declared = word.window, True
        if word.rate is not None and word.rate > 0:
            self.rate = word.rate
        if word.reset is not None:
            self.has_end = True
        return known and before != (self.limit, self.window)

    def _left_by_count(self, ends: Bracket | None, cost: float) -> float | None:
        left = self.limit if self.remaining is None or (ends and ends.lo >= self.ends.hi) else self.remaining
        return None if left is None else max(0.0, left - cost)

    def _go_on(
        self,
        left: float,
        ends: Bracket | None,
        sent: float,
        received: float,
        cost: float,
        inflight: float,
        causal: bool,
        broken: bool,
    ) -> None:
        before = self.remaining or 0.0
        if not broken and self.kind == "continuous" and before < cost and self.heard <= sent < self.restored_at():
            self.flows = self.flows is not False  # more came before the stated end
        if self._is_new(left, ends, causal):
            self._classify(before, left, ends, sent, received, broken)
            self._open(left, ends, sent, received, cost, inflight)
            return
        if causal and left > before:  # what was counted without a word had not been counted by the server
            self._silence_is_free = True
        if ends is not None and self.kind == "continuous" and causal:
            self.ends = ends  # each unit has its own
        elif ends is not None:
            self.ends.narrow(ends)
        if causal:
            self._unsaid = 0.0
            self._asked_again += left < cost
        self.remaining = left if causal else min(before, left)
        if broken:  # nobody used what is gone now
            self.usage.open(left, received, None)
        else:
            self.usage.answered(left, received, cost, inflight)

    def _is_new(self, left: float, ends: Bracket | None, causal: bool) -> bool:
        """Rule 2."""
        if ends is not None and ends.lo >= self.ends.hi:
            return causal or ends.lo >= self.ends.hi + (self.window or 4.0) / 2
        return causal and left > (self.remaining or 0.0) + self._unsaid

    def _classify(
        self, before: float, left: float, ends: Bracket | None, sent: float, received: float, broken: bool
    ) -> None:
        """Rule 5."""
        limit, interval = self.limit or 0.0, self.interval
        if left >= limit / 2 > before:
            trickled = interval is not None and (received - self.heard) / interval >= left - before
            if not (self.continuous and trickled):
                self.fixed, self.continuous = min(EVIDENCE, self.fixed + 1), max(0, self.continuous - 1)
        elif before < 2.0 and left < limit / 4 and sent >= self.ends.lo:
            self.continuous = min(EVIDENCE, self.continuous + 1)
        elif ends is not None and not broken and left < before and received < self.ends.lo:
            self._moves += 1  # the end moves away while we spend: it is the time until all is restored
            if self._moves >= 2:
                self.continuous, self.flows = EVIDENCE, True
                if not self.window_declared and limit > left and ends.hi > received:
                    self.rate = (limit - left) / (ends.hi - received)

    def _open(
        self, left: float, ends: Bracket | None, sent: float, received: float, cost: float, inflight: float
    ) -> None:
        whole = self.limit is not None and left >= self.limit - cost - inflight
        if ends is None:
            ends = self._guess(left, sent, received)
        elif self.has_end:
            self._learn_window(ends, whole, sent, received)
        if whole and self.window and (self.window_declared or self._same_windows > 1):
            late = sent - self.ends.lo if self.ends.lo > -math.inf else 0.0
            ends.snap(sent + self.window, received + self.window, late=late, careful=self.window >= LONG)
        self._start(left, ends, received)

    def _start(self, left: float, ends: Bracket, received: float) -> None:
        self._too_early = self._too_early + 1 if self.ends.rounded else 0
        if self._too_early > 1 or (self._too_early and (self.window or 0.0) >= LONG):
            self.pad = ROUNDING
        self.epoch += 1
        self.ends = ends
        self.remaining = left
        self._unsaid = 0.0
        self._asked_again = 0
        self.usage.open(left, received, None if self.limit is None else self.limit - left)

    def _guess(self, left: float, sent: float, received: float) -> Bracket:
        """The end of a window where none is stated."""
        if self.window is None:
            return Bracket()
        grew = self.remaining is not None and left > self.remaining
        return Bracket(self.heard + self.window if grew else sent, received + self.window)

    def _learn_window(self, ends: Bracket, whole: bool, sent: float, received: float) -> None:
        """The usual length that fits the time from the window's first request, or from the last end, to its end."""
        if self.window_declared:
            return
        length = longest_common(ends.lo - received, ends.hi - sent) if whole else None
        if length is None and self.ends.hi <= sent <= self.ends.hi + 2 * ROUNDING < ends.lo:
            length = longest_common(ends.lo - self.ends.hi, ends.hi - self.ends.lo)
        if length is not None:
            self._same_windows = self._same_windows + 1 if length == self.window else 1
            self.window = max(self.window or 0.0, length)

    def _learn_from_refusal(self, ends: Bracket | None, sent: float, cost: float) -> None:
        """Rules 4 and 5: a probe was refused, or what should have trickled in did not."""
        if (self.remaining or 0.0) >= cost or sent < self.heard:
            return
        if self.kind == "continuous":
            if sent < self.restored_at():
                self.flows = False
        elif sent < self.restored_at():
            return
        elif not self.pad and (ends is None or ends.lo < self.ends.hi + ROUNDING / 2):
            self.pad = ROUNDING
            self.ends.shift(ROUNDING)
            if ends is not None:
                ends.shift(ROUNDING)
        else:
            self.continuous = min(EVIDENCE, self.continuous + 2)

    def _pressure(self) -> float:
        """Units a second to leave to others. What comes back all the time hides what they take; it is heard anew."""
        return 0.0 if self.kind == "continuous" else self.usage.pressure(self.window)

    def _caution(self) -> float:
        """Seconds that the first probe of a policy waits longer: a continuous one has one unit by then."""
        interval = self.interval
        if self.kind != "unknown" or interval is None or self.window is None or not self.has_end:
            return 0.0
        return min(SURE * interval, self.window / 20)

    def _trickle_at(self, missing: float) -> float:
        """Rule 5: when so many units have come back by themselves."""
        interval = self.interval
        if interval is None:
            return math.inf
        if self.rate is not None or self.flows or self.ends.hi - self.heard <= 3 * interval:
            return self.heard + SURE * interval * missing
        return math.inf if self.flows is False else self.heard + EXPERIMENT * interval * missing

    # ---- what outlives it --------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """What is known of it, as JSON values."""
        known = {
            "unit": None if self.unit == "requests" else self.unit,
            "limit": self.limit,
            "remaining": self.remaining,
            "window": self.window,
            "rate": self.rate,
            "reset_at": self.ends.hi if self.ends.hi < math.inf else None,
            "kind": self.kind,
            "others": round(self.usage.others, 4) or None,
            "pad": self.pad or None,
        }
        return {name: value for name, value in known.items() if value is not None}
