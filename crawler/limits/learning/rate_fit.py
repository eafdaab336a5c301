"""`RateFit`: whether a rate explains when requests were served and refused better than chance or concurrency does.

A server that lets units pass at a rate has a bucket of tokens, of any size, which it refills at that rate. A request is
served if there is a token. So each rate and size predicts the fate of each request, and the likelihood of what happened
is the product of the chances of the predictions. Its average over all rates and sizes is compared with that of the two
other explanations: each request is refused with the same chance, or those beside which too many are in flight are.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct, field

__all__ = ["RateFit"]

REMEMBERED: Final = 48
"""Requests that are compared."""
RATES: Final = tuple(0.25 * 2.0 ** (step / 3) for step in range(27))
"""Units per second that are tried."""
STEPS: Final = tuple(1 / divisor for divisor in (6, 12, 24, 48, 96))
"""Binary logarithms of the factors by which the best of them is varied."""
SIZES: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 48.0)
"""Sizes of buckets that are tried."""
LEVELS: Final = range(1, 17)
"""Numbers of requests in flight that are tried as the limit of concurrency."""
CERTAINTY: Final = 0.99
"""Chance that the prediction of a rate comes true."""
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
NEGLIGIBLE: Final = 8.0
"""The same, from which one of them does not count."""
MIN_REFUSED: Final = 2
"""Refusals without which nothing is proven."""
PROOF: Final = 3.0
"""Logarithm of the odds that prove a rate."""

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


class RateFit(Struct, eq=False):
    """The latest requests of a server that states no limit, and the rate behind their fates."""

    _latest: deque[Fate] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _fitted: tuple[Fit, float] | None = None
    """The best rate, and the logarithm of the average likelihood."""

    def record(self, sent: float, received: float, *, served: bool, load: int) -> None:
        """Add a request.

        Parameters:
            sent: when it was sent, in seconds since the epoch.
            received: when its response was received, in seconds since the epoch.
            served: whether it was served.
            load: requests in flight with it: as few as possible if it was served, as many as possible if not.
        """
        self._fitted = None
        self._latest.append((sent, (sent + received) / 2.0, DELAY_SHARE * (received - sent), served, load))

    def assume(self, served: float, since: float, until: float) -> None:
        """Add requests of which only the number is known, evenly spread over a time in seconds since the epoch."""
        known = int(min(served, REMEMBERED))
        for number in range(known):
            at = until - (until - since) * (known - number) / served
            self._latest.append((at, at, 0.0, True, 0))

    def best(self) -> Fit:
        """Return the rate that explains the latest requests: the middle one of those that do so about equally well."""
        return self._fit()[0]

    def evidence(self) -> float:
        """Return the logarithm of the odds of a rate; 0 as long as few requests were refused."""
        refused = sum(not fate[3] for fate in self._latest)
        if refused < MIN_REFUSED:
            return 0.0
        served = len(self._latest) - refused
        chance = math.lgamma(refused + 1) + math.lgamma(served + 1) - math.lgamma(refused + served + 2)
        return self._fit()[1] - max(chance, self._concurrency())

    def is_likely(self) -> bool:
        """Return whether a rate explains the latest requests much better than anything else."""
        return self.evidence() > PROOF

    def is_proven(self) -> bool:
        """Return whether a rate is behind the latest refusals.

        One of them has to have been refused although no other was in flight.
        """
        alone = any(load == 1 and not served for *_, served, load in self._latest)
        return alone and self.is_likely()

    def _concurrency(self) -> float:
        """Return the logarithm of the likelihood of the best limit of concurrency."""
        loads = [(load, served) for *_, served, load in self._latest if load]
        unknown = (len(self._latest) - len(loads)) * math.log(CERTAINTY)
        right, wrong = math.log(CERTAIN_LOAD), math.log(1.0 - CERTAIN_LOAD)
        return unknown + max(
            sum(right if served == (load <= most) else wrong for load, served in loads) for most in LEVELS
        )

    def _fit(self) -> tuple[Fit, float]:
        if self._fitted is None:
            latest = sorted(self._latest, key=_order)
            fits: list[Fit] = []
            most = -math.inf
            for size in SIZES:
                for rate in RATES:
                    likelihood = _likelihood(latest, rate, size, most - NEGLIGIBLE)
                    most = max(most, likelihood)
                    fits.append(Fit(rate, size, likelihood))
            average = most + math.log(sum(math.exp(fit.likelihood - most) for fit in fits) / len(fits))
            likely = sorted(fit for fit in fits if fit.likelihood >= most - EQUIVALENT)
            middle = math.log(likely[0].rate * likely[-1].rate) / 2.0
            self._fitted = _refined(latest, min(likely, key=lambda fit: abs(math.log(fit.rate) - middle))), average
        return self._fitted


def _order(fate: Fate) -> tuple[float, bool]:
    """Sort by time, and those sent together so that the served ones came first."""
    return fate[0], not fate[3]


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
    tokens, before, likelihood = size, -math.inf, 0.0
    for _, at, uncertain, served, _ in requests:
        blur = min(MAX_BLUR, uncertain * rate) + MIN_BLUR
        at = max(at, before)
        tokens, before = min(size + blur, tokens + (at - before) * rate), at
        share = max(-1.0, min(1.0, (tokens - 1.0) / blur))
        chance = 0.5 + (CERTAINTY - 0.5) * share
        likelihood += math.log(chance if served else 1.0 - chance)
        if likelihood < least:
            break
        tokens = max(0.0, min(size, tokens) - served)
    return likelihood
