"""`RateFit`: whether a rate explains when requests were served and refused better than chance or concurrency does.

A server that lets units pass at a rate has a bucket of tokens, of any size, which it refills at that rate. A request is
served if there is a token. So each rate and size predicts the fate of each request, and the likelihood of what happened
is the product of the chances of the predictions. Its average over all rates and sizes is compared with that of the
other explanations: each request is refused with the same chance, or those beside which too many are in flight are, or
each one for a while, once a limit refuses.
"""
# ruff: noqa: PLR1730  # `min` and `max` take three times as long

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct, field

__all__ = ["CLEAR_PROOF", "PROOF", "RateFit"]

REMEMBERED: Final = 200
"""Requests that are compared."""
FITTED: Final = 48
"""The latest of them, whose fates rates have to explain."""
RATES: Final = tuple(0.25 * 2.0 ** (step / 3) for step in range(27))
"""Units per second that are tried."""
STEPS: Final = tuple(1 / divisor for divisor in (6, 12, 24, 48, 96))
"""Binary logarithms of the factors by which the best of them is varied."""
SIZES: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 48.0)
"""Sizes of buckets that are tried."""
CERTAINTY: Final = 0.99
"""Chance that the prediction of a rate comes true."""
SURE: Final = CERTAINTY - 0.5
"""What that is more than no prediction at all."""
CERTAIN_LOAD: Final = 0.9
"""The same for concurrency, of which we know only how many requests we have sent."""
DELAY_SHARE: Final = 0.25
"""Share of a round trip by which it is uncertain when the server decided."""
MAX_BLUR: Final = 0.9
"""Tokens by which this makes a prediction uncertain, at most."""
MIN_BLUR: Final = 0.01
"""The same, at least."""
EQUIVALENT: Final = 1.0
"""Difference of the logarithms of two likelihoods that shows nothing."""
HIGH: Final = 0.75
"""Place of the rate that is learned among those that are about equally likely, 0 being the lowest one, 1 the highest: a
refusal costs less than a rate that is too low."""
NEGLIGIBLE: Final = 8.0
"""Difference of the logarithms of two likelihoods from which one of them does not count."""
MIN_REFUSED: Final = 2
"""Refusals without which nothing is proven."""
PROOF: Final = 3.0
"""Logarithm of the odds that prove a rate."""
CLEAR_PROOF: Final = 5.0
"""The same of a limit where refusals have been put down to chance."""
PROOF_OF_INTERVAL: Final = 2.5
"""The same for a rate without a burst: it is only where the search begins."""
MAX_BURST: Final = 2.0
"""Units that may come at once where a rate has no burst worth mentioning."""
RARE: Final = (0.5, 2.0)
"""Requests that count as refused and served before anything is known of a chance: it is rather low."""
STICKY: Final = (4.0, 1.0)
"""The same for the request right after a refused one, if a limit is the reason."""
PROMPT: Final = 0.02
"""Seconds, and at least two round trips, after a refusal in which no unit of a quota returns. At 20 a second one does
in 50 ms."""
MIN_RANDOM: Final = 4
"""Refusals without which none is certainly random."""
MAX_REFUSED: Final = 0.45
"""Share of all requests that may be refused at random. A server that refuses more cannot take so many."""
UNDECIDED: Final = 1.0
"""Logarithm of the odds of refusals in a row that show nothing: each of them was followed by a pause."""
CHANCE: Final = 1.0
"""Logarithm of the odds that prove that refusals come at random."""

Fate: TypeAlias = tuple[float, float, float, bool, int]
"""When a request was sent, and about when the server decided, in seconds since the epoch; how uncertain that is;
whether it was served; and how many were in flight, 0 if that is unknown."""


class Fit(NamedTuple):
    """A rate that may explain the latest requests."""

    rate: float
    """Units per second."""
    size: float
    """Units that may come at once."""
    likelihood: float
    """Logarithm of the likelihood."""
    uncertainty: float = 0.0
    """Share by which the highest of the rates that explain them about equally well exceeds the lowest."""

    def has_no_burst(self) -> bool:
        """Return whether hardly any units may come at once."""
        return self.size <= MAX_BURST


class RateFit(Struct, eq=False):
    """The latest requests of a server that states no limit, and the rate behind their fates."""

    _latest: deque[Fate] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _fitted: tuple[Fit, float] | None = None
    """The best rate, and the logarithm of the average likelihood."""

    @property
    def refused(self) -> int:
        """How many of them were refused."""
        return sum(not fate[3] for fate in self._latest)

    @property
    def took(self) -> float:
        """Seconds that the refused ones took, on average; infinite if none of them is known."""
        took = [uncertain / DELAY_SHARE for *_, uncertain, served, _ in self._latest if not served]
        return sum(took) / len(took) if took else math.inf

    def record(self, sent: float, received: float, *, served: bool, load: int) -> None:
        """Add a request."""
        self._fitted = None
        self._latest.append((sent, (sent + received) / 2.0, DELAY_SHARE * (received - sent), served, load))

    def assume(self, served: float, since: float, until: float) -> None:
        """Add requests of which only the number is known, evenly spread over a time in seconds since the epoch."""
        known = int(min(served, REMEMBERED))
        for number in range(known):
            at = until - (until - since) * (known - number) / served
            self._latest.append((at, at, 0.0, True, 0))

    def best(self) -> Fit:
        """Return the rate that explains the latest requests: a high one of those that do so about equally well."""
        return self._fit()[0]

    def evidence(self) -> float:
        """Return the logarithm of the odds of a rate; 0 as long as few requests were refused."""
        latest = self._last_ones()
        refused = sum(not fate[3] for fate in latest)
        if refused < MIN_REFUSED:
            return 0.0
        served = len(latest) - refused
        chance = math.lgamma(refused + 1) + math.lgamma(served + 1) - math.lgamma(refused + served + 2)
        return self._fit()[1] - max(chance, _runs(latest) - UNDECIDED, _average_concurrency(latest))

    def odds_of_limit(self) -> float:
        """Return the logarithm of the odds of a limit that, once it refuses, does so for a while, against chance."""
        return _runs(self._latest) - _chance(self._latest)

    def is_proven(self, *, urgent: bool = False) -> bool:
        """Return whether a rate is behind the latest refusals.

        One of them has to have been refused although no other was in flight.
        """
        alone = any(load == 1 and not served for *_, served, load in self._latest)
        if not self.best().has_no_burst():
            return alone and self.evidence() > PROOF
        return alone and self.evidence() > (0.0 if urgent else PROOF_OF_INTERVAL)

    def are_random(self) -> bool:
        """Return whether chance explains the latest requests better than any limit does.

        The limits are a rate, one of concurrency, and one that, once it refuses, does so for a while.
        """
        latest, last_ones = self._latest, self._last_ones()
        refused = sum(not fate[3] for fate in latest)
        if refused < MIN_RANDOM or refused > MAX_REFUSED * len(latest):
            return False
        chance = _chance(latest)
        if chance - max(_runs(latest) - UNDECIDED, _average_concurrency(latest)) <= CHANCE:
            return False
        return _chance(last_ones) - self._fit()[1] > CHANCE

    def _last_ones(self) -> list[Fate]:
        return list(self._latest)[-FITTED:]

    def _fit(self) -> tuple[Fit, float]:
        if self._fitted is None:
            latest = sorted(self._last_ones(), key=_order)
            fits: list[Fit] = []
            most = -math.inf
            for size in SIZES:
                for rate in RATES:
                    likelihood = _likelihood(latest, rate, size, most - NEGLIGIBLE)
                    most = max(most, likelihood)
                    fits.append(Fit(rate, size, likelihood))
            average = _average([fit.likelihood for fit in fits])
            likely = sorted(fit for fit in fits if fit.likelihood >= most - EQUIVALENT)
            rate = likely[0].rate ** (1.0 - HIGH) * likely[-1].rate ** HIGH
            best = _refined(latest, min(likely, key=lambda fit: abs(math.log(fit.rate / rate))))
            self._fitted = best._replace(uncertainty=likely[-1].rate / likely[0].rate - 1.0), average
        return self._fitted


def _order(fate: Fate) -> tuple[float, bool]:
    """Sort by time, and those sent together so that the served ones came first."""
    return fate[0], not fate[3]


def _decided(fate: Fate) -> tuple[float, bool]:
    """Sort by the time of the decision, and those decided together so that the served ones came first."""
    return fate[1], not fate[3]


def _average_concurrency(fates: Collection[Fate]) -> float:
    """Return the logarithm of the average likelihood of limits of concurrency.

    As many as were in flight with a refused request may have been too many, never fewer.
    """
    loads = [(load, served) for *_, served, load in fates if load]
    likelihoods = []
    for most in range(1, max((load for load, _ in loads), default=1) + 1):
        certain = [CERTAINTY if load <= most else CERTAIN_LOAD for load, _ in loads]
        right = [served == (load <= most) for load, served in loads]
        likelihoods.append(sum(math.log(c if r else 1.0 - c) for c, r in zip(certain, right, strict=True)))
    return (len(fates) - len(loads)) * math.log(CERTAINTY) + _average(likelihoods)


def _runs(fates: Collection[Fate]) -> float:
    """Return the logarithm of the likelihood of a limit that, once it refuses, does so for a while.

    The chance of a refusal then depends on what happened to the request before, and on whether time has passed.
    """
    counts: dict[str, tuple[int, int]] = {}
    before, refused_at = "served", -math.inf
    for _, at, uncertain, served, _ in sorted(fates, key=_decided):
        if before == "refused" and at - refused_at > max(PROMPT, 2.0 * uncertain / DELAY_SHARE):
            before = "rested"
        refused, others = counts.get(before, (0, 0))
        counts[before] = refused + (not served), others + served
        before, refused_at = ("served", refused_at) if served else ("refused", at)
    return sum(_any_chance(*found, STICKY if state == "refused" else RARE) for state, found in counts.items())


def _chance(fates: Collection[Fate]) -> float:
    """Return the logarithm of the likelihood that each request is refused with the same chance."""
    refused = sum(not fate[3] for fate in fates)
    return _any_chance(refused, len(fates) - refused)


def _any_chance(refused: int, served: int, before: tuple[float, float] = RARE) -> float:
    """Return the logarithm of the likelihood that each request is refused with the same chance, whatever that is."""
    return _beta(refused + before[0], served + before[1]) - _beta(*before)


def _average(likelihoods: list[float]) -> float:
    """Return the logarithm of the average of likelihoods, of which the logarithms are given."""
    most = max(likelihoods)
    return most + math.log(sum(math.exp(one - most) for one in likelihoods) / len(likelihoods))


def _beta(refused: float, served: float) -> float:
    """Return the logarithm of the beta function."""
    return math.lgamma(refused) + math.lgamma(served) - math.lgamma(refused + served)


def _refined(requests: list[Fate], fit: Fit) -> Fit:
    """Return the best rate near a good one."""
    for step in STEPS:
        for factor in (2.0**-step, 2.0**step):
            rate = fit.rate * factor
            likelihood = _likelihood(requests, rate, fit.size, fit.likelihood)
            if likelihood > fit.likelihood:
                fit = Fit(rate, fit.size, likelihood)
    return fit


def _likelihood(requests: list[Fate], rate: float, size: float, least: float) -> float:
    """Return the logarithm of the likelihood of a bucket, or some lower number if it is below `least`."""
    # this runs 15,000 times for each fit: a comparison takes a third of the time of `min` or `max`
    tokens, before, likelihood = size, -math.inf, 0.0
    for _, at, uncertain, served, _ in requests:
        blur = uncertain * rate
        if blur > MAX_BLUR:
            blur = MAX_BLUR
        blur += MIN_BLUR
        if at > before:
            tokens += (at - before) * rate
            before = at
        if tokens > size + blur:
            tokens = size + blur
        share = (tokens - 1.0) / blur
        if share > 1.0:
            share = 1.0
        elif share < -1.0:
            share = -1.0
        chance = 0.5 + SURE * share
        likelihood += math.log(chance if served else 1.0 - chance)
        if likelihood < least:
            break
        if tokens > size:
            tokens = size
        tokens -= served
        if tokens < 0.0:
            tokens = 0.0
    return likelihood
