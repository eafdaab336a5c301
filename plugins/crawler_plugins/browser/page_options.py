"""`PageOptions`: how one page is rendered, as the options of the plugin and of requests say it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, Self

import attrs

__all__ = ["Action", "PageOptions", "Wait", "parse_action", "parse_wait"]

VERBS: Final = {"click": (1, 2), "evaluate": (1, 1), "press": (1, 1), "scroll": (0, 1), "type": (2, 2), "wait": (1, 1)}
"""The actions, with the minimum and maximum number of their arguments."""
KEYS: Final = frozenset(
    {"Enter", "Tab", "Escape", "Backspace", "Delete", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "End", "Home",
     "PageDown", "PageUp", "Space"}
)  # fmt: skip
KINDS: Final = frozenset({"font", "image", "manifest", "media", "other", "ping", "script", "stylesheet", "xhr"})
"""The kinds of requests that can be blocked."""
UNSEEN: Final = ("font", "image", "manifest", "media", "ping")
"""The kinds of requests that change nothing in the document."""
DAY: Final = 86_400.0


@attrs.frozen
class Wait:
    """The state in which a page is complete."""

    kind: Literal["load", "idle", "seconds", "script", "selector"]
    value: str = ""

    @property
    def is_certain(self) -> bool:
        """Whether a page that never reaches it fails."""
        return self.kind in ("script", "selector")


@attrs.frozen
class Action:
    """One thing that is done on a page."""

    verb: str
    words: tuple[str, ...]


@attrs.frozen(kw_only=True)
class PageOptions:
    """How one page is rendered."""

    wait: Wait = Wait("idle")
    actions: tuple[Action, ...] = ()
    block: tuple[str, ...] | None = None
    """Kinds of requests, and patterns of URLs; `None`: what only eyes need, unless there is a picture to take."""
    timeout: float = 30.0
    """Seconds, without those in which limits hold back its requests."""
    screenshot: bool = False
    pdf: bool = False

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Return these options with those of a request.

        Parameters:
            given: JSON values by name.

        Raises:
            ValueError: One of them is unknown or wrong.
        """
        changes: dict[str, Any] = {}
        for name, value in given.items():
            if name == "wait" and isinstance(value, (str, int, float)):
                changes["wait"] = parse_wait(str(value))
            elif name == "actions" and isinstance(value, (list, tuple)):
                changes["actions"] = tuple(map(parse_action, value))
            elif name == "block" and isinstance(value, (list, tuple)):
                changes["block"] = parse_block(value)
            elif name == "timeout" and isinstance(value, (int, float)):
                changes["timeout"] = parse_timeout(float(value))
            elif name in ("screenshot", "pdf") and isinstance(value, bool):
                changes[name] = value
            else:
                known = ", ".join(field.name for field in attrs.fields(type(self)))
                raise ValueError(f"a request has no such option: {name}={value!r:.80}; it has {known}")
        return attrs.evolve(self, **changes)

    def blocks(self, kind: str, url: str) -> bool:
        """Return whether a request is blocked.

        Parameters:
            kind: One of `KINDS`, or another one, which is not blocked.
            url: Its URL.
        """
        if self.block is None:
            return kind in UNSEEN and not (self.screenshot or self.pdf)
        return any(kind == entry if entry in KINDS else fnmatchcase(url, entry) for entry in self.block)


def parse_wait(text: str) -> Wait:
    """Return what a text says to wait for.

    Raises:
        ValueError: It has none of these forms.
    """
    text = text.strip()
    if text in ("load", "idle"):
        return Wait(text)  # type: ignore[arg-type]
    if text.startswith("js:") and text[3:].strip():
        return Wait("script", text[3:].strip())
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if 0 <= seconds <= DAY:
        return Wait("seconds", text)
    if not text or not math.isnan(seconds) or text.startswith("js:"):
        raise ValueError(f"wait must be load, idle, a CSS selector, js:EXPRESSION or seconds, not {text!r}")
    return Wait("selector", text)


def parse_action(given: Any) -> Action:
    """Return an action.

    Parameters:
        given: Its words as a list, or a text in which they are quoted as in a shell.

    Raises:
        ValueError: It is not an action.
    """
    if isinstance(given, str):
        try:
            words = shlex.split(given)
        except ValueError as error:
            raise ValueError(f"actions: {given!r}: {str(error).lower()}") from None
        if words[:1] == ["evaluate"]:
            words = ["evaluate", given.strip().removeprefix("evaluate").strip()]
    elif isinstance(given, Sequence) and all(isinstance(word, (str, int)) for word in given):
        words = [str(word) for word in given]
    else:
        raise ValueError(f"actions must be a string or a list of strings, not {given!r:.80}")
    verb, *rest = words or [""]
    if verb not in VERBS:
        raise ValueError(f"actions: no such action: {verb!r}; there are {', '.join(sorted(VERBS))}")
    least, most = VERBS[verb]
    if not least <= len(rest) <= most or (least and not rest[0].strip()):
        needed = f"{least}" if least == most else f"{least} or {most}"
        raise ValueError(f"actions: {verb} takes {needed} argument(s), not {len(rest)}: {given!r:.80}")
    if verb in ("click", "scroll") and len(rest) == most and not (rest[-1].isascii() and rest[-1].isdigit()):
        raise ValueError(f"actions: the last argument of {verb} must be a number of times, not {rest[-1]!r}")
    if verb == "press" and rest[0] not in KEYS and len(rest[0]) != 1:
        raise ValueError(f"actions: press takes one character or one of {', '.join(sorted(KEYS))}, not {rest[0]!r}")
    if verb == "wait":
        parse_wait(rest[0])
    return Action(verb, tuple(rest))


def parse_block(given: Sequence[Any]) -> tuple[str, ...]:
    """Return the kinds and patterns of blocked requests.

    Raises:
        ValueError: One of them is neither.
    """
    for entry in given:
        if not isinstance(entry, str) or (entry not in KINDS and not any(sign in entry for sign in "*?./")):
            kinds = ", ".join(sorted(KINDS))
            raise ValueError(
                f"block: {entry!r} is neither a pattern of URLs such as *.ads.example/* nor one of {kinds}"
            )
    return tuple(given)


def parse_timeout(seconds: float) -> float:
    """Return the seconds of a page.

    Raises:
        ValueError: They are out of range.
    """
    if not 0 < seconds <= DAY:
        raise ValueError(f"timeout must be above 0 and at most 86400 seconds, not {seconds:g}")
    return seconds
