"""`Outages`: which hosts cannot be reached, whether the network is down, and what a failed connection means.

Invariant: while a host is down, its requests lose no attempt. They fail together when it has been down for too long:
for `patience` if it has answered before, for some seconds if it never has, since then its URL is probably wrong.

A *scope* is what a breaker stands for: an origin such as ``https://example.com``, or a proxy. Each scope that fails has
a `Breaker`; one more stands for the network. Scopes that answer have none, so a crawl without failures pays nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from crawler import urls
from crawler.limits import doubts
from crawler.limits.breaker import MAX_STEP, Breaker
from crawler.limits.silence import Silence
from crawler.limits.trouble import Outage, Trouble

if TYPE_CHECKING:
    from crawler.limits.outage_statistics import OutageStatistics

__all__ = ["NETWORK", "NETWORK_PROBE", "Outages"]

OPEN_AFTER: Final = 3
"""Failures in a row that open the breaker of a host that has answered before, if they take `OPEN_SECONDS`: failed
connections, or different requests that were sent and got no response."""
OPEN_SECONDS: Final = 1.0
"""Seconds without a response before a few failures open a breaker: a host may also fail at random."""
OPEN_AT_ONCE: Final = 10
"""Failures in a row that open a breaker at once."""
MAX_CHANCE: Final = 0.02
"""Failures in a row that are less probable than this, if each came at random, suggest an outage where requests fail."""
UNANSWERED_WAIT: Final = 5.0
"""Seconds before a request is sent again if it is the second in a row without response: others are tried first."""
BEHIND: Final = 1.0
"""Seconds after the next probe, at most, before a request is sent again that got no response, so that another one is
the probe."""
MIN_TRIES: Final = 2
"""Failures one after the other, at least, before a host that has never answered is given up."""
MANY: Final = 3
"""Scopes that fail together before an outage of more than one host is suspected."""
MANY_KNOWN: Final = 2
"""Hosts that have answered before and fail together before the network is suspected."""
MANY_NEW: Final = 10
"""The same for hosts that have never answered while others have. Names that do not exist are no such hosts."""
NETWORK_PROBE: Final = 5.0
"""Seconds between two probes while the network is down."""
CHECK_REST: Final = 1.5 * NETWORK_PROBE
"""Seconds between two checks while the network is down, so that hosts with waiting requests are tried in between."""
GIVEN_UP: Final = 300.0
"""Seconds for which the requests of a host that was given up fail at once."""
NETWORK: Final = "network"
"""The name of the network in statistics."""
MAX_SCOPES: Final = 10_000
"""Scopes with a breaker, at most; the oldest is forgotten first."""


class Outages:
    """The breakers of all scopes, and of the network.

    Parameters:
        patience: Seconds of downtime after which a host is given up. `None`: never; 0: there are no breakers.
        attempts: Attempts per request, which a host that has never answered gets as well.
        rng: Source of jitter.
    """

    def __init__(self, patience: float | None, attempts: int, rng: random.Random) -> None:
        self.active = False
        """Whether any scope has a breaker, or a check is in flight. If not, only `failed` and `answered` matter."""
        self.network: Breaker | None = None
        """The breaker of the network while that is down."""
        self.was_online = False
        """Whether a host that is not this machine has answered, in this run or an earlier one of the job."""
        self.silence = Silence()
        """The hosts that have failed since the last response of any, and when to check the network."""
        self._patience = math.inf if patience is None else patience
        self._attempts = attempts
        self._rng = rng
        self._breakers: dict[str, Breaker] = {}
        self._page_doubts = doubts.PageDoubts()
        self._probes: set[object] = set()  # the requests that are a probe
        self._lost: Breaker | None = None  # that of the network after it was given up
        self._has_answered = False  # whether any host has, as far as it is known
        self._loopback: set[str] = set()  # origins on this machine that have answered
        self._doubtful: set[str] = set()  # scopes that have failed since a host was reached for the first time or again
        self._era = 0  # number of times that this has happened
        self._proofs = 0  # number of times that the network was found to be up

    def note_response(self, origin: str) -> None:
        """Note a response of this run, or that an earlier one had one. It changes nothing after `was_online`."""
        if origin in self._loopback:
            return
        if urls.is_loopback(origin):
            self._loopback.add(origin)  # loopback proves no network
        else:
            self.was_online = True

    def statistics(self) -> dict[str, OutageStatistics]:
        """Return what is down now, by origin or proxy; the key of the network is ``network``."""
        from crawler.limits.outage_statistics import OutageStatistics  # noqa: PLC0415 - few crawls are asked

        down = {scope: breaker for scope, breaker in self._breakers.items() if breaker.is_open}
        if self.network is not None:
            down[NETWORK] = self.network
        return {
            name: OutageStatistics(since=breaker.since, next_probe=breaker.probe_at, error=str(breaker.error))
            for name, breaker in down.items()
        }

    def breaker_of(self, scope: str) -> Breaker | None:
        """Return the breaker of a scope; `None` if it has answered since its last failure."""
        return self._breakers.get(scope)

    # ---- before a request --------------------------------------------------------------------------------------------

    def ready_at(self, scopes: Iterable[str], now: float) -> float:
        """Return when the breakers of these scopes let a request start, in seconds since the epoch.

        Infinite: after the result of a probe. While the network is down only its probes count; see `network_ready_at`.
        """
        if self.network is not None:
            return self.network.probe_at
        breakers = self._breakers
        return max((breakers[scope].ready_at(now) for scope in scopes if scope in breakers), default=-math.inf)

    def network_ready_at(self) -> float:
        """Return when any request may start, in seconds since the epoch; infinite: after the result of a probe."""
        if self.network is None:
            return -math.inf
        return math.inf if self.network.probe is not None else self.network.probe_at

    def given_up(self, scopes: Iterable[str], now: float) -> Breaker | None:
        """Return the breaker of a scope that was given up, so that its requests fail; `None`: there is none."""
        for scope in scopes:
            if self._lost is not None and now < self._lost.given_up_until and not urls.is_loopback(scope):
                return self._lost
            breaker = self._breakers.get(scope)
            if breaker is not None and now < breaker.given_up_until:
                return breaker
        return None

    def start(self, scopes: Iterable[str], request: object) -> None:
        """Note that a request starts: it is the probe of each of its scopes whose breaker is open."""
        found = [self._breakers.get(scope) for scope in scopes]
        for breaker in (self.network, *found):
            if breaker is not None and breaker.is_open and breaker.probe is None:
                breaker.probe = request
                self._probes.add(request)

    # ---- after a request ---------------------------------------------------------------------------------------------

    def check(self, now: float, request: object | None) -> None:
        """Note that a check of the network starts; see `Silence.start_check`."""
        self.silence.start_check(now, request)
        self._plan_check()

    def end(self, request: object) -> bool:
        """Note that a request has ended, if it was a probe. Return whether it was; another request may be the next."""
        if self.silence.end_check(request):
            self._plan_check()
        if request not in self._probes:
            return False
        self._probes.remove(request)
        for breaker in (self.network, *self._breakers.values()):
            if breaker is not None and breaker.probe is request:
                breaker.probe = None
        return True

    def answered(self, scopes: Iterable[str], *, is_known: bool, is_check: bool = False) -> Iterable[str]:
        """Note a response: its scopes are well, and so is the network. Return the scopes to try at once.

        Parameters:
            scopes: The scopes of its request.
            is_known: Whether the host had answered before.
            is_check: Whether the request was a check of the network.
        """
        found = [scope for scope in scopes if self._close(scope)]
        retried: set[str] = set()
        if self.network is not None:
            retried.update(self._breakers)
        is_reached = bool(found) or not is_known  # for the first time, or again
        if is_reached or is_check or self.network is not None:
            self._era += is_reached
            self._proofs += 1
            retried |= self._doubtful
            self._doubtful = set()
        for scope in retried & self._breakers.keys():
            breaker = self._breakers[scope]
            breaker.probes, breaker.probe_at = 0, -math.inf
            if self.network is not None:
                breaker.tries = 0  # what failed meanwhile says nothing about the host
        self._has_answered = True
        self._lost = self.network = None
        self.silence.end()
        self.active = bool(self._breakers) or self.silence.has_check
        return retried.union(found)

    def _close(self, scope: str) -> bool:
        """Remove the breaker of a scope that has answered. Return whether there was one."""
        breaker = self._breakers.pop(scope, None)
        if breaker is None:
            return False
        self._page_doubts.record_end(scope, breaker)
        return True

    def failed(self, trouble: Trouble, now: float) -> Outage | None:
        """Return what a failure means. `None`: nothing suggests an outage, so it counts as an attempt.

        Parameters:
            trouble: The failure.
            now: Seconds since the epoch.
        """
        if self._patience <= 0:
            return None
        self.active = True
        probes_network = self.network is not None and self.network.probe is trouble.request
        self.silence.end_check(trouble.request, now)
        self.end(trouble.request)
        if trouble.is_check:
            self._note_silence(trouble, now)
            if probes_network:
                self._extend_network_outage(trouble, now)
            return None
        breaker = self._breaker(trouble, now)
        is_late = trouble.started < breaker.failed_at  # it started before the last failure, and is part of that
        breaker.note(now, trouble.error)
        if trouble.is_known:
            self._has_answered = True
            self.note_response(trouble.scope)
        self._count(breaker, trouble, now, is_late=is_late)
        if probes_network:
            self._extend_network_outage(trouble, now)
        if trouble.contact in doubts.UNANSWERED:
            return self._judge_unanswered(breaker, trouble, now, is_late=is_late)
        if trouble.is_known or (trouble.is_proxy and self._has_answered):
            return self._judge(breaker, now, limit=self._patience, is_late=is_late)
        return self._judge_unknown(breaker, trouble, now, is_late=is_late)

    def _count(self, breaker: Breaker, trouble: Trouble, now: float, *, is_late: bool) -> None:
        """Count a failure of a host that may be down."""
        breaker.failures += 1
        breaker.tries += not is_late
        if trouble.contact in doubts.UNANSWERED and not (trouble.contact == "error" and trouble.is_repeated):
            breaker.unanswered.add(trouble.url)
        if trouble.contact in doubts.UNANSWERED and not trouble.is_repeated:
            breaker.failed_first.add(trouble.url)
        if trouble.contact in ("gateway", "error"):
            self.silence.end()  # it is reachable, and so is the network
            return
        if not trouble.is_known and (breaker.was_given_up or self._is_alone(breaker, trouble)):
            return
        if trouble.contact != "sent":
            self._doubtful.add(trouble.scope)
        if not trouble.is_proxy and (trouble.is_known or breaker.proofs == self._proofs):
            self._note_silence(trouble, now)

    def _is_alone(self, breaker: Breaker, trouble: Trouble) -> bool:
        """Return whether a host fails on its own: since its first failure another one was reached, or the network was.

        That the network is up does not show that names are found: hosts that were asked before have their addresses.
        """
        return breaker.era != self._era or (trouble.contact != "lookup" and breaker.proofs != self._proofs)

    # ---- the rules ---------------------------------------------------------------------------------------------------

    def _judge(self, breaker: Breaker, now: float, *, limit: float, is_late: bool) -> Outage:
        """Return what it means that a host is down, which is given up after `limit` seconds."""
        if now < breaker.given_up_until or breaker.down_for >= limit:
            breaker.give_up(max(breaker.given_up_until, now + GIVEN_UP))
            return Outage(0.0, gives_up=True, down_for=breaker.down_for)
        if not breaker.is_open and not _is_enough(breaker.failures, breaker, now):
            return Outage(breaker.rest(self._rng), is_open=False)
        if not (is_late and breaker.is_open):
            breaker.open(now, rest=min(breaker.rest(self._rng), limit - breaker.down_for))
        return Outage(self._wait(breaker, now))

    def _judge_unknown(self, breaker: Breaker, trouble: Trouble, now: float, *, is_late: bool) -> Outage:
        """Return what it means that a host failed which has never answered: its URL may be wrong."""
        breaker.failures = max(breaker.failures, OPEN_AT_ONCE)  # it is probed, too
        limit = min(self._doubt(breaker, trouble), self._patience)
        if breaker.tries < max(MIN_TRIES, self._attempts):
            limit = math.inf
        outage = self._judge(breaker, now, limit=limit, is_late=is_late)
        if outage.gives_up:
            self._doubtful.discard(trouble.scope)
            self.silence.hosts.pop(trouble.scope, None)
        return outage

    def _doubt(self, breaker: Breaker, trouble: Trouble) -> float:
        """Return the seconds after which a host that has never answered is given up."""
        longest = self._longest_doubt()
        if self.network is not None:
            return math.inf if self._network_was_up() else longest
        fails_with_others = not self._is_alone(breaker, trouble) and len(self._doubtful) >= MANY
        is_elsewhere = fails_with_others or (trouble.contact == "local" and not self._has_answered)
        is_start = not (self._has_answered or self.was_online or trouble.is_proxy or urls.is_loopback(trouble.scope))
        return doubts.seconds_for_new_host(trouble.contact, longest, is_elsewhere=is_elsewhere, is_start=is_start)

    def _longest_doubt(self) -> float:
        """Return the seconds after which hosts that have never answered are given up if others fail as well."""
        return doubts.LOCAL_DOUBT if self._loopback and not self.was_online else doubts.DOUBT

    def _judge_unanswered(self, breaker: Breaker, trouble: Trouble, now: float, *, is_late: bool) -> Outage | None:
        """Return what it means that a request was sent and got no response: its page may be to blame."""
        is_general = self.network is not None or len(self.silence.hosts) >= MANY
        is_page = not (is_general or trouble.blocks_host)
        doubt = min(self._page_doubts.seconds(trouble.scope), self._patience)
        if trouble.contact == "error":
            is_page, limit = True, doubt
        elif breaker.is_known or (is_general and self._longest_doubt() == doubts.DOUBT):
            limit = self._patience
        else:
            may_exist = trouble.blocks_host or trouble.contact == "gateway"
            limit = min(doubts.DOUBT if may_exist else doubts.NEW_DOUBT, self._patience)
            is_page = is_page and trouble.contact == "gateway"
        is_suspected = is_page and breaker.is_known and not doubts.may_be_page(breaker, trouble)
        if is_page and breaker.is_known and len(breaker.failed_first) < OPEN_AFTER:
            limit = min(doubt, limit)
        if breaker.down_for >= limit:
            breaker.waited_in_vain |= breaker.is_open
            breaker.close()
            return None
        is_chance = trouble.failed_share**breaker.tries >= MAX_CHANCE
        unanswered = len(breaker.unanswered)
        is_enough = unanswered >= OPEN_AT_ONCE or (not is_chance and _is_enough(unanswered, breaker, now))
        if is_page and not (breaker.is_open or is_enough or is_suspected):
            counted = Outage(UNANSWERED_WAIT, is_open=False, counts=True)
            return None if is_chance or breaker.failures == 1 or trouble.contact == "error" else counted
        if not (is_late and breaker.is_open):
            breaker.open(now, rest=min(breaker.rest(self._rng), limit - breaker.down_for))
        wait = self._wait(breaker, now)
        return Outage(wait if trouble.blocks_host else min(2.0 * wait, wait + BEHIND))

    def _wait(self, breaker: Breaker, now: float) -> float:
        """Return the seconds until the next probe."""
        return max(0.0, (self.network or breaker).probe_at - now)

    # ---- the network -------------------------------------------------------------------------------------------------

    def _note_silence(self, trouble: Trouble, now: float) -> None:
        """Take the network to be down if many hosts have failed, and none has answered, for a while."""
        silence = self.silence
        if trouble.contact != "name" or trouble.is_known or not (self._has_answered or self.was_online):
            silence.hosts[trouble.scope] = trouble.is_known
        silence.since = min(silence.since, now)
        hosts, known = len(silence.hosts), sum(silence.hosts.values())
        is_only = hosts == 1 and (
            trouble.contact in ("local", "lookup") if known else trouble.contact == "local" and not self._has_answered
        )
        are_new = hosts >= (MANY_NEW if self._has_answered else MANY) and (silence.is_checked or not self.was_online)
        are_many = known >= MANY_KNOWN or are_new
        self._plan_check()
        if self.network is None and (is_only or are_many) and silence.is_long(now):
            self.network = Breaker(silence.since)
            self.network.note(now, trouble.error)
            self.network.open(now, rest=NETWORK_PROBE)

    def _extend_network_outage(self, trouble: Trouble, now: float) -> None:
        """Note that a probe of the network failed. After too long a downtime, all hosts are given up."""
        network = self.network
        if network is None:
            return
        network.note(now, trouble.error)
        network.open(now, rest=NETWORK_PROBE)
        limit = math.inf if self._network_was_up() else self._longest_doubt()
        if network.down_for >= min(limit, self._patience):
            network.give_up(now + GIVEN_UP)
            self._lost, self.network = network, None
            self.silence.end()
            for breaker in self._breakers.values():
                breaker.give_up(now + GIVEN_UP)

    def _network_was_up(self) -> bool:
        """Return whether the network was up before: a host that has answered fails, or many new ones after others."""
        hosts = self.silence.hosts
        return any(hosts.values()) or (self.was_online and len(hosts) >= MANY_NEW)

    def _plan_check(self) -> None:
        """Check the network if several hosts fail."""
        hosts, doubtful = self.silence.hosts, self._doubtful
        are_many = len(hosts) >= MANY or len(doubtful) >= MANY or len(hosts.keys() | doubtful) >= MANY
        if self.was_online and are_many:
            self.silence.plan_check(NETWORK_PROBE if self.network is None else CHECK_REST)

    def _breaker(self, trouble: Trouble, now: float) -> Breaker:
        """Return the breaker of a scope, made when it first fails."""
        found = self._breakers.get(trouble.scope)
        if found is None:
            if len(self._breakers) >= MAX_SCOPES:
                del self._breakers[next(iter(self._breakers))]
            found = self._breakers[trouble.scope] = Breaker(now, self._era, self._proofs, is_known=trouble.is_known)
            found.down_for = min(max(0.0, now - trouble.started), MAX_STEP)
        return found


def _is_enough(failures: int, breaker: Breaker, now: float) -> bool:
    """Return whether a number of failures opens a breaker."""
    return failures >= OPEN_AT_ONCE or (failures >= OPEN_AFTER and now - breaker.since >= OPEN_SECONDS)
