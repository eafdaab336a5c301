"""`Batch`: outcomes and observations as the parameters of a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from crawler.store import MISSING, Kind, Observations, Outcome
from crawler_plugins.stores.postgres import binary
from crawler_plugins.stores.postgres.connection import Parameter, Statement
from crawler_plugins.stores.postgres.links import LaneNumbers, Links

__all__ = ["COMMIT", "Batch", "sink_parameters"]

OUTCOMES: Final = 38
"""Number of parameters of `commit_outcomes`."""
OBSERVATIONS: Final = 21
"""Number of parameters of `observe` that are not those of `commit_outcomes`."""


def _marks(first: int, count: int) -> str:
    return ", ".join(f"${number}" for number in range(first, first + count))


COMMIT: Final = Statement(
    f"SELECT c.*, observe($1, c.verdicts, c.repeated, {_marks(OUTCOMES + 1, OBSERVATIONS)}) "
    f"FROM commit_outcomes({_marks(1, OUTCOMES)}) AS c"
)


class _Counts(Struct):
    """The counts of an owner that its answers to others contain."""

    pages: int = 0
    items: int = 0
    failed: int = 0


class Batch:
    """The parameters of a commit, apart from the owner, the number of the call, and the lease.

    Parameters:
        outcomes: The outcomes.
        observations: What is committed with them.
        lanes: The numbers of lanes.
        links: Gets the discovered requests.
        name: The name of the job, for the keys of items.
    """

    def __init__(
        self, outcomes: Sequence[Outcome], observations: Observations, lanes: LaneNumbers, links: Links, name: str
    ) -> None:
        self._outcomes = outcomes
        self._observations = observations
        self._lanes = lanes
        self._links = links
        self._name = name
        self.repeats = [links.add(outcome.discovered, place) for place, outcome in enumerate(outcomes, 1)]
        """For each outcome, the discovered requests that are known here already."""
        self.new_lanes, self._new_lanes = links.new_lanes()

    def parameters(self, sinks: Mapping[str, tuple[int, bytes]]) -> list[Parameter]:
        """Return the parameters.

        Parameters:
            sinks: By name, the positions of the sinks that have advanced.
        """
        return [
            *self._settled(),
            *self._new_lanes,
            binary.integers(self._links.outcomes),
            *self._links.parameters(),
            *self._items(),
            *self._failures(),
            *self._states(),
            *self._observed(),
            *sink_parameters(sinks),
        ]

    def _settled(self) -> list[Parameter]:
        outcomes = self._outcomes
        pending = [outcome.ticket.pending for outcome in outcomes]
        return [
            binary.bigints([self._lanes[one.group] for one in pending]),
            binary.bigints([outcome.ticket.epoch for outcome in outcomes]),
            binary.bigints([one.order[0] for one in pending]),
            binary.bigints([one.order[1] for one in pending]),
            binary.booleans([outcome.kind is Kind.RETRY for outcome in outcomes]),
            binary.integers([outcome.attempts for outcome in outcomes]),
            binary.doubles([outcome.not_before for outcome in outcomes]),
            binary.texts(one.request.url for one in pending),
            binary.texts(self._key(outcome) for outcome in outcomes),
            binary.byteas(outcome.digest or None for outcome in outcomes),
            binary.bigints([outcome.state_version for outcome in outcomes]),
            binary.bigints([outcome.stage for outcome in outcomes]),
        ]

    def _key(self, outcome: Outcome) -> str:
        """Return what the keys of the items of a page begin with."""
        tier, number = outcome.ticket.pending.order
        return f"{self._name}.{tier}.{number}."

    def _items(self) -> list[Parameter]:
        rows = [
            (place, f"{self._key(outcome)}{index}", item.type, item.data)
            for place, outcome in enumerate(self._outcomes, 1)
            for index, item in enumerate(outcome.items, outcome.staged_items)
        ]
        places, keys, types, data = _columns(rows, 4)
        return [binary.integers(places), binary.texts(keys), binary.texts(types), binary.texts(data)]

    def _failures(self) -> list[Parameter]:
        rows = [
            (place, failure.reason, _text(failure.message), _text(failure.traceback), outcome.ticket.request.to_json())
            for place, outcome in enumerate(self._outcomes, 1)
            if (failure := outcome.failure) is not None
        ]
        places, reasons, messages, tracebacks, requests = _columns(rows, 5)
        return [
            binary.integers(places), binary.texts(reasons), binary.texts(messages), binary.texts(tracebacks),
            binary.byteas(requests),
        ]  # fmt: skip

    def _states(self) -> list[Parameter]:
        changes = [(0, self._observations.states)]
        changes += [(place, outcome.state) for place, outcome in enumerate(self._outcomes, 1)]
        rows = [
            (place, owner, name, None if value is MISSING else value)
            for place, states in changes
            for owner, values in states.items()
            for name, value in values.items()
        ]
        places, owners, names, values = _columns(rows, 4)
        return [binary.integers(places), binary.texts(owners), binary.texts(names), binary.byteas(values)]

    def _observed(self) -> list[Parameter]:
        observations = self._observations
        lanes = {
            outcome.ticket.pending.group: (outcome.ticket.epoch, msgspec.json.encode(outcome.lane_state))
            for outcome in self._outcomes
            if outcome.lane_state
        }
        budgets = observations.checkpoint.budgets or {}  # of groups that this owner holds under any epoch
        lanes |= {name: (-1, msgspec.json.encode(state)) for name, state in budgets.items() if name not in lanes}
        cookies = [(c.session, c.domain, c.path, c.name, c.value) for c in observations.cookies]
        sessions, domains, paths, names, values = _columns(cookies, 5)
        robots = [(answer.origin, answer.status, answer.body, answer.at) for answer in observations.robots]
        origins, statuses, bodies, ats = _columns(robots, 4)
        checkpoint = observations.checkpoint
        notes = {"networks": checkpoint.networks, "origins": checkpoint.origins}
        kept = {name: value for name, value in notes.items() if value is not None}
        counts = msgspec.json.decode(checkpoint.stats or b"{}", type=_Counts)
        return [
            binary.bigints([self._lanes[name] for name in lanes]),
            binary.bigints([epoch for epoch, _ in lanes.values()]),
            binary.byteas(state for _, state in lanes.values()),
            binary.texts(sessions), binary.texts(domains), binary.texts(paths), binary.texts(names),
            binary.byteas(values),
            binary.texts(origins), binary.integers(statuses), binary.byteas(bodies), binary.doubles(ats),
            binary.texts(kept), binary.byteas(kept.values()),
            checkpoint.stats, binary.bigint(counts.pages), binary.bigint(counts.items), binary.bigint(counts.failed),
        ]  # fmt: skip


def sink_parameters(sinks: Mapping[str, tuple[int, bytes]]) -> list[Parameter]:
    """Return the positions of sinks as parameters: names, numbers of their next items, and their own positions."""
    return [
        binary.texts(sinks),
        binary.bigints([cursor for cursor, _ in sinks.values()]),
        binary.byteas(position for _, position in sinks.values()),
    ]


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[tuple[Any, ...]]:
    """Return the columns of rows."""
    return list(zip(*rows, strict=True)) if rows else [()] * count


def _text(value: str) -> str:
    """Return a text without the one character that PostgreSQL does not store."""
    return value.replace("\0", "\ufffd")
