"""`ErrorLog`: what is logged once and then counted: errors in the code of users, with frames, and lost origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from crawler.logs import get_logger, user_frames

if TYPE_CHECKING:
    from crawler.errors import HookError

__all__ = ["ErrorLog"]

MAX_PLACES: Final = 1000
"""Places in the code of users that are remembered: messages with values in them are as many as pages."""
log = get_logger("crawler.engine")


class ErrorLog:
    """Logs what callbacks and hooks raise: one line and a traceback for each place that raises, then a count."""

    def __init__(self) -> None:
        self._repeats: dict[tuple[object, ...], _Repeats] = {}
        self._unfetched = 0  # origins whose robots.txt could not be fetched
        self._named: list[str] = []  # three of them, after the first

    def log(self, error: HookError, url: str) -> None:
        """Log an error: the first one of its place at level ERROR, with its traceback, the others at level DEBUG."""
        cause = error.__cause__
        place = (error.plugin, error.hook, type(cause), _line_of(cause) or str(error))
        self.log_message(place, f"{error.plugin}.{error.hook}", url, str(error), cause)

    def log_message(
        self, place: tuple[object, ...], handler: str, url: str, message: str, cause: BaseException | None
    ) -> None:
        """Log a failure of a handler, as `log` does."""
        repeats = self._repeats.get(place)
        if repeats is not None:
            repeats.count += 1
            log.debug("%s failed for %s: %s", handler, url, message)
            return
        if len(self._repeats) < MAX_PLACES:
            self._repeats[place] = _Repeats(handler, message)
        log.error("%s failed for %s: %s", handler, url, message, exc_info=user_frames(cause))

    def is_first_unfetched(self, origin: str) -> bool:
        """Count an origin without a robots.txt, and return whether it is the first: pages may name any number."""
        self._unfetched += 1
        if 1 < self._unfetched <= 4:
            self._named.append(origin)
        return self._unfetched == 1

    def finish(self) -> None:
        """Log how many failures were like each of those that were logged."""
        if self._named:
            count = self._unfetched - 1
            named = ", ".join(self._named) + (" …" if count > len(self._named) else "")
            hosts = "of one more host" if count == 1 else f"of {count} more hosts"
            log.warning(
                "no page %s was fetched, because robots.txt could not be: %s (level INFO gives each reason)",
                hosts, named,
            )  # fmt: skip
            self._named.clear()
        for repeats in self._repeats.values():
            if repeats.count:
                times = "1 more time" if repeats.count == 1 else f"{repeats.count} more times"
                log.error("%s failed %s like this: %s", repeats.handler, times, repeats.message)
        self._repeats.clear()


class _Repeats(Struct, eq=False):
    """The failures of one place after the first."""

    handler: str
    message: str
    """Those of the first failure."""
    count: int = 0


def _line_of(error: BaseException | None) -> tuple[str, int] | None:
    """Return the file and the line where an exception was raised."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
