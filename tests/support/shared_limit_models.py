"""`SHARED_MODELS`: servers whose quotas are shared by routes, processes, or requests of different costs, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from support.limit_dialects import aligned, both, constant, decimals, draft8, fields, fixed, legacy, priced, seconds
from support.model_server import Model
from support.server_limits import Answer

__all__ = ["SHARED_MODELS"]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
DISCORD = "https://discord.com/developers/docs/topics/rate-limits"


def kong(answer: Answer) -> Mapping[str, str]:
    """State all policies by the names of their windows, and the strictest one once more, as Kong does."""
    said = {}
    for name, (limit, decision) in zip(("Minute", "Hour", "Day"), answer.limits, strict=True):
        said[f"X-RateLimit-Limit-{name}"] = str(limit.quota)
        said[f"X-RateLimit-Remaining-{name}"] = str(decision.remaining)
    limit, decision = min(answer.limits, key=lambda pair: pair[1].remaining)
    return said | {
        "RateLimit-Limit": str(limit.quota),
        "RateLimit-Remaining": str(decision.remaining),
        "RateLimit-Reset": seconds(answer, decision.reset),
    }


SHARED_MODELS: Final[dict[str, Model]] = {
    "kong-three-policies": Model(
        page="https://developer.konghq.com/plugins/rate-limiting/",
        limits=both(aligned(30, MINUTE), aligned(200, HOUR), aligned(400, DAY)),
        says=[kong],
        begins=DAY,
        pages=250,
    ),
    "three-policies": Model(
        page="https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/",
        limits=both(fixed(20, 10.0), fixed(60, MINUTE), fixed(200, HOUR)),
        says=[draft8("burst", "minute", "hour")],
    ),
    "discord-one-bucket": Model(
        page=DISCORD,
        limits=fixed(5, 5.0),
        pages=100,
        hosts=2,
        says=[
            fields("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset-After", by=decimals),
            constant(X_RateLimit_Bucket="abcd1234"),
        ],
    ),
    "post-costs-five": Model(
        page="https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points",
        limits=priced(198, MINUTE),
        says=[legacy(seconds)],
        costs=lambda number: 5 if number % 2 else 1,
        quotas={"points": 1.0},
        pages=320,
    ),
    "two-processes": Model(
        page="https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api",
        limits=fixed(60, MINUTE),
        says=[legacy(seconds)],
        processes=2,
        pages=250,
        declared=False,
    ),
}
"""Model by name. In ``two-processes`` a client cannot know what the other one is about to send."""
