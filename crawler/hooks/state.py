"""`State`: JSON values of a spider or plugin that survive a restart of the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.hooks.page_effects import MISSING, PageEffects, current_page
from crawler.messages.checks import survives_json

if TYPE_CHECKING:
    from crawler.store import Outcome

__all__ = ["State", "States"]


class State(MutableMapping[str, Any]):
    """A mapping of names to JSON values.

    A handler sees its own writes at once; they take effect when its page succeeds. A page that fails or is cancelled
    changes nothing. If a handler awaits anything, its writes overwrite what other pages wrote to the same key in the
    meantime: use `crawl.count` for counters.

    Parameters:
        owner: Name of the spider or plugin.
        values: The values of an earlier run of the job.
    """

    def __init__(self, owner: str, values: dict[str, Any] | None = None) -> None:
        self.owner = owner
        self._values: dict[str, Any] = dict(values or {})
        self._unsaved: dict[str, Any] = {}
        self._lent: dict[str, bytes] = {}
        self.touched = False
        """Whether `take_unsaved` may find changes: outside of pages a value was written, or a list or dict was read,
        which may be changed in place."""
        self.on_change: Callable[[dict[str, Any]], None] | None = None
        """Called with changes that have taken effect, in the form of `changes`."""

    @property
    def values_now(self) -> Mapping[str, Any]:
        """The values that have taken effect, without the changes of the current handler."""
        return self._values

    def _overlay(self) -> dict[str, tuple[Any, Any]] | None:
        page = current_page.get()
        return None if page is None else page.state.setdefault(self.owner, {})

    def __getitem__(self, key: str) -> Any:
        overlay = self._overlay()
        if overlay is None or key not in overlay:
            value = self._values[key]
            if not isinstance(value, (dict, list)):
                return value
            data = msgspec.json.encode(value)  # remembers the value: it may be changed in place
            if overlay is None:
                self.touched = True
                self._lent.setdefault(key, data)
                return value
            overlay[key] = (msgspec.json.decode(data), data)
        value = overlay[key][0]
        if value is MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str) or not survives_json(key):
            raise TypeError(f"the keys of a state are strings without surrogates, not {key!r}")
        overlay = self._overlay()
        if overlay is None:
            self._store(key, value)
        else:
            overlay[key] = (value, MISSING)

    def __delitem__(self, key: str) -> None:
        overlay = self._overlay()
        if key not in self:
            raise KeyError(key)
        if overlay is None:
            self._store(key, MISSING)
        else:
            overlay[key] = (MISSING, MISSING)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, set to `default` if the key is missing. A list or dict may be changed in place."""
        if key not in self:
            self[key] = default
        return self[key]

    def __iter__(self) -> Iterator[str]:
        overlay = self._overlay() or {}
        yield from [key for key in self._values if overlay.get(key, (None,))[0] is not MISSING]
        yield from [key for key, (value, _) in overlay.items() if key not in self._values and value is not MISSING]

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._overlay() else len(self._values)

    def __repr__(self) -> str:
        return f"State({self.owner!r}, {dict(self)!r})"

    def changes(self, page: PageEffects) -> dict[str, Any]:
        """Return the changes that a page made: key to JSON, or to `MISSING` for a deleted key.

        Raises:
            TypeError: A value does not survive JSON.
        """
        changed: dict[str, Any] = {}
        for key, (value, source) in page.state.get(self.owner, {}).items():
            if value is not MISSING:
                data = self._encoded(key, value)
                if data != source:
                    changed[key] = data
            elif key in self._values:
                changed[key] = MISSING
        return changed

    def apply(self, changed: dict[str, Any]) -> None:
        """Apply the changes of a page."""
        for key, data in changed.items():
            self._lent.pop(key, None)
            if data is MISSING:
                self._values.pop(key, None)
            else:
                self._values[key] = msgspec.json.decode(data)
        if self.on_change is not None:
            self.on_change(changed)

    def take_unsaved(self) -> dict[str, Any]:
        """Return the changes made outside of pages since the last call, in the form of `changes`.

        Raises:
            TypeError: A value does not survive JSON.
        """
        for key, before in self._lent.items():
            data = self._encoded(key, self._values[key])
            if data != before:
                self._unsaved[key] = self._lent[key] = data
                if self.on_change is not None:
                    self.on_change({key: data})
        unsaved, self._unsaved = self._unsaved, {}
        self.touched = bool(self._lent)
        return unsaved

    def _store(self, key: str, value: Any) -> None:
        self.touched = True
        self._unsaved[key] = MISSING if value is MISSING else self._encoded(key, value)
        self.apply({key: self._unsaved[key]})

    def _encoded(self, key: str, value: Any) -> bytes:
        if not survives_json(value):
            raise TypeError(f"state[{key!r}] of {self.owner} does not survive JSON: {value!r} ({type(value).__name__})")
        return msgspec.json.encode(value)


class States:
    """All states of a crawl."""

    def __init__(self, states: Sequence[State] = ()) -> None:
        self.all = tuple(states)
        """That of the spider first."""
        self.generation = 0
        """One higher whenever values were replaced by those of another worker."""

    def keep(self, outcome: Outcome) -> None:
        """Apply the changes that the handlers of a page have made."""
        for state in self.all:
            state.apply(outcome.state.get(state.owner, {}))
