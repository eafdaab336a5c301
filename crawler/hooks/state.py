"""`State`: a JSON mapping that belongs to a spider or plugin; a handler's changes count only if its page succeeds."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import msgspec

from crawler.hooks.page_effects import MISSING, PageEffects, current_page
from crawler.messages.checks import survives_json

__all__ = ["State"]


class State(MutableMapping[str, Any]):
    """Values by name. Everything in it must survive JSON.

    Inside a handler, reads see the page's own writes, and the writes become true when the page has succeeded: a page
    that raises, or is cut off, leaves no trace. A handler that waits for something, be it behind its last
    write, overwrites at its end what others wrote to the same key meanwhile: count with `crawl.count` instead.

    Parameters:
        owner: name of the spider or plugin.
        values: what was kept from an earlier run.
    """

    def __init__(self, owner: str, values: dict[str, Any] | None = None) -> None:
        self.owner = owner
        self._values: dict[str, Any] = dict(values or {})
        self._unsaved: dict[str, Any] = {}
        self._lent: dict[str, bytes] = {}

    def _overlay(self) -> dict[str, tuple[Any, Any]] | None:
        page = current_page.get()
        return None if page is None else page.state.setdefault(self.owner, {})

    def __getitem__(self, key: str) -> Any:
        overlay = self._overlay()
        if overlay is None or key not in overlay:
            value = self._values[key]
            if not isinstance(value, (dict, list)):
                return value
            data = msgspec.json.encode(value)  # it may be changed in place: what it was is kept
            if overlay is None:
                self._lent.setdefault(key, data)
                return value
            overlay[key] = (msgspec.json.decode(data), data)
        value = overlay[key][0]
        if value is MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str) or not survives_json(key):
            raise TypeError(f"a state has str keys that survive JSON, not {key!r}")
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
        """The value of a key, which becomes `default` if there is none; a list or dict may be changed in place."""
        if key not in self:
            self[key] = default
        return self[key]

    def __iter__(self) -> Iterator[str]:
        overlay = self._overlay() or {}
        yield from [key for key in self._values if overlay.get(key, (None,))[0] is not MISSING]
        yield from [key for key, (value, _) in overlay.items() if key not in self._values and value is not MISSING]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"State({self.owner!r}, {dict(self)!r})"

    def changes(self, page: PageEffects) -> dict[str, Any]:
        """What a page that succeeded changed, JSON-encoded by key; `MISSING` for what it deleted.

        Raises:
            TypeError: a value does not survive JSON.
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
        """Makes the changes of a page true."""
        for key, data in changed.items():
            self._lent.pop(key, None)
            if data is MISSING:
                self._values.pop(key, None)
            else:
                self._values[key] = msgspec.json.decode(data)

    def take_unsaved(self) -> dict[str, Any]:
        """What was changed outside of any page since the last call, as `changes` gives it.

        Raises:
            TypeError: a value does not survive JSON.
        """
        for key, before in self._lent.items():
            data = self._encoded(key, self._values[key])
            if data != before:
                self._unsaved[key] = self._lent[key] = data
        unsaved, self._unsaved = self._unsaved, {}
        return unsaved

    def _store(self, key: str, value: Any) -> None:
        self._unsaved[key] = MISSING if value is MISSING else self._encoded(key, value)
        self.apply({key: self._unsaved[key]})

    def _encoded(self, key: str, value: Any) -> bytes:
        if not survives_json(value):
            raise TypeError(f"state[{key!r}] of {self.owner} does not survive JSON: {value!r} ({type(value).__name__})")
        return msgspec.json.encode(value)
