"""`FAMILIES`: kinds of servers with limits, as real sites have them, each drawn at random from a seed.

A family says what kind of server it is and draws the rest: quota, window, round trip, words, phase. None of them is
written from a vendor's page, and no rule of a limiter may be justified by one of them alone.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from support.family_server import EPOCH, FamilyServer, Kind, Nodes, Paths, Punishment, RestartedWindow
from support.limit_dialects import (
    Limits,
    Stated,
    aligned,
    both,
    bucket,
    changing,
    constant,
    counter,
    date,
    decimals,
    draft6,
    draft8,
    epoch,
    epoch_ms,
    fields,
    fixed,
    go_duration,
    http_date,
    iso,
    legacy,
    milliseconds,
    only_empty,
    priced,
    retry_after,
    second_late,
    seconds,
    sliding,
)
from support.server_limits import Answer, BatchBucket, Fields

__all__ = ["FAMILIES", "Draw", "Family", "draw"]

DAY: Final = 86400.0
LENGTHS: Final = (1, 1, 2, 5, 10, 10, 15, 30, 60, 60, 60, 60, 120, 300, 600, 900, 3600)
"""Lengths of windows in seconds, as often as they are likely."""
ODD: Final = (7, 13, 17, 25, 40, 45, 75, 90, 100, 150, 420, 1000)
"""Lengths that nobody expects."""
PATIENT: Final = 600.0
"""Seconds of the longest window of a server that refuses with 503, which also means that it is out of order."""
WINDOWS: Final[dict[str, Callable[..., Limits]]] = {
    "fixed": fixed,
    "aligned": aligned,
    "sliding": sliding,
    "counter": counter,
}
PLACES: Final = 8
"""Requests in flight of a client with default settings."""
BUSY: Final = 0.6
"""Share of the rate that so many could reach, at most, that a limit allows: else it would never be met."""
SHORTEST: Final = 15.0
"""Seconds that a run takes at least, so that it is more than its beginning."""
FEWEST, MOST = 100, 600
"""Pages of a run."""
MOST_FREE: Final = 2000
"""The same where nothing but a share of the requests is refused."""
WINDOWS_OF_LIES: Final = 8
"""Windows of a run whose server states waits of up to 60 windows: with one of them it takes ten times as long."""
MAX_SKEW: Final = 90.0
"""Seconds by which a server's clock differs from ours, at most."""
WORDS: Final = (
    ("text/plain", b"Rate limit exceeded"),
    ("text/plain", b"Too many requests, please try again later."),
    ("text/html", b"<html><head><title>429 Too Many Requests</title></head><body>Slow down.</body></html>"),
    ("application/json", json.dumps({"error": "too_many_requests"}).encode()),
    ("application/json", json.dumps({"message": "API rate limit exceeded", "code": 429}).encode()),
    ("text/plain", b""),
)
"""Bodies of refusals."""
FORBIDDEN: Final = (
    ("text/html", b"<html><body><h1>Access denied</h1>Your address has sent too many requests.</body></html>"),
    ("application/json", json.dumps({"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}).encode()),
    ("application/json", json.dumps({"message": "You have exceeded a rate limit. Please wait."}).encode()),
    ("text/html", b"<html><body><h1>403 Forbidden</h1></body></html>"),
    ("text/plain", b""),
)
"""Bodies of refusals with 403: with words, and bare."""


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    """Return a number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def together(*says: Fields) -> Fields:
    """Return the fields of several."""
    return lambda answer: {name: value for one in says for name, value in one(answer).items()}


class Draw:
    """Draws the parameters of one server."""

    def __init__(self, family: str, seed: int) -> None:
        self.rng = rng = random.Random(f"{family} {seed}")
        self.trip, self.jitter = log_uniform(rng, 0.01, 0.3), rng.choice((0.02, 0.1, 0.3, 0.6))
        self.travel = rng.choice((0.05, 0.2, 0.5))

    def length(self, longest: float = 3600.0, shortest: float = 1.0, lengths: Sequence[float] = LENGTHS) -> float:
        """Draw the length of a window."""
        return float(self.rng.choice([length for length in lengths if shortest <= length <= longest]))

    def quota(self, window: float, most: float = 150.0) -> int:
        """Draw the quota of a window that a crawl can use up."""
        reach = self.reach() * window
        return max(1, min(round(log_uniform(self.rng, 2.0, most)), int(reach)))

    def rate(self, fastest: float = 30.0) -> float:
        """Draw requests per second that a crawl can exceed."""
        return log_uniform(self.rng, 0.3, max(0.4, min(fastest, self.reach())))

    def reach(self) -> float:
        """Return the largest rate of a limit that is met."""
        return BUSY * PLACES / (self.trip * (1.0 + self.jitter))

    def pages(self, each: float, quota: float = 0.0) -> int:
        """Draw the number of pages: some windows, and some seconds at least."""
        pages = self.rng.uniform(2.5, 8.0) * quota if quota else self.rng.uniform(60.0, 400.0)
        return max(FEWEST, min(MOST, int(max(pages, SHORTEST / each))))

    def words(self, statuses: Sequence[int] = (429, 429, 429, 503), *, waits: float = 0.3) -> dict[str, Any]:
        """Draw status and words of refusals, and whether they say how long to wait."""
        media, body = self.rng.choice(WORDS)
        return {
            "status": self.rng.choice(statuses),
            "type": media,
            "body": body,
            "refuses": self.rng.choice(WAITS) if self.rng.random() < waits else nothing,
        }

    def window(self, kind: str = "", *, longest: float = 3600.0, lengths: Sequence[float] = LENGTHS) -> dict[str, Any]:
        """Draw a window of a kind, by default of any kind, with the pages that suit it."""
        kind = kind or self.rng.choice(tuple(WINDOWS))
        length = self.length(longest, lengths=lengths)
        quota = self.quota(length)
        return {"limits": WINDOWS[kind](quota, length), "pages": self.pages(length / quota, quota)}

    def silent_window(
        self, kind: str = "", *, longest: float = 3600.0, lengths: Sequence[float] = LENGTHS
    ) -> dict[str, Any]:
        """Draw a window that refuses without saying what it is."""
        words = self.words()
        longest = min(longest, PATIENT if words["status"] == 503 else longest)
        return self.window(kind, longest=longest, lengths=lengths) | words

    def bucket(self, least: float, most: float) -> dict[str, Any]:
        """Draw a bucket of tokens with a size between two bounds."""
        rate, size = self.rate(), round(log_uniform(self.rng, least, most))
        return {"limits": bucket(size, rate), "pages": self.pages(1.0 / rate, 1.5 * size) + size}

    def declares(self) -> tuple[Fields, bool]:
        """Draw one of the usual sets of fields that declare a limit, and whether it is clear when units return."""
        prefix, by = self.rng.choice(PREFIXES), self.rng.choice(RESETS)
        is_clear = by not in UNCLEAR
        return self.rng.choice(
            [
                (legacy(by, prefix), is_clear),
                (legacy(by, prefix), is_clear),
                (legacy(by, prefix), is_clear),
                (legacy(seconds, "RateLimit-"), True),
                (fields(f"{prefix}Limit", f"{prefix}Remaining"), False),
                (fields("", f"{prefix}Remaining", f"{prefix}Reset", by=by), is_clear),
                (lambda answer: draft6(answer, answer.limits[0]), True),
                (draft8("default"), True),
                (draft8("default", state=False), True),
            ]
        )

    def declared(self, says: Fields | None = None, kind: Kind = "declared", **values: Any) -> dict[str, Any]:
        """Return a server that declares its limit, by a clock that half of the servers have wrong, and a ``Date``."""
        drawn, is_enough = self.declares()
        return {
            "kind": kind if is_enough or says is not None or kind != "declared" else "in part",
            "says": together(date, says or drawn),
            "clock": self.rng.choice((0.0, self.rng.uniform(-MAX_SKEW, MAX_SKEW))),
            "refuses": retry_after if self.rng.random() < 0.5 else nothing,
        } | values


def nothing(answer: Answer) -> dict[str, str]:
    """State nothing."""
    return {}


def retry_after_date(answer: Answer) -> dict[str, str]:
    """State the wait as a date."""
    return date(answer) | {"Retry-After": http_date(answer, answer.wait)}


WAITS: Final[Sequence[Fields]] = (retry_after, retry_after, retry_after, retry_after_date)
"""Ways to state how long to wait, as often as they are likely."""


def seconds_down(answer: Answer, reset: float) -> str:
    """State a reset as seconds from now, rounded down."""
    return str(int(reset))


def epoch_down(answer: Answer, reset: float) -> str:
    """State a reset as seconds since the epoch, rounded down."""
    return str(int(answer.now + reset))


def a_day_ahead(answer: Answer, reset: float) -> str:
    """State a reset in seconds since the epoch that is a day late, as by a wrong time zone or the wrong window."""
    return str(math.ceil(answer.now + reset + DAY))


EPOCHS: Final[Sequence[Stated]] = (epoch, epoch, epoch_down, epoch_ms, second_late, http_date, iso)
"""Formats of resets that need a clock."""
RESETS: Final[Sequence[Stated]] = (*EPOCHS, seconds, seconds, seconds_down, decimals, go_duration, milliseconds)
"""Formats of resets, as often as they are likely."""
UNCLEAR: Final = (seconds_down, epoch_down, milliseconds)
"""Those by which a client is early, or waits a thousand times as long, until it has seen several."""
PREFIXES: Final = ("X-RateLimit-", "X-RateLimit-", "X-Rate-Limit-", "X-RateLimit-Requests-")

Family = Callable[[Draw], dict[str, Any]]
FAMILIES: Final[dict[str, Family]] = {}
"""The families: functions that return the arguments of a `FamilyServer`."""


def family(name: str) -> Callable[[Family], Family]:
    """Add a family."""

    def add(made: Family) -> Family:
        FAMILIES[name] = made
        return made

    return add


def draw(name: str, seed: int, of: Mapping[str, Family] = FAMILIES) -> FamilyServer:
    """Return the server of a family and a seed."""
    one = Draw(name, seed)
    begin = EPOCH + one.rng.uniform(0.0, DAY)
    drawn = of[name](one)  # some draw a longer round trip than others
    usual: dict[str, Any] = {"trip": one.trip, "jitter": one.jitter, "travel": one.travel, "begin": begin}
    return FamilyServer(family=name, seed=seed, **usual | drawn)


# ---- silent: one counter ---------------------------------------------------------------------------------------------


@family("fixed")
def _fixed(one: Draw) -> dict[str, Any]:
    return one.silent_window("fixed")


@family("aligned")
def _aligned(one: Draw) -> dict[str, Any]:
    return one.silent_window("aligned")


@family("sliding log")
def _sliding(one: Draw) -> dict[str, Any]:
    return one.silent_window("sliding")


@family("sliding counter")
def _counter(one: Draw) -> dict[str, Any]:
    return one.silent_window("counter")


@family("odd window")
def _odd(one: Draw) -> dict[str, Any]:
    return one.silent_window(one.rng.choice(("fixed", "aligned", "sliding")), lengths=ODD)


@family("partly used window")
def _used(one: Draw) -> dict[str, Any]:
    found = one.words()
    length = one.length(PATIENT, 5.0)
    quota = one.quota(length)
    return {
        "limits": WINDOWS[one.rng.choice(("fixed", "fixed", "sliding"))](quota, length),
        "pages": one.pages(length / quota, quota),
        "used": int(quota * one.rng.uniform(0.3, 1.0)),
        "used_before": length * one.rng.uniform(0.1, 0.9),
    } | found


@family("window that refusals restart")
def _restarted(one: Draw) -> dict[str, Any]:
    length, by_all = one.length(300.0, 5.0), one.rng.random() < 0.2
    quota = one.quota(length)
    return {
        "limits": lambda rng: [RestartedWindow(quota=quota, window=length, by_all=by_all)],
        "pages": one.pages(length / quota, quota),
    } | one.words((429,))


@family("refusals count")
def _refused_count(one: Draw) -> dict[str, Any]:
    length = one.length(300.0)
    quota = one.quota(length)
    return {
        "limits": sliding(quota, length, counts_refused=True),
        "pages": one.pages(length / quota, quota),
    } | one.words()


@family("small bucket")
def _small_bucket(one: Draw) -> dict[str, Any]:
    return one.bucket(2.0, 15.0) | one.words()


@family("large bucket")
def _large_bucket(one: Draw) -> dict[str, Any]:
    return one.bucket(20.0, 150.0) | one.words()


@family("bucket filled in batches")
def _batches(one: Draw) -> dict[str, Any]:
    length = one.length(300.0)
    units = one.quota(length)
    size = round(units * one.rng.uniform(1.0, 4.0))
    return {
        "limits": lambda rng: [BatchBucket(quota=size, window=length, units=units)],
        "pages": one.pages(length / units, units) + size,
    } | one.words()


@family("GCRA")
def _gcra(one: Draw) -> dict[str, Any]:
    return one.bucket(1.0, 1.0) | one.words()


@family("GCRA with a burst")
def _gcra_burst(one: Draw) -> dict[str, Any]:
    return one.bucket(2.0, 6.0) | one.words((429, 503))


# ---- silent: other kinds of limits -----------------------------------------------------------------------------------


@family("concurrency")
def _concurrency(one: Draw) -> dict[str, Any]:
    one.travel = 0.05
    one.trip = max(one.trip, 0.05)
    most = one.rng.randint(1, 7)
    return {
        "limits": lambda rng: [],
        "at_once": most,
        "pages": one.pages(one.trip * (1 + one.jitter) / most),
    } | one.words((429, 503), waits=0.15)


@family("concurrency and a window")
def _concurrency_window(one: Draw) -> dict[str, Any]:
    one.travel = 0.05
    one.trip = max(one.trip, 0.05)
    return one.silent_window(longest=300.0) | {"at_once": one.rng.randint(2, 6)}


@family("two tiers")
def _tiers(one: Draw) -> dict[str, Any]:
    return one.words((429,)) | _two_windows(one)


def _two_windows(one: Draw) -> dict[str, Any]:
    """Draw a short window, and a long one that allows less for long."""
    short = one.length(10.0)
    long = one.length(900.0, 6.0 * short)
    few = one.quota(short, 30.0)
    many = max(few + 1, min(400, round(few * long / short * one.rng.uniform(0.2, 0.7))))
    kind = WINDOWS[one.rng.choice(("fixed", "aligned", "sliding"))]
    pages = max(FEWEST, min(MOST, int(many * one.rng.uniform(1.5, 4.0))))
    return {"limits": both(kind(few, short), kind(many, long)), "pages": pages}


@family("paths with limits of their own")
def _paths(one: Draw) -> dict[str, Any]:
    count = one.rng.randint(2, 4)
    limited = one.rng.randint(1, count)
    length = one.length(120.0, 5.0)
    quota = one.quota(length, 60.0)

    def limits(rng: random.Random) -> list[Paths]:
        windows = [fixed(quota, length)(rng)[0] for _ in range(limited)]
        return [Paths(inner=[*windows, *[None] * (count - limited)])]

    return {"limits": limits, "paths": count, "pages": one.pages(length / quota, quota * count)} | one.words((429,))


@family("nodes with a counter each")
def _nodes(one: Draw) -> dict[str, Any]:
    return one.words((429, 429, 503)) | _several_nodes(one)


def _several_nodes(one: Draw) -> dict[str, Any]:
    count, takes_turns = one.rng.randint(2, 5), one.rng.random() < 0.4
    length = one.length(300.0, 2.0)
    quota = max(2, one.quota(length, 60.0) // count)
    kind = WINDOWS[one.rng.choice(("fixed", "sliding"))]

    def limits(rng: random.Random) -> list[Nodes]:
        return [Nodes(inner=[kind(quota, length)(rng)[0] for _ in range(count)], rng=None if takes_turns else rng)]

    return {"limits": limits, "pages": one.pages(length / quota / count, quota * count)}


@family("other clients")
def _others(one: Draw) -> dict[str, Any]:
    return one.words((429,)) | _shared(one)


def _shared(one: Draw) -> dict[str, Any]:
    length = one.length(600.0, 10.0)
    quota = max(10, one.quota(length))
    share = one.rng.uniform(0.1, 0.6)
    return {
        "limits": WINDOWS[one.rng.choice(("fixed", "aligned", "sliding"))](quota, length),
        "others": share * quota / length,
        "pages": one.pages(length / quota, quota * (1 - share)),
    }


@family("costs")
def _costs(one: Draw) -> dict[str, Any]:
    return one.words((429,)) | _points(one)


def _points(one: Draw) -> dict[str, Any]:
    length, most = one.length(300.0, 5.0), one.rng.choice((3, 5, 10))
    quota = max(3 * most, one.quota(length) * (most + 1) // 2)
    return {
        "limits": priced(quota, length),
        "costs": most,
        "pages": one.pages(length * most / 2 / quota, quota / ((most + 1) / 2)),
    }


@family("changes over the day")
def _changes(one: Draw) -> dict[str, Any]:
    return one.words() | _changed(one)


def _changed(one: Draw) -> dict[str, Any]:
    length = one.length(300.0, 2.0)
    quota = max(6, one.quota(length, 60.0))
    factors = one.rng.choice(((0.33,), (3.0,), (0.33, 2.0), (2.0, 0.5)))
    at = [length * one.rng.uniform(2.0, 4.0) * (number + 1) for number in range(len(factors))]
    changes = [(after, max(2, round(quota * factor))) for after, factor in zip(at, factors, strict=True)]
    return {"limits": changing(quota, length, *changes), "pages": one.pages(length / quota, 1.5 * quota)}


@family("queue")
def _queue(one: Draw) -> dict[str, Any]:
    """As nginx with a burst and without `nodelay`: requests wait in a queue, and are refused when it is full."""
    rate, size = one.rate(), one.rng.randint(1, 6)
    return {"limits": bucket(size, rate, queues=True), "pages": one.pages(1.0 / rate)} | one.words((429, 503))


def _many(one: Draw, longest: float) -> dict[str, Any]:
    """Draw a window of which many requests are served before a 403, which is thus not that of its page."""
    length = one.length(longest, 10.0)
    quota = max(20, one.quota(length))
    return {
        "limits": WINDOWS[one.rng.choice(("fixed", "aligned", "sliding"))](quota, length),
        "pages": one.pages(length / quota, quota),
    }


@family("forbidden")
def _forbidden(one: Draw) -> dict[str, Any]:
    """A window that refuses with 403, with words about it or bare."""
    media, body = one.rng.choice(FORBIDDEN)
    found = _many(one, 600.0) | {"status": 403, "type": media, "body": body}
    return found | {"refuses": retry_after if one.rng.random() < 0.2 else nothing}


@family("firewall")
def _firewall(one: Draw) -> dict[str, Any]:
    """A rate that nobody states, and 403 for minutes after it is exceeded once."""
    media, body = one.rng.choice(FORBIDDEN)
    block = Punishment(seconds=one.rng.choice((60.0, 300.0, 600.0)), extends=one.rng.random() < 0.3)
    return _many(one, 60.0) | {"status": 403, "type": media, "body": body, "punishment": block}


# ---- silent: penalties -----------------------------------------------------------------------------------------------


@family("block for a time")
def _block(one: Draw) -> dict[str, Any]:
    found = one.silent_window(one.rng.choice(("fixed", "sliding")), longest=60.0)
    return found | {"punishment": Punishment(seconds=one.length(600.0, 10.0), doubles=one.rng.random() < 0.2)}


@family("box that each request extends")
def _box(one: Draw) -> dict[str, Any]:
    found = one.silent_window(one.rng.choice(("fixed", "sliding")), longest=60.0)
    box = Punishment(seconds=one.length(300.0, 5.0), extends=True, after=one.rng.choice((1, 1, 3)))
    return found | {"punishment": box}


@family("ban")
def _ban(one: Draw) -> dict[str, Any]:
    """Some 429s, then 403 for minutes, whatever is asked."""
    found = one.window(one.rng.choice(("fixed", "sliding")), longest=60.0) | one.words((429,))
    media, body = one.rng.choice(FORBIDDEN)
    ban = Punishment(
        seconds=one.rng.choice((300.0, 600.0, 600.0, 1800.0)),
        after=one.rng.randint(3, 10),
        status=403,
        body=body,
        says_wait=False,
    )
    return found | {"punishment": ban, "type": media}


# ---- silent: at random -----------------------------------------------------------------------------------------------


def _at_random(one: Draw, status: int) -> dict[str, Any]:
    share = log_uniform(one.rng, 0.01, 0.15)
    one.trip = max(one.trip, 0.05)
    return {
        "limits": lambda rng: [],
        "faults": lambda after: share,
        "fault_status": status,
        "kind": "random",
        "pages": min(MOST_FREE, int(SHORTEST * PLACES / one.trip)),
    }


@family("429 at random")
def _random_429(one: Draw) -> dict[str, Any]:
    return _at_random(one, 429)


@family("503 at random")
def _random_503(one: Draw) -> dict[str, Any]:
    return _at_random(one, 503)


@family("a window, and 429 at random")
def _random_window(one: Draw) -> dict[str, Any]:
    share = log_uniform(one.rng, 0.01, 0.05)
    found = one.silent_window(longest=300.0)
    return found | {"faults": lambda after: share, "fault_status": found["status"], "kind": "random"}


@family("storm, then calm")
def _storm(one: Draw) -> dict[str, Any]:
    begin, length = one.rng.uniform(1.0, 10.0), log_uniform(one.rng, 3.0, 60.0)
    one.trip = max(one.trip, 0.05)
    share = one.rng.choice((1.0, 1.0, 0.9, 0.7))
    return {
        "limits": lambda rng: [],
        "faults": lambda after: share if begin <= after < begin + length else 0.0,
        "fault_status": one.rng.choice((429, 429, 503)),
        "kind": "random",
        "pages": min(MOST_FREE, int((begin + 10.0) * PLACES / one.trip)),
    }


# ---- lies ------------------------------------------------------------------------------------------------------------


@family("Retry-After far too long")
def _too_long(one: Draw) -> dict[str, Any]:
    length = one.length(60.0)
    quota = one.quota(length, MOST / WINDOWS_OF_LIES)
    wait = math.ceil(length * log_uniform(one.rng, 10.0, 60.0))
    window = WINDOWS[one.rng.choice(tuple(WINDOWS))](quota, length)
    pages = max(FEWEST, quota * WINDOWS_OF_LIES)
    return one.words((429,)) | {
        "limits": window,
        "pages": pages,
        "kind": "wrong",
        "refuses": constant(Retry_After=str(wait)),
    }


@family("Retry-After too short")
def _too_short(one: Draw) -> dict[str, Any]:
    found = one.silent_window(longest=300.0)
    return found | {"refuses": constant(Retry_After=one.rng.choice(("0", "1", "1", "2"))), "kind": "in part"}


@family("stated reset a day ahead")
def _day_ahead(one: Draw) -> dict[str, Any]:
    length = one.length(60.0, 10.0)
    quota = one.quota(length, MOST / WINDOWS_OF_LIES)
    says = legacy(a_day_ahead, one.rng.choice(PREFIXES))
    pages = max(FEWEST, quota * WINDOWS_OF_LIES)
    return one.declared(says, "wrong", limits=fixed(quota, length), pages=pages) | {"refuses": nothing}


@family("clock off, without Date")
def _no_date(one: Draw) -> dict[str, Any]:
    says = legacy(one.rng.choice(EPOCHS), one.rng.choice(PREFIXES))
    values = one.declared(says, "in part", **one.window(one.rng.choice(("fixed", "aligned")), longest=600.0))
    return values | {"says": says, "clock": one.rng.choice((-1, 1)) * one.rng.uniform(5.0, 2.0 * MAX_SKEW)}


# ---- declared --------------------------------------------------------------------------------------------------------


@family("declared fixed")
def _declared_fixed(one: Draw) -> dict[str, Any]:
    return one.declared(**one.window("fixed"))


@family("declared aligned")
def _declared_aligned(one: Draw) -> dict[str, Any]:
    return one.declared(**one.window("aligned"))


@family("declared sliding log")
def _declared_sliding(one: Draw) -> dict[str, Any]:
    return one.declared(**one.window("sliding"))


@family("declared sliding counter")
def _declared_counter(one: Draw) -> dict[str, Any]:
    """The stated reset is the end of a window, and units are restored during the next one."""
    return one.declared(kind="in part", **one.window("counter"))


@family("declared bucket")
def _declared_bucket(one: Draw) -> dict[str, Any]:
    length, to_full = one.length(120.0), one.rng.random() < 0.6
    size = one.quota(length)
    limits = bucket(size, size / length, states_time_to_full=to_full)
    return one.declared(limits=limits, pages=one.pages(length / size, size) + size)


@family("declared tiers")
def _declared_tiers(one: Draw) -> dict[str, Any]:
    short = fields("X-RateLimit-Limit-short", "X-RateLimit-Remaining-short", "X-RateLimit-Reset-short", by=seconds)
    long = fields("X-RateLimit-Limit-long", "X-RateLimit-Remaining-long", "X-RateLimit-Reset-long", by=seconds, of=1)
    says = one.rng.choice((draft8("burst", "sustained"), together(short, long)))
    return one.declared(says, **_two_windows(one))


@family("declared tier over a silent one")
def _half_declared(one: Draw) -> dict[str, Any]:
    says = legacy(one.rng.choice(RESETS), of=one.rng.choice((0, 1)))
    return one.declared(says, "in part", **_two_windows(one)) | {"refuses": nothing}


@family("declared, partly used")
def _declared_used(one: Draw) -> dict[str, Any]:
    length = one.length(600.0, 5.0)
    quota = one.quota(length)
    by = one.rng.choice([by for by in RESETS if by not in UNCLEAR])
    return one.declared(
        legacy(by, one.rng.choice(PREFIXES)),
        limits=fixed(quota, length),
        pages=one.pages(length / quota, quota),
        used=int(quota * one.rng.uniform(0.3, 0.95)),
        used_before=length * one.rng.uniform(0.1, 0.9),
    )


@family("declared, with other clients")
def _declared_others(one: Draw) -> dict[str, Any]:
    return one.declared(kind="in part", **_shared(one))


@family("declared by each node")
def _declared_nodes(one: Draw) -> dict[str, Any]:
    return one.declared(kind="in part", **_several_nodes(one))


@family("declared points")
def _declared_points(one: Draw) -> dict[str, Any]:
    """What a page costs is seen when it is served."""
    return one.declared(kind="in part", **_points(one))


@family("declared, changes over the day")
def _declared_changes(one: Draw) -> dict[str, Any]:
    return one.declared(kind="in part", **_changed(one))


@family("declared when nothing is left")
def _declared_empty(one: Draw) -> dict[str, Any]:
    says = only_empty(legacy(one.rng.choice(RESETS)))
    return one.declared(says, "in part", **one.window(one.rng.choice(("fixed", "aligned", "sliding"))))


@family("declared in refusals")
def _declared_in_refusals(one: Draw) -> dict[str, Any]:
    says = legacy(one.rng.choice(RESETS), one.rng.choice(PREFIXES))
    return one.declared(says, "in part", **one.window()) | {"says": nothing, "refuses": together(date, says)}
