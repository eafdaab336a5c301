"""The messages between the process that fetches and the processes that run callbacks, in MessagePack.

The first process sends `FromFirst`, the others send `FromOther`.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

__all__ = [
    "ALL_KEYS", "ENCODER", "FROM_FIRST", "FROM_OTHER", "Answer", "Call", "Cancel", "Continue", "Effects", "FromFirst",
    "FromOther", "Handled", "Known", "Log", "Page", "Part", "Raised", "Ready", "Requests", "StateChange", "Stop",
    "pack", "unpack",
]  # fmt: skip

ALL_KEYS: Final = ""
"""The key in `Effects.reads` for all keys of a state, which a loop or `len` has read."""

Links: TypeAlias = tuple[str | None, int, list[str]]
"""Plain GET requests with the same callback and depth: these two, and the URLs."""
Requests: TypeAlias = list[Links | bytes]
"""Requests in their order. Those with options are JSON."""


class Page(Struct, tag=1, array_like=True, frozen=True, eq=False):
    """A response for its callback."""

    number: int
    """Identifies the page in the messages about it."""
    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    shared: tuple[int, int] | None
    """The position and the length of the body in shared memory, if it is there."""
    request: bytes
    """The request as JSON; empty for a plain GET of `requested`."""
    requested: str
    callback: str | None
    depth: int
    elapsed: float
    first_byte: float
    attempt: int
    complete: bool
    source: str
    stages: dict[str, float] | None
    has_exchange: bool
    """Whether `Response.wire` can be asked for."""
    original: Page | None = None
    """`Response.original`; its number means nothing."""
    screenshot: bytes | None = None
    pdf: bytes | None = None


class StateChange(Struct, tag=2, array_like=True, frozen=True, eq=False):
    """Changes of the spider's state that have taken effect."""

    version: int
    """Number of changes so far, these included."""
    changed: dict[str, bytes | None]
    """JSON by key; `None` for a deleted key."""


class Answer(Struct, tag=3, array_like=True, frozen=True, eq=False):
    """The result of a `Call`."""

    call: int
    result: bytes
    """Pickled; that of `errors.pack_error` if it was an exception."""
    is_error: bool


class Known(Struct, tag=13, array_like=True, frozen=True, eq=False):
    """Links that the crawl knows by now: no callback has to send them again."""

    keys: list[str]


class Continue(Struct, tag=4, array_like=True, frozen=True, eq=False):
    """The items and requests of a `Part` have been stored."""

    number: int


class Cancel(Struct, tag=5, array_like=True, frozen=True, eq=False):
    """The result of a page is no longer needed."""

    number: int


class Stop(Struct, tag=6, array_like=True, frozen=True, eq=False):
    """The process is to end."""


class Ready(Struct, tag=7, array_like=True, frozen=True, eq=False):
    """The process takes pages."""

    pid: int


class Part(Struct, tag=8, array_like=True, frozen=True, eq=False):
    """Items and requests of a page whose callback still runs. It waits for `Continue`."""

    number: int
    items: list[tuple[bytes, str]]
    """JSON and the name of the class, unless `values` has them."""
    values: bytes
    """The items, pickled; empty if nothing needs the objects."""
    requests: Requests


class Effects(Struct, array_like=True, frozen=True, eq=False):
    """The `PageEffects` of a callback."""

    added: Requests
    counters: dict[str, int]
    state: dict[str, bytes | None]
    """Changes of the spider's state, as in `StateChange`."""
    reads: dict[str, int]
    """The keys of the state that the callback has read, with the version of the state at that time."""


class Handled(Struct, tag=9, array_like=True, frozen=True, eq=False, kw_only=True):
    """The rest of the results of a callback, which has ended."""

    part: Part
    effects: Effects
    retry: tuple[str, float | None] | None
    repeats: int
    refused: list[tuple[str, str]]
    """Reason and URL of the links that are marked ``nofollow``."""
    read: int
    """The position up to which the process has read the shared memory."""
    seconds: float
    """The time that the page took."""

    @property
    def number(self) -> int:
        """Number of the page."""
        return self.part.number


class Raised(Struct, tag=10, array_like=True, frozen=True, eq=False):
    """A callback raised an exception."""

    number: int
    error: bytes
    read: int
    """As in `Handled`."""
    seconds: float
    """As in `Handled`."""


class Call(Struct, tag=11, array_like=True, frozen=True, eq=False):
    """A callback awaits a method of the crawl."""

    number: int
    call: int
    name: str
    arguments: bytes
    """A tuple of arguments and a dict of options, pickled."""


class Log(Struct, tag=12, array_like=True, frozen=True, eq=False):
    """A record of a logger."""

    record: bytes


FromFirst: TypeAlias = Page | Known | StateChange | Answer | Continue | Cancel | Stop
FromOther: TypeAlias = Ready | Part | Handled | Raised | Call | Log


def pack(value: Any) -> bytes:
    """Return a Python object, of users perhaps, for a process that was forked from the same program."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(data: bytes) -> Any:
    """Return the object that `pack` was given."""
    return pickle.loads(data)  # noqa: S301 - of a process of the same program


ENCODER: Final = msgspec.msgpack.Encoder()
FROM_FIRST: Final = msgspec.msgpack.Decoder(list[FromFirst])
FROM_OTHER: Final = msgspec.msgpack.Decoder(list[FromOther])
