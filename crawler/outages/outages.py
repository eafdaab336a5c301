"""`Outages`: the breakers of a crawl, and what a failed attempt means. The rules are those of `crawler.outages`.

A *scope* is what a breaker stands for: an origin such as ``https://example.com``, or a proxy. Scopes that answer have
none, so a crawl without failures pays nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from crawler import urls
from crawler.outages.breaker import MAX_REST, MIN_REST, Breaker, OutageStatistics
from crawler.outages.failed_attempt import SENT, FailedAttempt, Outage, given_up_error
from crawler.outages.network import NEW, Network

if TYPE_CHECKING:
    from crawler.errors import FetchError
    from crawler.messages import Request

__all__ = ["NETWORK", "Outages"]

OPEN_AFTER: Final = 3
"""Failures in a row, or pages, that open a breaker if they take `OPEN_SECONDS`."""
OPEN_SECONDS: Final = 1.0
"""Seconds without a response before a few failures open a breaker: a host may also fail at random."""
OPEN_AT_ONCE: Final = 10
"""Failures in a row, or pages, that open a breaker at once: more than are usually in flight together."""
ABSENT: Final = 5.0
"""As `NEW`, for a name that does not exist, a proxy, and a port of this machine while nothing has answered: a mistyped
one ends a crawl soon. Also for a page that gets no response, before it counts as an attempt."""
ANSWERING: Final = 90.0
"""As `NEW`, if it accepts connections and is probably starting: its gateway answers, or its robots.txt is an error."""
NAME_REST: Final = 60.0
"""Seconds between the first two lookups of a name that does not exist, while the crawl has other work: it may be being
set up, and few are."""
MAX_OPEN: Final = 60.0
"""Seconds for which such hosts are tried beside open pages alone: few pages take longer."""
LAST_TRY: Final = 5.0
"""Seconds for the last tries when nothing else is left, after which all are given up: workers may be too few."""
MAX_PUT_OFF: Final = 1.0
"""Seconds for which a request to such a host is put off by itself; for longer, its breaker keeps it."""
MIN_TRIES: Final = 2
"""Failures one after the other, at least, before a host that has never answered is given up."""
UNANSWERED: Final = 5.0
"""Seconds before a page is sent again for which a gateway answered, the second or a later one in a row: it would use up
its attempts in the first second of an outage. Connections that break at random are no outage."""
PAGE: Final = 30.0
"""Seconds, at most, for which a host is taken to be down although its pages may be broken: a restart takes less."""
BEHIND: Final = 1.0
"""Seconds after the next probe, at most, before a page is sent again that got no response, so that another one is the
probe."""
GIVEN_UP: Final = 300.0
"""Seconds for which the requests of a host that was given up fail at once."""
PUT_OFF: Final = 1.0
"""Seconds for which a request is put off whose lane has other hosts, while its own host is probed."""
NETWORK: Final = "network"
"""The name of the network in statistics."""
MAX_SCOPES: Final = 10_000
"""Scopes with a breaker, at most; the oldest is forgotten first."""


def _direct(_request: Request) -> str:
    return ""


class Outages:
    """Decides which requests may start while hosts, proxies or the network are down."""

    def __init__(self, patience: float | None, rng: random.Random) -> None:
        self.active = False
        """Whether any scope has a breaker. If not, only `failed` matters."""
        self.route: Callable[[Request], str] = _direct
        """Returns the name of the proxy of a request; empty: it has none."""
        self._patience = math.inf if patience is None else patience
        self.network = Network(self._patience)
        """The network of this machine."""
        self.alone_since = -math.inf
        """Since when nothing is left but hosts that have never answered, in seconds since the epoch. Nothing else is
        ever known to be left where `see_work` is not called: in a shared job, and for a client."""
        self._worked_at = self._answered_at = -math.inf  # when anything else waited, and when something answered
        self._rng = rng
        self._breakers: dict[str, Breaker] = {}
        self._probes: dict[object, list[Breaker]] = {}  # tickets that are probes
        self._recovered: dict[str, float] = {}  # when the latest outage of a scope ended, in seconds since the epoch
        self._in_vain: dict[str, int] = {}  # waits for pages that proved to be broken, by scope, since it recovered

    def statistics(self) -> dict[str, OutageStatistics]:
        """Return what is down now, by origin or proxy; the key of the network is ``network``."""
        found = {scope: breaker.statistics() for scope, breaker in self._breakers.items() if breaker.is_open}
        if self.network.breaker is not None:
            found[NETWORK] = self.network.breaker.statistics()
        return found

    def breaker_of(self, scope: str) -> Breaker | None:
        """Return the breaker of a scope; `None` if it has answered since its last failure."""
        return self._breakers.get(scope)

    # ---- hosts that have never answered ------------------------------------------------------------------------------

    def is_new(self, scope: str) -> bool:
        """Return whether a scope has failed and never answered."""
        breaker = self._breakers.get(scope)
        return breaker is not None and breaker.new_for > 0

    def awaits_new(self, request: Request) -> bool:
        """Return whether a request is for such a scope."""
        return any(map(self.is_new, self.scopes(request)))

    def rests_until(self, scope: str) -> float:
        """Return when such a scope is tried again, in seconds since the epoch; minus infinity if it does not rest."""
        breaker = self._breakers.get(scope)
        return breaker.probe_at if breaker is not None and breaker.new_for > 0 and breaker.is_open else -math.inf

    def see_work(self, now: float, *, waits: bool, is_open: bool) -> bool:
        """Note what else is left, and return whether nothing is: then all such scopes are tried again, or given up.

        Pages that are open, and `start()`, may bring more. They may themselves wait for such a host, so that they count
        for `MAX_OPEN` only.
        """
        if waits or self.network.breaker is not None:
            self._worked_at = now
        since = max(self._worked_at, self._answered_at)
        if now <= since or (is_open and now < since + MAX_OPEN):
            self.alone_since = math.inf
            return False
        is_first = not math.isfinite(self.alone_since)
        self.alone_since = now if is_first else self.alone_since
        for breaker in self._breakers.values():
            if breaker.new_for > 0 and breaker.is_open:
                rest = max(0.0, breaker.new_for - breaker.down_for) if is_first else math.inf
                breaker.probe_at = min(breaker.probe_at, breaker.failed_at + rest)
                if now >= self.alone_since + breaker.new_for + LAST_TRY:
                    breaker.give_up(now + GIVEN_UP)
        return True

    # ---- before a request --------------------------------------------------------------------------------------------

    def scopes(self, request: Request) -> tuple[str, ...]:
        """Return the origin and the proxy of a request, each of which may be down."""
        origin, proxy = urls.origin(request.url), self.route(request)
        return (origin, proxy) if proxy else (origin,)

    def _found(self, request: Request) -> list[Breaker]:
        """Return the breakers of a request."""
        return [found for scope in self.scopes(request) if (found := self._breakers.get(scope)) is not None]

    def ready_at(self, request: Request, now: float) -> float:
        """Return when the breakers let a request start, in seconds since the epoch; infinite: after a probe.

        A request that names its lane is let through and put off alone, since the others may have another host.
        """
        return -math.inf if request.lane is not None else self._ready_at(request, now)

    def put_off_until(self, request: Request, now: float) -> float:
        """Return the time until which a request that names its lane is put off, in seconds since the epoch."""
        at = -math.inf if request.lane is None else self._ready_at(request, now)
        return now + PUT_OFF if at == math.inf else min(at, now + MAX_REST)

    def _ready_at(self, request: Request, now: float) -> float:
        if self.network.breaker is not None:  # only its probes count; see `network_ready_at`
            return self.network.breaker.probe_at
        return max((breaker.ready_at(now) for breaker in self._found(request)), default=-math.inf)

    def network_ready_at(self) -> float:
        """Return when any request may start, in seconds since the epoch; infinite: after the result of a probe."""
        network = self.network.breaker
        return -math.inf if network is None else network.ready_at(-math.inf)

    def refusal(self, request: Request, now: float, *, in_place: bool = False) -> FetchError | None:
        """Return the error of a request whose host was given up; `None`: it was not.

        One that a handler waits for in place is refused while a host rests that has been down for long enough.
        """
        lost = self.network.lost
        breakers = self._found(request)
        if lost is not None and not urls.is_loopback(request.url):
            breakers.append(lost)
        for breaker in breakers:
            rests = in_place and 0 < breaker.new_for <= breaker.down_for and breaker.ready_at(now) > now
            if (rests or now < breaker.given_up_until) and breaker.error is not None:
                return given_up_error(breaker.error, breaker.down_for, request)
        return None

    def start(self, ticket: object, request: Request) -> None:
        """Note that a request starts: it is the probe of each of its scopes whose breaker is open."""
        found = self._found(request)
        if self.network.breaker is not None:
            found.append(self.network.breaker)
        for breaker in found:
            if breaker.is_open and breaker.probe is None:
                breaker.probe = ticket
                self._probes.setdefault(ticket, []).append(breaker)

    # ---- after a request ---------------------------------------------------------------------------------------------

    def end(self, ticket: object) -> bool:
        """Note that a request has ended, if it was a probe. Return whether it was; another request may be the next."""
        probed = self._probes.pop(ticket, ())
        for breaker in probed:
            breaker.probe = None
        return bool(probed)

    def answered(self, scopes: tuple[str, ...], now: float) -> bool:
        """Note a response: its scopes are well, and so is the network. Return whether any of them was down.

        What failed while the network was down says nothing about its host, so all breakers are removed.
        """
        was_offline = self.network.breaker is not None
        self._answered_at = now
        self.network.note_online(scopes[0], now)
        self.network.end_outage()
        were_down = [self._close(scope, now) for scope in scopes]
        if was_offline:
            self._breakers.clear()
        self.active = bool(self._breakers)
        return was_offline or any(were_down)

    def _close(self, scope: str, now: float) -> bool:
        """Remove the breaker of a scope that has answered. Return whether there was one."""
        breaker = self._breakers.pop(scope, None)
        if breaker is None:
            return False
        if breaker.waited_in_vain:
            self._in_vain[scope] = self._in_vain.get(scope, 0) + 1
        elif breaker.is_open:
            self._in_vain.pop(scope, None)
            if self._recovered.pop(scope, None) is None and len(self._recovered) >= MAX_SCOPES:
                del self._recovered[next(iter(self._recovered))]
            self._recovered[scope] = now
        return True

    def failed(self, attempt: FailedAttempt, now: float) -> Outage | None:
        """Return what a failure means. `None`: nothing suggests an outage, so it counts as an attempt."""
        if self._patience <= 0:
            return None
        if not self.active:
            self.active, self._worked_at = True, now
            self.alone_since = self.alone_since if self.alone_since == -math.inf else math.inf
        is_probe = self.network.breaker is not None and self.network.breaker.probe is attempt.ticket
        self.end(attempt.ticket)
        breaker = self._breaker(attempt, now)
        is_late = attempt.started < breaker.failed_at  # it was in flight when the last one failed, and is part of that
        breaker.note(now, attempt.error)
        if attempt.is_known:
            self.network.note_online(attempt.scope)
        self.network.failed(attempt, breaker, now)
        if is_probe and (lost := self.network.probe_failed(attempt, now)) is not None:
            for given_up in (lost, *self._breakers.values()):
                given_up.give_up(now + GIVEN_UP)
        if self.network.breaker is not None:
            return Outage(_wait(self.network.breaker, now))
        no_page = attempt.blocks_host or breaker.new_for > 0  # is to blame
        if attempt.contact in SENT and not (attempt.contact == "sent" and no_page and not attempt.is_known):
            return self._judge_page(breaker, attempt, now, is_late=is_late)
        return self._judge_connection(breaker, attempt, now, is_late=is_late)

    def _breaker(self, attempt: FailedAttempt, now: float) -> Breaker:
        """Return the breaker of a scope, made when it first fails."""
        found = self._breakers.get(attempt.scope)
        if found is None:
            if len(self._breakers) >= MAX_SCOPES:
                rest = (name for name, breaker in self._breakers.items() if not (breaker.new_for and breaker.is_open))
                del self._breakers[next(rest, next(iter(self._breakers)))]
            found = self._breakers[attempt.scope] = Breaker(now, attempt.started, attempt.is_known)
            found.down_for = min(max(0.0, now - attempt.started), ABSENT)  # no more: this machine may have slept
        return found

    # ---- the rules ---------------------------------------------------------------------------------------------------

    def _judge_connection(
        self, breaker: Breaker, attempt: FailedAttempt, now: float, *, is_late: bool
    ) -> Outage | None:
        """Return what it means that nothing was sent, or that a new host did not respond: it is down, or absent."""
        is_known = attempt.is_known or (attempt.is_proxy and self.network.has_answered)
        limit, base = self._patience, MIN_REST
        if not is_known:
            is_over = self.alone_since < math.inf
            base = NAME_REST if attempt.contact == "name" and not is_over else MIN_REST
            breaker.new_for = min(self._seconds_for_new(attempt), self._patience)
            limit = breaker.new_for if is_over and breaker.probes + (not is_late) >= MIN_TRIES else math.inf
        if now < breaker.given_up_until or breaker.down_for >= limit:
            if attempt.contact == "sent" and attempt.blocks_host:  # RFC 9309 says what follows for its pages
                breaker.close()
                return None
            breaker.give_up(max(breaker.given_up_until, now + GIVEN_UP))
            return Outage(0.0, gives_up=True, down_for=breaker.down_for)
        if is_known and not (breaker.is_open or _is_enough(breaker.failures, breaker, now)):
            return Outage(breaker.rest(self._rng), is_open=False)
        self._open(breaker, now, limit, is_late=is_late, base=base)
        return Outage(_wait(breaker, now) if is_known else min(_wait(breaker, now), MAX_PUT_OFF))

    def _seconds_for_new(self, attempt: FailedAttempt) -> float:
        """Return the seconds after which a host that has never answered is given up."""
        is_first = urls.is_loopback(attempt.scope) and not self.network.has_answered
        if attempt.contact == "sent":
            return ANSWERING
        return ABSENT if attempt.contact == "name" or attempt.is_proxy or is_first else NEW

    def _judge_page(self, breaker: Breaker, attempt: FailedAttempt, now: float, *, is_late: bool) -> Outage | None:
        """Return what it means that a request was sent and got no response of use: its page may be to blame."""
        failed_before = attempt.failed_before
        was_up = self._recovered.get(attempt.scope, -math.inf)  # a failure while its host was down is not the page's
        is_own = failed_before is not None and was_up < failed_before < breaker.since  # others were answered since
        breaker.new_for = 0.0
        if not is_own:
            breaker.pages.add(attempt.url)
        may_serve = breaker.is_known or attempt.contact != "sent"
        may_be_page = may_serve and not (attempt.blocks_host or self.network.is_suspected)
        limit = self._seconds_for_page(breaker, attempt, may_be_page=may_be_page)
        if breaker.down_for >= limit:
            breaker.waited_in_vain |= breaker.is_open
            breaker.close()
            return None
        may_be_alone = attempt.may_be_alone or was_up > -math.inf  # a host that was down may be down again
        is_alone = failed_before is not None and not is_own and may_be_alone
        is_down = breaker.is_open or is_alone or _is_enough(len(breaker.pages), breaker, now)
        if may_be_page and not is_down:
            is_second = attempt.contact == "gateway" and breaker.failures > 1 and not is_own
            return Outage(UNANSWERED, is_open=False, counts=True) if is_second else None
        self._open(breaker, now, limit, is_late=is_late)
        wait = _wait(breaker, now)
        return Outage(wait if attempt.blocks_host else min(2.0 * wait, wait + BEHIND))

    def _seconds_for_page(self, breaker: Breaker, attempt: FailedAttempt, *, may_be_page: bool) -> float:
        """Return the seconds after which a request that was sent and got no response counts as an attempt.

        Each wait after which the page failed and the host answered others halves the next one.
        """
        is_few = may_be_page and breaker.is_known and len(breaker.pages) < OPEN_AFTER
        if attempt.contact == "error" or is_few:
            seconds = PAGE / 2.0 ** self._in_vain.get(attempt.scope, 0)
        elif breaker.is_known:
            seconds = math.inf
        else:
            seconds = ANSWERING if attempt.blocks_host or attempt.contact == "gateway" else ABSENT
        return min(seconds, self._patience)

    def _open(self, breaker: Breaker, now: float, limit: float, *, is_late: bool, base: float = MIN_REST) -> None:
        """Let requests wait for a probe; the last one is sent when the limit is reached."""
        if not (is_late and breaker.is_open):
            breaker.open(now, rest=max(0.0, min(breaker.rest(self._rng, base=base), limit - breaker.down_for)))


def _is_enough(failures: int, breaker: Breaker, now: float) -> bool:
    """Return whether a number of failures opens a breaker."""
    return failures >= OPEN_AT_ONCE or (failures >= OPEN_AFTER and now - breaker.since >= OPEN_SECONDS)


def _wait(breaker: Breaker, now: float) -> float:
    """Return the seconds until the next probe."""
    return max(0.0, breaker.probe_at - now)
