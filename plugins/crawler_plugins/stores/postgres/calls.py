"""The parameters of the functions in ``functions/``: requests and outcomes as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from crawler import Request
from crawler.store import MISSING, ItemRow, Kind, Observations, Outcome, Pending, lane_name, pack

__all__ = ["LaneNumbers", "Links", "batch", "dumped", "observed", "sinks_of", "staged_items"]

HELD: Final = -1
"""Stands for the epoch of a group that this owner holds, whichever it is."""


def dumped(value: Any) -> str:
    """Return a value as JSON."""
    return msgspec.json.encode(value).decode()


def digest(text: str) -> bytes:
    """Return 8 bytes of the hash of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def key_of(request: Request) -> str:
    """Return the key of a request as the database keeps it: 8 bytes for its origin, and 8 for the whole."""
    return (digest(request.url[: request.url.index("/", 8)]) + digest(request.key)).hex()


class LaneNumbers:
    """The numbers of lanes, which are hashes of their names, and which of them the database has; about `size` names."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._numbers: dict[str, int] = {}
        self._stored: set[str] = set()

    def __getitem__(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            if len(self._numbers) >= self._size:
                self._numbers.clear()
            number = self._numbers[name] = int.from_bytes(digest(name), "big", signed=True)
        return number

    def missing(self, names: Sequence[str]) -> dict[str, int]:
        """Return those that the database may not have, with their numbers."""
        return {name: self[name] for name in names if name not in self._stored}

    def add_stored(self, names: Collection[str]) -> None:
        """Note that the database has lanes."""
        if len(self._stored) + len(names) > self._size:
            self._stored.clear()
        self._stored.update(names)


class Links:
    """Requests to be added, in order, without those of `known`."""

    def __init__(self, lanes: LaneNumbers, known: Container[str]) -> None:
        self._lanes = lanes
        self._known = known
        self.requests: list[Request] = []
        self.names: list[str] = []
        """The lane of each."""
        self.pages: list[int] = []
        """The place of the outcome that each belongs to, from 1."""
        self._keys: list[str | None] = []

    def add(self, requests: Sequence[Request], page: int = 0) -> int:
        """Add requests, and return the number of those that are known already, which are left out."""
        before = len(self.requests)
        for request in requests:
            if request.dont_filter:
                self._keys.append(None)
            elif request.key in self._known:
                continue
            else:
                self._keys.append(key_of(request))
            self.requests.append(request)
            self.names.append(lane_name(request))
            self.pages.append(page)
        return len(requests) - (len(self.requests) - before)

    def new_lanes(self) -> dict[str, int]:
        """Return the lanes that the database may not have, with their numbers."""
        return self._lanes.missing(self.names)

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the columns of the type ``links``."""
        packed = [pack(request, name) for request, name in zip(self.requests, self.names, strict=True)]
        urls, depths, callbacks, rests = list(zip(*packed, strict=True)) or [()] * 4
        return {
            "pages": self.pages,
            "keys": self._keys,
            "lanes": [self._lanes[name] for name in self.names],
            "tiers": [-request.priority for request in self.requests],
            "urls": urls,
            "depths": depths,
            "callbacks": callbacks,
            "rests": [None if rest is None else rest.decode() for rest in rests],
        }

    def pending(self, places: Sequence[int] | None, numbers: Sequence[int] | None) -> list[Pending]:
        """Return the requests that were added on lanes of this owner: their places, from 1, and their numbers."""
        return [
            Pending((-self.requests[place - 1].priority, number), self.requests[place - 1], self.names[place - 1])
            for place, number in zip(places or (), numbers or (), strict=True)
        ]

    def keys(self, pages: Container[int]) -> list[str]:
        """Return the keys of those that belong to some outcomes, and are filtered."""
        return [
            request.key
            for request, page in zip(self.requests, self.pages, strict=True)
            if page in pages and not request.dont_filter
        ]


def staged_items(items: Sequence[ItemRow]) -> str:
    """Return items of a page whose callback is still running."""
    return dumped([{"type": item.type, "data": Raw(item.data)} for item in items])


def batch(job: str, outcomes: Sequence[Outcome], states: _States, lanes: LaneNumbers, links: Links) -> str:
    """Return outcomes, and states that are committed with them, as the type ``batch``."""
    pending = [outcome.ticket.pending for outcome in outcomes]
    keys = [f"{job}.{tier}.{number}." for tier, number in (one.order for one in pending)]
    columns = {
        "lanes": [lanes[one.group] for one in pending],
        "epochs": [outcome.ticket.epoch for outcome in outcomes],
        "tiers": [one.order[0] for one in pending],
        "numbers": [one.order[1] for one in pending],
        "retries": [outcome.kind is Kind.RETRY for outcome in outcomes],
        "attempts": [outcome.attempts for outcome in outcomes],
        "not_before": [str(outcome.not_before) for outcome in outcomes],  # JSON has no infinity
        "urls": [one.request.url for one in pending],
        "keys": keys,  # what the keys of the items of each begin with
        "digests": [_bytea(outcome.digest) if outcome.digest else None for outcome in outcomes],
        "versions": [outcome.state_version for outcome in outcomes],
        "stages": [outcome.stage for outcome in outcomes],
    }
    items = [
        {"page": page, "key": f"{key}{index}", "type": item.type, "data": Raw(item.data)}
        for page, (outcome, key) in enumerate(zip(outcomes, keys, strict=True), 1)
        for index, item in enumerate(outcome.items, outcome.staged_items)
    ]
    failures = [
        {
            "page": page,
            "reason": failure.kept_reason,
            "message": _text(failure.message),
            "traceback": _text(failure.traceback),
            "request": outcome.ticket.request.to_json().decode(),
        }
        for page, outcome in enumerate(outcomes, 1)
        if (failure := outcome.failure) is not None
    ]
    changes = [(0, states), *((page, outcome.state) for page, outcome in enumerate(outcomes, 1))]
    rows = [
        {"page": page, "owner": owner, "name": name, "value": None if value is MISSING else value.decode()}
        for page, changed in changes
        for owner, values in changed.items()
        for name, value in values.items()
    ]
    return dumped(
        {
            "outcomes": columns,
            "new_lanes": links.new_lanes() or None,
            "links": links.columns(),
            "items": items or None,
            "failures": failures or None,
            "states": rows or None,
        }
    )


_States = Mapping[str, Mapping[str, Any]]


class _Counts(Struct):
    """The counts of an owner that its answers to others contain."""

    pages: int = 0
    items: int = 0
    failed: int = 0


def observed(
    outcomes: Sequence[Outcome], observations: Observations, lanes: LaneNumbers, sinks: Mapping[str, tuple[int, str]]
) -> str:
    """Return what was observed, and the positions of sinks, as the type ``observations``."""
    checkpoint = observations.checkpoint
    states = {name: (HELD, state) for name, state in (checkpoint.budgets or {}).items()} | {
        outcome.ticket.pending.group: (outcome.ticket.epoch, outcome.lane_state)
        for outcome in outcomes
        if outcome.lane_state
    }
    notes = {"networks": checkpoint.networks, "origins": checkpoint.origins}
    counts = msgspec.json.decode(checkpoint.stats or b"{}", type=_Counts)
    return dumped(
        {
            "lanes": [
                {"id": lanes[name], "epoch": epoch, "state": dumped(state)} for name, (epoch, state) in states.items()
            ]
            or None,
            "cookies": [
                {
                    "session": cookie.session,
                    "domain": cookie.domain,
                    "path": cookie.path,
                    "name": cookie.name,
                    "value": None if cookie.value is None else cookie.value.decode(),
                }
                for cookie in observations.cookies
            ]
            or None,
            "robots": [
                {"origin": answer.origin, "status": answer.status, "body": _bytea(answer.body), "at": answer.at}
                for answer in observations.robots
            ]
            or None,
            "notes": {name: value.decode() for name, value in notes.items() if value is not None} or None,
            "counts": None if checkpoint.stats is None else checkpoint.stats.decode(),
            "pages": counts.pages,
            "items": counts.items,
            "failed": counts.failed,
            "sinks": sinks_of(sinks),
        }
    )


def sinks_of(sinks: Mapping[str, tuple[int, str]]) -> list[dict[str, Any]] | None:
    """Return the positions of sinks by name: the number of the next item, and the position; `None` for none."""
    return [{"name": name, "cursor": cursor, "position": at} for name, (cursor, at) in sinks.items()] or None


def _bytea(value: bytes) -> str:
    return "\\x" + value.hex()


def _text(value: str) -> str:
    """Return a text without what PostgreSQL or JSON does not store."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
