"""Rate-limit header fields as sent on the wire, and the limits that they declare: a row per dialect and pitfall."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.limits.headers.declared import Declared, Observation, TimeRange

__all__ = ["DATE", "NOW", "RECEIVED", "SENT", "VECTORS", "exact", "fields", "on", "seconds"]

NOW = 1767225600.0
"""Thu, 01 Jan 2026 00:00:00 GMT, the `Date` of every response, in seconds since the epoch."""
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
SENT, RECEIVED = NOW + 0.25, NOW + 0.5

Row = tuple[str, int, str, Declared]
"""Name, status, header fields separated by ``|``, and the declared limits."""


def seconds(t: float, step: float = 1.0) -> TimeRange:
    """Return the range of a wait that was rounded up to a multiple of `step`."""
    return max(SENT, SENT + t - step), RECEIVED + t


def exact(t: float) -> TimeRange:
    """Return the range of a wait that was not rounded."""
    return SENT + t, RECEIVED + t


def on(t: float, early: float = 1.0, late: float = 0.0) -> TimeRange:
    """Return the range of a date `t` seconds after the response's, rounded up by `early` or truncated by `late`."""
    return max(SENT, SENT + t - 1 - early), RECEIVED + t + late


def fields(text: str) -> list[tuple[str, str]]:
    """Return the fields of a row and its `Date`, as pairs of name and value."""
    lines = [line.strip() for line in text.split("|") if line.strip()]
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return [*pairs, ("Date", DATE)]


def p(
    policy: str,
    limit: float | None = None,
    remaining: float | None = None,
    reset: TimeRange | None = None,
    *,
    window: float | None = None,
    rate: float | None = None,
    unit: str = "requests",
    unusable: bool = False,
    has_id: bool = False,
) -> Observation:
    """Return an observation of a policy."""
    return Observation(
        policy=policy,
        limit=limit,
        remaining=remaining,
        reset=reset,
        unusable_reset=unusable,
        window=window,
        rate=rate,
        unit=unit,
        has_id=has_id,
    )


def says(
    *observations: Observation,
    wait: float | None = None,
    concurrency: int | None = None,
    violated: Sequence[str] = (),
) -> Declared:
    """Return what a response declares: its observations, a wait, and a concurrency."""
    return Declared(observations=observations, retry_after=wait, concurrency=concurrency, violated=tuple(violated))


def row(name: str, status: int, fields: str, declared: Declared) -> Row:
    """Return a vector: its name, a response, and what the reader finds in it."""
    return name, status, fields, declared


DRAFT: list[Row] = [
    row("A: one limit", 200, "RateLimit-Limit: 100 | RateLimit-Remaining: 50 | RateLimit-Reset: 50",
        says(p("default", 100, 50, seconds(50)))),
    row("A: limit and its policy", 200, "RateLimit-Limit: 100, 100;w=10 | RateLimit-Remaining: 50 | RateLimit-Reset: 5",
        says(p("10s", 100, 50, seconds(5), window=10))),
    row("A: the limit reached first, and four policies", 200,
        "RateLimit-Limit: 10, 10;w=1, 50;w=60, 1000;w=3600, 5000;w=86400 | RateLimit-Remaining: 7 | RateLimit-Reset: 1",
        says(p("1s", 10, 7, seconds(1), window=1), p("60s", 50, window=60), p("3600s", 1000, window=3600),
             p("86400s", 5000, window=86400))),
    row("A: another policy is reached first", 200,
        "RateLimit-Limit: 50, 10;w=1, 50;w=60 | RateLimit-Remaining: 3 | RateLimit-Reset: 40",
        says(p("60s", 50, 3, seconds(40), window=60), p("1s", 10, window=1))),
    row("A: comments", 200,
        'RateLimit-Limit: 100, 100;w=60;burst=1000;comment="sliding window, see §3" | RateLimit-Remaining: 9',
        says(p("60s", 100, 9, window=60))),
    row("A: comments in ASCII", 200,
        'RateLimit-Limit: 100, 100;w=60;burst=1000;comment="a \\"b\\", c; d=1" | RateLimit-Remaining: 9',
        says(p("60s", 100, 9, window=60))),
    row("B: one policy", 200,
        "RateLimit-Limit: 100 | RateLimit-Policy: 100;w=10 | RateLimit-Remaining: 50 | RateLimit-Reset: 5",
        says(p("10s", 100, 50, seconds(5), window=10))),
    row("B: two policies", 200,
        "RateLimit-Policy: 10;w=1, 50;w=60 | RateLimit-Limit: 50 | RateLimit-Remaining: 20 | RateLimit-Reset: 33",
        says(p("60s", 50, 20, seconds(33), window=60), p("1s", 10, window=1))),
    row("B: policies on two lines", 200,
        "RateLimit-Policy: 10;w=1 | RateLimit-Policy: 50;w=60 | RateLimit-Limit: 10 | RateLimit-Remaining: 2",
        says(p("1s", 10, 2, window=1), p("60s", 50, window=60))),
    row("B: policies alone", 200, "RateLimit-Policy: 10;w=1, 50;w=60",
        says(p("1s", 10, window=1), p("60s", 50, window=60))),
    row("B: a limit of no policy", 200, "RateLimit-Policy: 10;w=1 | RateLimit-Limit: 33 | RateLimit-Remaining: 4",
        says(p("default", 33, 4), p("1s", 10, window=1))),
    row("C: dictionary", 200, "RateLimit: limit=100, remaining=50, reset=5", says(p("default", 100, 50, seconds(5)))),
    row("C: with its policy", 200, "RateLimit: limit=100, remaining=50, reset=5 | RateLimit-Policy: 100;w=10",
        says(p("10s", 100, 50, seconds(5), window=10))),
    row("C: remainder not stated", 200, "RateLimit: limit=10, reset=1",
        says(p("default", 10, None, seconds(1)))),
    row("C: a limit of 0", 200, "RateLimit: limit=0, reset=9", says(p("default", None, 0, seconds(9)))),
    row("C: on two lines", 200, "RateLimit: limit=100, remaining=50 | RateLimit: reset=5",
        says(p("default", 100, 50, seconds(5)))),
    row("D: one item", 200, 'RateLimit: "default";r=50;t=30', says(p("default", None, 50, seconds(30)))),
    row("D: item and its policy", 200, 'RateLimit: "burst";r=5;t=1 | RateLimit-Policy: "burst";q=10;w=1',
        says(p("burst", 10, 5, seconds(1), window=1))),
    row("D: two policies, one item", 200,
        'RateLimit: "daily";r=1;t=36000 | RateLimit-Policy: "burst";q=100;w=60,"daily";q=1000;w=86400',
        says(p("daily", 1000, 1, seconds(36000), window=86400), p("burst", 100, window=60))),
    row("D: two items", 200, 'RateLimit: "a";r=1;t=5, "b";r=2;t=50', says(p("a", None, 1, seconds(5)),
                                                                            p("b", None, 2, seconds(50)))),
    row("D: two lines of each", 200,
        'RateLimit: "a";r=1;t=5 | RateLimit: "b";r=2 | RateLimit-Policy: "a";q=4;w=9 | RateLimit-Policy: "b";q=5;w=99',
        says(p("a", 4, 1, seconds(5), window=9), p("b", 5, 2, window=99))),
    row("D: content-bytes, and a partition", 200,
        'RateLimit-Policy: "peruser";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==: | RateLimit: "peruser";r=9;t=3',
        says(p("peruser", 65535, 9, seconds(3), window=10, unit="content-bytes"))),
    row("D: bytes, the name in draft 08", 200,
        'RateLimit-Policy: "up";q=100;qu="bytes" | RateLimit: "up";r=9', says(p("up", 100, 9, unit="content-bytes"))),
    row("D: concurrent requests are not a quota", 200,
        'RateLimit-Policy: "open";q=4;qu="concurrent-requests", "a";q=9;w=1 | RateLimit: "open";r=1, "a";r=8',
        says(p("a", 9, 8, window=1), concurrency=4)),
    row("D: tokens as names", 200, "RateLimit-Policy: quota;q=10;w=5 | RateLimit: quota;r=3;t=2",
        says(p("quota", 10, 3, seconds(2), window=5))),
    row("D: unknown parameters, any case, spaces", 200,
        'Ratelimit-Policy: "d" ; q=10 ; W=60;new=?1;flag | ratelimit:  "d" ;x="y;r=0"; r=3; t=2',
        says(p("d", 10, 3, seconds(2), window=60))),
    row("D: a malformed list is ignored as a whole", 200, 'RateLimit: "a";r=1;t=5, "b;r=2', says()),
    row("D: an item without r", 200, 'RateLimit: "a";t=5', says()),
    row("D: r is not a number", 200, 'RateLimit: "a";r=many;t=5', says()),
    row("D: beside the old names of the same policy", 200,
        'X-RateLimit-Limit: 10 | X-RateLimit-Remaining: 4 | RateLimit: "d";r=4;t=2 | RateLimit-Policy: "d";q=10;w=60',
        says(p("d", 10, 4, seconds(2), window=60))),
    row("D: without a name", 200, 'RateLimit: "";r=3;t=2 | RateLimit-Policy: "";q=10;w=60', says()),
    row("D: a negative remainder is 0", 429, 'RateLimit: "d";r=-2;t=2', says(p("d", None, 0, seconds(2)))),
]  # fmt: skip

GENERIC: list[Row] = [
    row("x-ratelimit with seconds", 200, "X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 19 | X-RateLimit-Reset: 5",
        says(p("default", 20, 19, seconds(5)))),
    row("x-rate-limit with an epoch", 200,
        "X-Rate-Limit-Limit: 20 | X-Rate-Limit-Remaining: 19 | X-Rate-Limit-Reset: 1767225630",
        says(p("default", 20, 19, on(30)))),
    row("x-ratelimit with epoch ms", 200,
        "X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 19 | X-RateLimit-Reset: 1767225630500",
        says(p("default", 20, 19, on(30.5, 0.001)))),
    row("underscores", 200, "X_RateLimit_Limit: 20 | X_RateLimit_Remaining: 3", says(p("default", 20, 3))),
    row("a limit alone", 200, "X-RateLimit-Limit: 20", says(p("default", 20))),
    row("remaining alone", 200, "X-RateLimit-Remaining: 20", says(p("default", None, 20))),
    row("two families, one policy, two spellings of one reset", 200,
        "X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 19 | X-RateLimit-Reset: 1767225605 | "
        "RateLimit-Limit: 20 | RateLimit-Remaining: 19 | RateLimit-Reset: 5",
        says(p("default", 20, 19, seconds(5)))),
    row("two families, two policies", 200,
        "RateLimit-Limit: 1000 | RateLimit-Remaining: 900 | X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 19",
        says(p("default", 1000, 900), p("x-ratelimit-default", 20, 19))),
    row("doubled lines", 200, "X-RateLimit-Remaining: 2 | X-RateLimit-Remaining: 2 | X-RateLimit-Limit: 9",
        says(p("default", 9, 2))),
    row("joined doubles", 200, "X-RateLimit-Remaining: 2, 2 | X-RateLimit-Limit: 9, 9 | X-RateLimit-Reset: 7, 7",
        says(p("default", 9, 2, seconds(7)))),
    row("two policies under one name: the smallest remainder counts", 200,
        "X-RateLimit-Limit: 100 | X-RateLimit-Limit: 5 | X-RateLimit-Remaining: 90 | X-RateLimit-Remaining: 1",
        says(p("default", 5, 1))),
    row("reset-after is preferred", 200,
        "X-RateLimit-Remaining: 2 | X-RateLimit-Reset: 99 | X-RateLimit-Reset-After: 3",
        says(p("default", None, 2, seconds(3)))),
    row("milliseconds by name", 200, "X-RateLimit-Remaining: 2 | X-RateLimit-Reset-Ms: 2500",
        says(p("default", None, 2, seconds(2.5, 0.001)))),
    row("milliseconds, because seconds would exceed the window", 200,
        "X-RateLimit-Limit-Minute: 9 | X-RateLimit-Remaining-Minute: 2 | X-RateLimit-Reset-Minute: 41000",
        says(p("minute", 9, 2, seconds(41, 0.001), window=60))),
    row("used instead of remaining", 200, "X-RateLimit-Limit: 10 | X-RateLimit-Used: 4", says(p("default", 10, 6))),
    row("windows in names", 200,
        "X-RateLimit-Limit-24h: 9 | X-RateLimit-Remaining-24h: 2 | X-RateLimit-Limit-Month: 99",
        says(p("24h", 9, 2, window=86400), p("month", 99))),
    row("per second", 200, "X-RateLimit-Limit-Per-Second: 9 | X-RateLimit-Remaining-Per-Second: 2",
        says(p("second", 9, 2, window=1))),
    row("words without spaces", 200, "X-RateLimit-ClientLimit: 12500 | X-RateLimit-ClientRemaining: 12499",
        says(p("client", 12500, 12499))),
    row("a daily limit in one word", 200, "RateLimit-DailyLimit: 500 | RateLimit-DailyRemaining: 400",
        says(p("daily", 500, 400, window=86400))),
    row("an interval", 200, "X-Rate-Limit-Limit: 600 | X-Rate-Limit-Interval: 60 | X-Rate-Limit-Remaining: 5",
        says(p("default", 600, 5, window=60))),
    row("a daily limit and its remainder apart", 200, "RateLimit-DailyLimit: 500 | RateLimit-Remaining: 499",
        says(p("default", 500, 499, window=86400))),
    row("a limit and its window in one value", 200, "X-RateLimit-Limit: 100 per minute | X-RateLimit-Remaining: 9",
        says(p("default", 100, 9, window=60))),
    row("what the request itself has used", 200,
        "X-RateLimit-Limit: 150/15m | X-RateLimit-Remaining: 142 | X-RateLimit-Used: 2",
        says(p("default", 75, 71, window=900))),
    row("a use that lags behind", 200, "X-RateLimit-Limit: 150 | X-RateLimit-Remaining: 142 | X-RateLimit-Used: 5",
        says(p("default", 150, 142))),
    row("a window of no length", 200, "X-App-Rate-Limit: 20:0 | X-App-Rate-Limit-Count: 1:0", says()),
    row("a ratio", 200, "X-Acme-Api-Call-Limit: 5/60", says(p("acme", 60, 55))),
    row("values that are not numbers", 200,
        "X-RateLimit-Limit: many | X-RateLimit-Remaining: ∞ | X-RateLimit-Reset: soon",
        says()),
    row("unknown words of the family", 200, "X-RateLimit-Type: 3 | X-RateLimit-Cost: 1 | X-RateLimit-Version: 2",
        says()),
    row("limits of something else", 200, "X-Page-Limit: 20 | Content-Limit: 9 | X-Total-Count: 7 | X-Preset: 9",
        says()),
]  # fmt: skip

VENDORS: list[Row] = [
    row("GitHub: core", 200,
        "x-ratelimit-limit: 60 | x-ratelimit-remaining: 59 | x-ratelimit-reset: 1767229200 | x-ratelimit-used: 1 | "
        "x-ratelimit-resource: core", says(p("core", 60, 59, on(3600)))),
    row("GitHub: search", 200,
        "x-ratelimit-limit: 10 | x-ratelimit-remaining: 9 | x-ratelimit-reset: 1767225660 | x-ratelimit-used: 1 | "
        "x-ratelimit-resource: search", says(p("search", 10, 9, on(60)))),
    row("GitHub: the primary limit", 403,
        "x-ratelimit-limit: 60 | x-ratelimit-remaining: 0 | x-ratelimit-reset: 1767229200 | x-ratelimit-used: 60 | "
        "x-ratelimit-resource: core", says(p("core", 60, 0, on(3600)))),
    row("GitHub: a secondary limit with some left", 403,
        "x-ratelimit-limit: 30 | x-ratelimit-remaining: 14 | x-ratelimit-resource: search | retry-after: 60",
        says(p("search", 30, 14), wait=60)),
    row("GitLab: epoch under the draft's name", 429,
        "RateLimit-Limit: 60 | RateLimit-Name: throttle_authenticated_web | RateLimit-Observed: 67 | "
        "RateLimit-Remaining: 0 | RateLimit-Reset: 1767225630 | "
        "RateLimit-ResetTime: Thu, 01 Jan 2026 00:00:30 GMT | Retry-After: 30",
        says(p("throttle_authenticated_web", 60, 0, on(30)), wait=30)),
    row("DigitalOcean, Twitch", 200,
        "ratelimit-limit: 5000 | ratelimit-remaining: 4816 | ratelimit-reset: 1767227433",
        says(p("default", 5000, 4816, on(1833)))),
    row("X: two windows", 200,
        "x-rate-limit-limit: 180 | x-rate-limit-remaining: 179 | x-rate-limit-reset: 1767226500 | "
        "x-app-limit-24hour-limit: 5000 | x-app-limit-24hour-remaining: 4999 | x-app-limit-24hour-reset: 1767312000 | "
        "x-user-limit-24hour-limit: 100 | x-user-limit-24hour-remaining: 99 | x-user-limit-24hour-reset: 1767312000",
        says(p("default", 180, 179, on(900)), p("app-24hour", 5000, 4999, on(86400), window=86400),
             p("user-24hour", 100, 99, on(86400), window=86400))),
    row("X: enhance your calm", 420, "Retry-After: 60", says(wait=60)),
    row("Reddit", 200, "x-ratelimit-used: 43 | x-ratelimit-remaining: 57.0 | x-ratelimit-reset: 312",
        says(p("default", 100, 57, seconds(312)))),
    row("Discord", 200,
        "X-RateLimit-Limit: 5 | X-RateLimit-Remaining: 4 | X-RateLimit-Reset: 1767225664.570 | "
        "X-RateLimit-Reset-After: 64.570 | X-RateLimit-Bucket: abcd1234",
        says(p("abcd1234", 5, 4, exact(64.57), has_id=True))),
    row("Discord: a bucket is empty", 429,
        "X-RateLimit-Limit: 10 | X-RateLimit-Remaining: 0 | X-RateLimit-Reset: 1767225664.570 | "
        "X-RateLimit-Reset-After: 64.57 | X-RateLimit-Bucket: abcd1234 | X-RateLimit-Scope: user | Retry-After: 65",
        says(p("abcd1234", 10, 0, exact(64.57), has_id=True), wait=65, violated=["abcd1234"])),
    row("Discord: the global limit", 429, "Retry-After: 65 | X-RateLimit-Global: true | X-RateLimit-Scope: global",
        says(wait=65, violated=["global"])),
    row("Discord: other clients used it up", 429,
        "Retry-After: 1337 | X-RateLimit-Scope: shared | X-RateLimit-Limit: 10 | X-RateLimit-Remaining: 9 | "
        "X-RateLimit-Reset-After: 64.57 | X-RateLimit-Bucket: abcd",
        says(p("abcd", 10, 9, exact(64.57)), wait=1337, violated=["shared"])),
    row("Shopify", 200, "X-Shopify-Shop-Api-Call-Limit: 32/40", says(p("shop-api-call", 40, 8, rate=2))),
    row("Shopify Plus", 200, "X-Shopify-Shop-Api-Call-Limit: 1/400", says(p("shop-api-call", 400, 399, rate=20))),
    row("Shopify: full", 429, "X-Shopify-Shop-Api-Call-Limit: 40/40 | Retry-After: 2.0",
        says(p("shop-api-call", 40, 0, rate=2), wait=2)),
    row("Stripe", 429, "Stripe-Rate-Limited-Reason: endpoint-rate | Stripe-Should-Retry: true",
        says(violated=["endpoint-rate"])),
    row("Stripe: concurrency", 429, "Stripe-Rate-Limited-Reason: global-concurrency",
        says(violated=["global-concurrency"])),
    row("Slack, Notion, Polar", 429, "Retry-After: 30", says(wait=30)),
    row("Notion is overloaded", 529, "Retry-After: 30", says(wait=30)),
    row("Figma", 429, "Retry-After: 396156 | X-Figma-Rate-Limit-Type: low | X-Figma-Plan-Tier: starter",
        says(wait=396156)),
    row("OpenAI: two units; the reset is the time to full", 200,
        "x-ratelimit-limit-requests: 5000 | x-ratelimit-remaining-requests: 4999 | x-ratelimit-reset-requests: 12ms | "
        "x-ratelimit-limit-tokens: 160000 | x-ratelimit-remaining-tokens: 159976 | x-ratelimit-reset-tokens: 9ms",
        says(p("requests", 5000, 4999, unusable=True), p("tokens", 160000, 159976, rate=23 / 0.009, unit="tokens"))),
    row("OpenAI: nothing is left", 429,
        "x-ratelimit-limit-requests: 61 | x-ratelimit-remaining-requests: 0 | x-ratelimit-reset-requests: 1m0.0s | "
        "retry-after-ms: 1500 | retry-after: 2",
        says(p("requests", 61, 0, (SENT, RECEIVED + 1), rate=1), wait=2)),
    row("Azure OpenAI: unknown", 200,
        "x-ratelimit-limit-requests: -1 | x-ratelimit-remaining-requests: -1 | x-ratelimit-reset-requests: 0 | "
        "x-ratelimit-limit-tokens: -1 | x-ratelimit-remaining-tokens: -1 | x-ratelimit-reset-tokens: 0", says()),
    row("Anthropic: four policies, the reset is the time to full", 200,
        "anthropic-ratelimit-requests-limit: 50 | anthropic-ratelimit-requests-remaining: 39 | "
        "anthropic-ratelimit-requests-reset: 2026-01-01T00:00:20Z | "
        "anthropic-ratelimit-input-tokens-limit: 80000 | anthropic-ratelimit-input-tokens-remaining: 80000 | "
        "anthropic-ratelimit-input-tokens-reset: 2026-01-01T01:00:00+01:00 | "
        "anthropic-ratelimit-output-tokens-limit: 16000 | anthropic-ratelimit-output-tokens-remaining: 16000 | "
        "anthropic-ratelimit-tokens-remaining: 96000",
        says(p("anthropic-requests", 50, 39, rate=0.5),
             p("anthropic-input-tokens", 80000, 80000, unit="tokens", unusable=True),
             p("anthropic-output-tokens", 16000, 16000, unit="tokens"),
             p("anthropic-tokens", None, 96000, unit="tokens"))),
    row("Anthropic is overloaded", 529, "retry-after: 12 | x-should-retry: true", says(wait=12)),
    row("HubSpot: three windows and no reset", 200,
        "X-HubSpot-RateLimit-Daily: 250000 | X-HubSpot-RateLimit-Daily-Remaining: 249999 | "
        "X-HubSpot-RateLimit-Interval-Milliseconds: 10000 | X-HubSpot-RateLimit-Max: 100 | "
        "X-HubSpot-RateLimit-Remaining: 99 | X-HubSpot-RateLimit-Secondly: 10 | "
        "X-HubSpot-RateLimit-Secondly-Remaining: 9",
        says(p("hubspot-daily", 250000, 249999, window=86400), p("hubspot", 100, 99, window=10),
             p("hubspot-secondly", 10, 9, window=1))),
    row("Xero: words written as one, and no limit", 200,
        "X-MinLimit-Remaining: 59 | X-DayLimit-Remaining: 4999 | X-AppMinLimit-Remaining: 9999",
        says(p("min-limit", None, 59, window=60), p("day-limit", None, 4999, window=86400),
             p("appmin-limit", None, 9999))),
    row("Etsy", 200,
        "x-limit-per-second: 10 | x-remaining-this-second: 9 | x-limit-per-day: 10000 | x-remaining-today: 9998",
        says(p("second", None, 9, window=1), p("today", None, 9998, window=86400))),
    row("BigCommerce: fields without a name complete the one with a name", 200,
        "X-Rate-Limit-Requests-Left: 149 | X-Rate-Limit-Requests-Quota: 150 | X-Rate-Limit-Time-Reset-Ms: 15000 | "
        "X-Rate-Limit-Time-Window-Ms: 30000",
        says(p("requests", 150, 149, seconds(15, 0.001), window=30))),
    row("LaunchDarkly: a reset alone is that of the policy with the least left", 200,
        "X-Ratelimit-Global-Remaining: 99 | X-Ratelimit-Route-Remaining: 4 | X-Ratelimit-Reset: 1767225610000",
        says(p("global", None, 99), p("route", None, 4, on(10, 0.001)))),
    row("Composio: a duration as the size of a window", 200,
        "X-RateLimit: 100 | X-RateLimit-Remaining: 99 | X-RateLimit-Window-Size: 600s",
        says(p("default", 100, 99, window=600))),
    row("Frame.io: a window in milliseconds that does not say so", 200,
        "x-ratelimit-limit: 40 | x-ratelimit-remaining: 39 | x-ratelimit-window: 60000",
        says(p("default", 40, 39, window=60))),
    row("Lightspeed: a bucket with decimals, and its rate", 200,
        "X-LS-API-Bucket-Level: 59.5/180 | X-LS-API-Drip-Rate: 3",
        says(p("bucket", 180, 120.5, rate=3))),
    row("Amazon Selling Partner: a rate", 200, "x-amzn-RateLimit-Limit: 0.5", says(p("rate", rate=0.5))),
    row("Riot Games", 200, "X-App-Rate-Limit: 20:1,100:120 | X-App-Rate-Limit-Count: 3:1,9:120",
        says(p("app-1s", 20, 17, window=1), p("app-120s", 100, 91, window=120))),
    row("Upbit: what is left of two windows in one field", 200, "Remaining-Req: group=default; min=1800; sec=29",
        says(p("default-min", None, 1800, window=60), p("default-sec", None, 29, window=1))),
    row("Walmart", 200, "X-Current-Token-Count: 7 | X-Next-Replenishment-Time: 1767225660000",
        says(p("default", None, 7, on(60, early=0.001)))),
    row("Tradier", 200,
        "X-Ratelimit-Allowed: 120 | X-Ratelimit-Used: 1 | X-Ratelimit-Available: 119 | "
        "X-Ratelimit-Expiry: 1767225660000",
        says(p("default", 120, 119, on(60, early=0.001)))),
    row("Yelp", 200,
        "RateLimit-DailyLimit: 500 | RateLimit-Remaining: 499 | RateLimit-ResourceDailyLimit: 100 | "
        "RateLimit-ResourceRemaining: 99",
        says(p("default", 500, 499, window=86400), p("resource", 100, 99, window=86400))),
    row("CoinGlass", 200, "API-KEY-MAX-LIMIT: 80 | API-KEY-USE-LIMIT: 3", says(p("api-key", 80, 77))),
    row("Bybit", 200, "X-Bapi-Limit: 10 | X-Bapi-Limit-Status: 9", says(p("bapi", 10, 9))),
    row("Trello", 200,
        "x-rate-limit-api-key-interval-ms: 10000 | x-rate-limit-api-key-max: 300 | "
        "x-rate-limit-api-key-remaining: 295 | "
        "x-rate-limit-api-token-interval-ms: 10000 | x-rate-limit-api-token-max: 100 | "
        "x-rate-limit-api-token-remaining: 9",
        says(p("api-key", 300, 295, window=10), p("api-token", 100, 9, window=10))),
    row("Zendesk: two families of one policy", 200,
        "x-rate-limit: 700 | x-rate-limit-remaining: 699 | ratelimit-limit: 700 | ratelimit-remaining: 699 | "
        "ratelimit-reset: 41", says(p("default", 700, 699, seconds(41)))),
    row("Zendesk: an endpoint", 200, "zendesk-ratelimit-tickets-index: total=100; remaining=99; resets=41",
        says(p("zendesk-tickets-index", 100, 99, seconds(41)))),
    row("Atlassian: a minute without seconds", 200,
        "X-RateLimit-Limit: 350 | X-RateLimit-Remaining: 50 | X-RateLimit-Reset: 2026-01-01T00:02Z | "
        "X-RateLimit-NearLimit: true", says(p("default", 350, 50, on(120, 0, 60)))),
    row("Atlassian: refused", 429,
        "X-RateLimit-Limit: 350 | X-RateLimit-Remaining: 0 | X-RateLimit-Reset: 2026-01-01T00:02Z | Retry-After: 120 | "
        "RateLimit-Reason: jira-burst-based",
        says(p("default", 350, 0, on(120, 0, 60)), wait=120, violated=["jira-burst-based"])),
    row("Atlassian Data Center: a bucket and its fill rate", 200,
        "X-RateLimit-Limit: 50 | X-RateLimit-Remaining: 40 | X-RateLimit-FillRate: 10 | "
        "X-RateLimit-Interval-Seconds: 5 | "
        "retry-after: 0", says(p("default", 50, 40, rate=2))),
    row("Okta", 200, "X-Rate-Limit-Limit: 1200 | X-Rate-Limit-Remaining: 1199 | X-Rate-Limit-Reset: 1767225660",
        says(p("default", 1200, 1199, on(60)))),
    row("Okta: concurrency", 429,
        "X-Rate-Limit-Limit: 0 | X-Rate-Limit-Remaining: 0 | X-Rate-Limit-Reset: 1767225660",
        says(violated=["concurrency"])),
    row("Cloudflare", 200, 'Ratelimit: "default";r=50;t=30 | Ratelimit-Policy: "burst";q=100;w=60',
        says(p("default", None, 50, seconds(30)), p("burst", 100, window=60))),
    row("Cloudflare: refused", 429, 'Ratelimit: "default";r=0;t=300 | retry-after: 300',
        says(p("default", None, 0, seconds(300)), wait=300)),
    row("Linear: epoch ms, three policies", 200,
        "X-RateLimit-Requests-Limit: 1500 | X-RateLimit-Requests-Remaining: 1499 | "
        "X-RateLimit-Requests-Reset: 1767229200000"
        " | X-RateLimit-Endpoint-Requests-Limit: 60 | X-RateLimit-Endpoint-Requests-Remaining: 59 | "
        "X-RateLimit-Endpoint-Requests-Reset: 1767225660000 | X-RateLimit-Endpoint-Name: issueCreate | "
        "X-Complexity: 3 | "
        "X-RateLimit-Complexity-Limit: 250000 | X-RateLimit-Complexity-Remaining: 249000 | "
        "X-RateLimit-Complexity-Reset: 1767229200000",
        says(p("requests", 1500, 1499, on(3600, 0.001)), p("endpoint-requests", 60, 59, on(60, 0.001)),
             p("complexity", 250000, 249000, on(3600, 0.001), unit="points"))),
    row("Meta: percent", 200, 'X-App-Usage: {"call_count":28,"total_time":25,"total_cputime":31}',
        says(p("app-usage", 100, 69, unit="percent"))),
    row("Meta: by business, with minutes", 400,
        'X-Business-Use-Case-Usage: {"1049": [{"type":"ads_insights","call_count":100,"total_cputime":9,"total_time":9,'
        '"estimated_time_to_regain_access":19}, {"type":"pages","call_count":7,"total_cputime":0,"total_time":0,'
        '"estimated_time_to_regain_access":0}]}',
        says(p("business-use-case-usage-ads_insights", 100, 0, seconds(1140, 60), unit="percent"),
             p("business-use-case-usage-pages", 100, 93, unit="percent"))),
    row("Meta: malformed JSON", 200, "X-App-Usage: {", says()),
    row("Salesforce", 200, "Sforce-Limit-Info: api-usage=18/15000", says(p("api-usage", 15000, 14982, window=86400))),
    row("Salesforce: by application", 200,
        "Sforce-Limit-Info: api-usage=18/5000; per-app-api-usage=17/250(appName=sample-connected-app)",
        says(p("api-usage", 5000, 4982, window=86400), p("per-app-api-usage", 250, 233, window=86400))),
    row("Azure", 200, "x-ms-ratelimit-remaining-subscription-reads: 11999",
        says(p("ms-subscription-reads", None, 11999))),
    row("Azure: by resource", 200,
        "x-ms-ratelimit-remaining-resource: Microsoft.Compute/HighCostGet3Min;159,"
        "Microsoft.Compute/HighCostGet30Min;1259",
        says(p("Microsoft.Compute/HighCostGet3Min", None, 159), p("Microsoft.Compute/HighCostGet30Min", None, 1259))),
    row("Azure: polling", 202, "Retry-After: 15", says(wait=15)),
    row("Microsoft Graph", 429, "Retry-After: 10 | x-ms-throttle-limit-percentage: 0.8",
        says(p("throttle", 100, 20, unit="percent"), wait=10)),
    row("Microsoft Graph: above its limit", 429, "x-ms-throttle-limit-percentage: 1.8",
        says(p("throttle", 100, 0, unit="percent"))),
    row("SharePoint", 200, "RateLimit-Limit: 1200 | RateLimit-Remaining: 120 | RateLimit-Reset: 5",
        says(p("default", 1200, 120, seconds(5)))),
    row("Docker Hub", 200,
        "ratelimit-limit: 100;w=21600 | ratelimit-remaining: 76;w=21600 | docker-ratelimit-source: 192.0.2.1",
        says(p("21600s", 100, 76, window=21600))),
    row("Crossref", 200, "x-rate-limit-limit: 3 | x-rate-limit-interval: 1s | x-concurrency-limit: 3",
        says(p("default", 3, window=1), concurrency=3)),
    row("Contentful", 200,
        "x-contentful-ratelimit-hour-limit: 36000 | x-contentful-ratelimit-hour-remaining: 35883 | "
        "x-contentful-ratelimit-reset: 0 | x-contentful-ratelimit-second-limit: 10 | "
        "x-contentful-ratelimit-second-remaining: 9",
        says(p("contentful-hour", 36000, 35883, window=3600), p("contentful-second", 10, 9, window=1))),
    row("Contentful: refused", 429, "x-contentful-ratelimit-reset: 3",
        says(p("contentful", None, None, seconds(3)), wait=3)),
    row("Toggl", 200, "X-Toggl-Quota-Remaining: 29 | X-Toggl-Quota-Resets-In: 1800",
        says(p("toggl", None, 29, seconds(1800)))),
    row("Aircall", 200, "X-AircallApi-Limit: 60 | X-AircallApi-Remaining: 59 | X-AircallApi-Reset: 1767225660",
        says(p("aircallapi", 60, 59, on(60)))),
    row("CrowdStrike: an epoch to retry after", 429, "X-RateLimit-RetryAfter: 1767225642 | X-RateLimit-Limit: 15",
        says(p("default", 15), wait=42)),
    row("ShipBob", 429, "X-Remaining-Calls: 0 | X-Retry-After: 20", says(p("calls", None, 0), wait=20)),
    row("Addepar", 429, "X-RateLimit-Retry-After: 7", says(wait=7)),
    row("MediaWiki: maxlag with status 200", 200, "MediaWiki-API-Error: maxlag | Retry-After: 5 | X-Database-Lag: 8",
        says(wait=5, violated=["maxlag"])),
    row("MediaWiki: another error", 200, "MediaWiki-API-Error: badtoken | Retry-After: 5", says()),
    row("Mastodon", 200,
        "X-RateLimit-Limit: 300 | X-RateLimit-Remaining: 298 | X-RateLimit-Reset: 2026-01-01T00:05:00.123456Z",
        says(p("default", 300, 298, on(300.123456, 0)))),
    row("AWS: milliseconds", 503, "x-amz-retry-after: 1500", says(wait=1.5)),
    row("Azure OpenAI: milliseconds", 429, "retry-after-ms: 2500 | retry-after: 2", says(wait=2.5)),
    row("Kubernetes", 429, "Retry-After: 1 | X-Kubernetes-PF-FlowSchema-UID: 0c0b", says(wait=1)),
    row("Oracle: milliseconds", 429, "RequestLimit-Default-Remaining: 0 | RequestLimit-Default-RetryAfter: 30000",
        says(p("default", None, 0), wait=30)),
    row("LinkedIn", 429, "X-Li-Uuid: x", says()),
    row("Kong: a window in the name", 200,
        "RateLimit-Limit: 5 | RateLimit-Remaining: 4 | RateLimit-Reset: 41 | X-RateLimit-Limit-Minute: 5 | "
        "X-RateLimit-Remaining-Minute: 4 | X-RateLimit-Limit-Hour: 500 | X-RateLimit-Remaining-Hour: 400",
        says(p("minute", 5, 4, seconds(41), window=60), p("hour", 500, 400, window=3600))),
    row("Envoy: a reset of 0 while units are left", 200,
        "x-ratelimit-limit: 5 | x-ratelimit-remaining: 4 | x-ratelimit-reset: 0",
        says(p("default", 5, 4, unusable=True))),
    row("Envoy: nothing is left", 429, "x-ratelimit-limit: 5 | x-ratelimit-remaining: 0 | x-ratelimit-reset: 2",
        says(p("default", 5, 0, seconds(2)))),
    row("Envoy: the global service", 200,
        'x-ratelimit-limit: 10, 10;w=1;name="per-ip" | x-ratelimit-remaining: 9 | x-ratelimit-reset: 1',
        says(p("per-ip", 10, 9, seconds(1), window=1))),
    row("nginx, uvicorn", 503, "Connection: close", says()),
    row("HAProxy, configured by hand: negative", 429, "X-RateLimit-Limit: 20 | X-RateLimit-Remaining: -2",
        says(p("default", 20, 0))),
    row("Synapse", 429, "Retry-After: 2", says(wait=2)),
    row("Vercel, Resend: lower case", 200, "ratelimit-limit: 2 | ratelimit-policy: 2;w=1 | ratelimit-remaining: 1 | "
        "ratelimit-reset: 1", says(p("1s", 2, 1, seconds(1), window=1))),
]  # fmt: skip

WAITS: list[Row] = [
    row("a date", 503, "Retry-After: Thu, 01 Jan 2026 00:02:00 GMT", says(wait=120)),
    row("a date by RFC 850", 503, "Retry-After: Thursday, 01-Jan-26 00:02:00 GMT", says(wait=120)),
    row("a date by asctime", 503, "Retry-After: Thu Jan  1 00:02:00 2026", says(wait=120)),
    row("a date of JavaScript", 503, "Retry-After: Thu Jan 01 2026 00:02:00 GMT+0000 (Coordinated Universal Time)",
        says(wait=121)),
    row("a date in the past", 503, "Retry-After: Wed, 31 Dec 2025 00:00:00 GMT", says(wait=0)),
    row("two dates", 429, "Retry-After: Thu, 01 Jan 2026 00:02:00 GMT, Thu, 01 Jan 2026 00:03:00 GMT", says(wait=180)),
    row("a redirect", 301, "Retry-After: 3", says(wait=3)),
    row("too large", 413, "Retry-After: 3", says(wait=3)),
    row("a Go duration", 429, "Retry-After: 12.771204034s", says(wait=12.771204034)),
    row("an RFC 3339 date", 429, "X-Retry-After: 2026-01-01T00:00:07Z", says(wait=7)),
    row("the longest wait counts", 429, "Retry-After: 3 | X-Retry-After: 9 | Retry-After-Ms: 4000", says(wait=9)),
    row("a year at most", 429, "Retry-After: 99999999999", says(wait=366 * 86400)),
    row("negative", 429, "Retry-After: -1", says()),
    row("not a number", 429, "Retry-After: later", says()),
]  # fmt: skip

TRAPS: list[Row] = [
    row("1: Retry-After on a 200", 200, "Retry-After: 60 | X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 19",
        says(p("default", 20, 19))),
    row("2: decimals", 429, "Retry-After: 9.998", says(wait=9.998)),
    row("3: a date in the zone -0000", 429, "Retry-After: Thu, 01 Jan 2026 00:00:05 -0000", says(wait=5)),
    row("3: a reset in the zone -0000", 200,
        "X-RateLimit-Remaining: 2 | X-RateLimit-Reset: Thu, 01 Jan 2026 00:00:05 -0000",
        says(p("default", None, 2, on(5)))),
    row("4: joined", 429, "Retry-After: 2, 2", says(wait=2)),
    row("4: doubled", 429, "Retry-After: 2 | Retry-After: 3", says(wait=3)),
    row("5: NestJS, by policy", 200,
        "X-RateLimit-Limit-short: 5 | X-RateLimit-Remaining-short: 4 | X-RateLimit-Reset-short: 5 | "
        "X-RateLimit-Limit-long: 20 | X-RateLimit-Remaining-long: 19 | X-RateLimit-Reset-long: 60",
        says(p("short", 5, 4, seconds(5)), p("long", 20, 19, seconds(60)))),
    row("5: NestJS, refused by the second", 429,
        "Retry-After-long: 55 | X-RateLimit-Limit: 5 | X-RateLimit-Remaining: 4 | X-RateLimit-Reset: 5",
        says(p("default", 5, 4, seconds(5)), wait=55)),
    row("6: koa rounds down", 429, "Retry-After: 9 | X-RateLimit-Remaining: 0 | X-RateLimit-Reset: 1767225609",
        says(p("default", None, 0, on(9)), wait=9)),
    row("7: express states the whole window", 429, "Retry-After: 60 | RateLimit-Reset: 12 | RateLimit-Remaining: 0",
        says(p("default", None, 0, seconds(12)), wait=60)),
    row("8: reset 0 with nothing left", 429, "X-RateLimit-Remaining: 0 | X-RateLimit-Reset: 0",
        says(p("default", None, 0, (SENT, RECEIVED)))),
    row("10: hapi, negative", 429,
        "X-RateLimit-Limit: 20 | X-RateLimit-Remaining: -1 | X-RateLimit-Reset: 1767225604321",
        says(p("default", 20, 0, on(4.321, 0.001)))),
    row("10: a negative limit is unknown", 200, "X-RateLimit-Limit: -1 | X-RateLimit-Remaining: 7",
        says(p("default", None, 7))),
    row("10: a negative reset is unknown", 200,
        "X-RateLimit-Limit: 9 | X-RateLimit-Remaining: 7 | X-RateLimit-Reset: -1",
        says(p("default", 9, 7, unusable=True))),
    row("11: a refusal without the quota", 429, "Retry-After: 4 | Content-Length: 0", says(wait=4)),
    row("11: a refusal with the violated policy alone", 429,
        'RateLimit: "20-in-5sec"; r=0; t=4 | RateLimit-Policy: "20-in-5sec"; q=20; w=5; pk=:N2Y1: | Retry-After: 5',
        says(p("20-in-5sec", 20, 0, seconds(4), window=5), wait=5)),
    row("12: another policy refuses", 429, "RateLimit-Limit: 20 | RateLimit-Remaining: 19 | RateLimit-Reset: 0",
        says(p("default", 20, 19, unusable=True))),
    row("a bucket with a rate, in units a second", 200,
        "X-RateLimit-Remaining: 19 | X-RateLimit-Requested-Tokens: 1 | X-RateLimit-Burst-Capacity: 20"
        " | X-RateLimit-Replenish-Rate: 10",
        says(p("default", 20, 19, rate=10.0))),
    row("a policy that a word for its window names", 200,
        "X-Rate-Limit-Window: minute | X-Rate-Limit-Limit: 30 | X-Rate-Limit-Remaining: 24",
        says(p("minute", 30, 24, window=60))),
    row("a cached response", 200, "Age: 7 | X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 0", says()),
    row("a cached response that was just validated", 200, "Age: 0 | X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 0",
        says(p("default", 20, 0))),
    row("an interim response", 103, "X-RateLimit-Limit: 20 | X-RateLimit-Remaining: 0", says()),
    row("a reset in fifty years", 200, "RateLimit-Remaining: 9 | RateLimit-Reset: 3344000000",
        says(p("default", None, 9, unusable=True))),
    row("a reset in two months", 200, "RateLimit-Remaining: 9 | RateLimit-Reset: 60d",
        says(p("default", None, 9, unusable=True))),
    row("milliseconds that would be months of seconds", 200, "X-RateLimit-Remaining: 9 | X-RateLimit-Reset: 5184000",
        says(p("default", None, 9, seconds(5184, 0.001)))),
    row("a reset in the past", 200, "X-RateLimit-Remaining: 9 | X-RateLimit-Reset: 1767225000",
        says(p("default", None, 9, unusable=True))),
    row("huge numbers", 429,
        f"Retry-After: {'9' * 400} | X-RateLimit-Limit: {'9' * 400} | X-RateLimit-Reset: {'9' * 25}",
        says()),
]  # fmt: skip

VECTORS: list[Row] = [*DRAFT, *GENERIC, *VENDORS, *WAITS, *TRAPS]
"""Every row."""
