"""Arguments of the functions in ``functions/``, and the form of requests in the server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from crawler import Request
from crawler.store import (
    MISSING,
    CookieChange,
    ItemRow,
    Kind,
    Observations,
    Order,
    Outcome,
    RobotsAnswer,
    handlers_named_by,
    lane_name,
    pack,
)

__all__ = [
    "ORDER_LENGTH", "TIER_BIAS", "Change", "Link", "Links", "StatsRow", "commit_call", "handlers_of", "link", "links",
    "order_of", "staged",
]  # fmt: skip

TIER_BIAS: Final = 1 << 31
"""Added to a tier, so that the order of the texts is that of the numbers."""
MAX_TIER: Final = TIER_BIAS - 1
ORDER_LENGTH: Final = 18

Change = tuple[str, str | None]
"""The name of a value, and the value; `None` if it was removed."""


class Links(Struct, frozen=True, array_like=True):
    """Requests to add, unless they are known. They differ in nothing but their rows."""

    group: str
    tier: str
    handlers: list[str]
    rows: list[str]
    """Three values for each: its record, shard and fingerprint. The last two are empty if it is not filtered."""


class Link(Struct, frozen=True, omit_defaults=True):
    """A request to add, unless it is known, as the server keeps it until it is added."""

    group: str
    tier: str
    record: str
    handlers: list[str]
    shard: str | None = None
    print: str | None = None


_encode: Final = msgspec.json.Encoder().encode


class StatsRow(Struct, frozen=True):
    """The counts of an owner: those that are added up in the server, and all of them."""

    json: str
    pages: int
    items: int
    failed: int


class _Item(Struct, frozen=True, array_like=True):
    type: str
    data: str


class _Outcome(Struct, frozen=True, omit_defaults=True):
    group: str
    epoch: str
    order: str
    url: str
    prefix: str
    handlers: list[str]
    requests: list[Links]
    items: list[_Item]
    states: list[Change]
    version: int = 0
    retry: bool = False
    attempts: int = 0
    not_before: str | None = None
    digest: str | None = None
    state: str | None = None
    failure: str | None = None
    reason: str | None = None
    again: Link | None = None
    stage: str | None = None


class _Observations(Struct, frozen=True, omit_defaults=True):
    cookies: list[Change]
    budgets: list[tuple[str, str]]
    robots: list[tuple[str, str]]
    notes: list[tuple[str, str]]
    states: list[Change]
    exhausted: bool = False


def order_of(order: Order) -> str:
    """Return the place of a request in its group, as text that sorts alike."""
    tier, number = order
    return f"{_tier(tier)}{number:010x}"


@lru_cache(maxsize=256)
def _tier(tier: int) -> str:
    return f"{min(max(tier, -TIER_BIAS), MAX_TIER) + TIER_BIAS:08x}"


def links(requests: Iterable[Request]) -> list[Links]:
    """Return requests as the server adds them. Those with options are alone."""
    runs: list[Links] = []
    last: tuple[str, int, str | None] | None = None
    start, cut, handler, rows = "", 0, None, list[str]()  # of the plain requests that the last run takes
    for request in requests:
        if rows and not request.__dict__ and request.url.startswith(start) and request.callback == handler:
            # as most links are: it takes half of the time
            rows.extend(_plain_row(request.url, cut, request.depth, handler))
            continue
        name = lane_name(request)
        _, _, _, options = pack(request, name)
        kind = None if options else (name, request.priority, request.callback)
        if kind is None or kind != last:
            runs.append(Links(name, _tier(-request.priority), handlers_of(request), []))
            last = kind
        runs[-1].rows.extend(_row(request, name))
        start, cut, handler = f"{name}/", len(name), request.callback
        rows = [] if kind is None or request.priority else runs[-1].rows
    return runs


def link(request: Request) -> Link:
    """Return a request as the server keeps it. One that is not filtered has no fingerprint."""
    name = lane_name(request)
    record, shard, fingerprint = _row(request, name)
    return Link(name, _tier(-request.priority), record, handlers_of(request), shard or None, fingerprint or None)


def _row(request: Request, name: str) -> tuple[str, str, str]:
    """Return the row of a request in `Links`."""
    url, depth, callback, rest = pack(request, name)
    record = (_encode((url, depth, callback)) if rest is None else rest).decode()
    if request.dont_filter:
        return record, "", ""
    return record, *_mark(request.key)


def _plain_row(url: str, cut: int, depth: int, callback: str | None) -> tuple[str, str, str]:
    """Return the row of a GET request that has only a URL. The first `cut` characters of it are its lane."""
    return _encode((url[cut:], depth, callback)).decode(), *_mark(url)


def _mark(key: str) -> tuple[str, str]:
    """Return the shard and the fingerprint of a request."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return digest[:2].hex(), str(int.from_bytes(digest[2:], "big") >> 1)


def handlers_of(request: Request) -> list[str]:
    """Return the fields of the hash ``handlers`` that count a request."""
    callback, call, errback = handlers_named_by(request)
    fields = [f"c{callback}"]
    if call is not None:
        fields.append(f"k{call}")
    if errback is not None:
        fields.append(f"e{errback}")
    return fields


def staged(items: Sequence[ItemRow], requests: Sequence[Request]) -> list[str]:
    """Return effects of a page as ``stage`` keeps them."""
    effects: list[_Item | Link] = [_Item(item.type, item.data.decode()) for item in items]
    effects += [link(request) for request in requests]
    return [msgspec.json.encode(effect).decode() for effect in effects]


def commit_call(
    name: str,
    outcomes: Sequence[Outcome],
    requests: Sequence[Sequence[Request]],
    observations: Observations | None,
    at: float,
) -> dict[str, Any]:
    """Return the arguments of ``commit``."""
    call: dict[str, Any] = {
        "outcomes": [_outcome_row(name, outcome, new, at) for outcome, new in zip(outcomes, requests, strict=True)]
    }
    if observations is not None:
        checkpoint = observations.checkpoint
        notes = [("networks", checkpoint.networks), ("origins", checkpoint.origins)]
        call["observations"] = _Observations(
            cookies=[_cookie_row(cookie) for cookie in observations.cookies],
            budgets=[(name, msgspec.json.encode(state).decode()) for name, state in (checkpoint.budgets or {}).items()],
            robots=[(answer.origin, _robots_row(answer)) for answer in observations.robots],
            notes=[(note, value.decode()) for note, value in notes if value is not None],
            states=_state_rows(observations.states),
            exhausted=checkpoint.exhausted,
        )
        if checkpoint.stats is not None:
            counts: dict[str, Any] = msgspec.json.decode(checkpoint.stats)
            numbers = {kind: int(counts.get(kind, 0)) for kind in ("pages", "items", "failed")}
            call["stats"] = StatsRow(checkpoint.stats.decode(), **numbers)
    return call


def _outcome_row(name: str, outcome: Outcome, requests: Sequence[Request], at: float) -> _Outcome:
    ticket, pending = outcome.ticket, outcome.ticket.pending
    tier, number = pending.order
    url = pending.request.url
    place: dict[str, Any] = {
        "group": pending.group, "epoch": str(ticket.epoch), "order": order_of(pending.order), "url": url,
        "prefix": f"{name}.{tier}.{number}.",
    }  # fmt: skip
    state = msgspec.json.encode(outcome.lane_state).decode() if outcome.lane_state else None
    if outcome.kind is Kind.RETRY:
        not_before = "" if outcome.not_before == float("-inf") else repr(outcome.not_before)
        return _Outcome(
            **place, handlers=[], requests=[], items=[], states=[], retry=True, attempts=outcome.attempts,
            not_before=not_before, state=state,
        )  # fmt: skip
    return _Outcome(
        **place,
        handlers=handlers_of(pending.request),
        requests=links(requests),
        items=[_Item(item.type, item.data.decode()) for item in outcome.items],
        states=_state_rows(outcome.state),
        version=outcome.state_version,
        digest=outcome.digest.hex() or None,
        state=state,
        failure=_failure_row(outcome, at),
        reason=outcome.failure.kept_reason if outcome.failure is not None else None,
        again=_again(pending.request) if outcome.failure is not None else None,
        stage=str(outcome.stage) if outcome.stage else None,
    )


def _again(request: Request) -> Link:
    """Return a known request in the form in which it is queued again."""
    return msgspec.structs.replace(link(request), shard=None, print=None)


def _failure_row(outcome: Outcome, at: float) -> str | None:
    failure = outcome.failure
    if failure is None:
        return None
    row = {
        "url": outcome.ticket.pending.request.url,
        "reason": failure.kept_reason,
        "message": _utf8(failure.message),
        "traceback": _utf8(failure.traceback),
        "attempts": outcome.attempts,
        "at": at,
    }
    return msgspec.json.encode(row).decode()


def _state_rows(states: Mapping[str, Mapping[str, Any]]) -> list[Change]:
    return [
        (msgspec.json.encode([owner, name]).decode(), None if value is MISSING else value.decode())
        for owner, changed in states.items()
        for name, value in changed.items()
    ]


def _cookie_row(cookie: CookieChange) -> Change:
    field = msgspec.json.encode([cookie.session, cookie.domain, cookie.path, cookie.name]).decode()
    return field, None if cookie.value is None else cookie.value.decode()


def _robots_row(answer: RobotsAnswer) -> str:
    return msgspec.json.encode([answer.status, base64.b64encode(answer.body).decode(), answer.at]).decode()


def _utf8(text: str) -> str:
    """Return text that JSON can have: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode()
