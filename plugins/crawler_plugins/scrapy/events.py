"""`Signals` sends the signals of Scrapy that have receivers; `is_logged` and `log_result` are for its log formatter."""

from __future__ import annotations

import logging
from typing import Any

from pydispatch.dispatcher import getAllReceivers, liveReceivers
from pydispatch.robustapply import robustApply
from scrapy.exceptions import CloseSpider, IgnoreRequest, StopDownload
from scrapy.logformatter import LogFormatter
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from crawler_plugins.scrapy.deferreds import is_pending, result_of

__all__ = ["Signals", "is_logged", "log_result"]

log = logging.getLogger("scrapy.utils.signal")


class Signals:
    """Sends signals of a Scrapy crawler.

    Parameters:
        crawler: The `scrapy.crawler.Crawler`.
    """

    def __init__(self, crawler: Any) -> None:
        self._crawler = crawler
        self._manager = crawler.signals

    def is_heard(self, signal: object) -> bool:
        """Return whether a signal has receivers."""
        return bool(self._receivers(signal))

    def _receivers(self, signal: object) -> list[Any]:
        """Return the receivers of a signal."""
        return list(liveReceivers(getAllReceivers(self._manager.sender, signal)))

    def _call(self, receiver: Any, signal: object, arguments: dict[str, Any]) -> Any:
        """Call a receiver with those arguments that it takes."""
        given = {"signal": signal, "sender": self._manager.sender, "spider": self._crawler.spider, **arguments}
        return robustApply(receiver, **given)

    def send(self, signal: object, *, quiet: Any = (), **arguments: Any) -> list[Any]:
        """Send a signal, and return what its receivers return; a `Failure` for an exception.

        Parameters:
            signal: The signal.
            quiet: Classes of exceptions that are not logged.
            arguments: Arguments of the receivers, in addition to the spider.
        """
        results: list[Any] = []
        spider = self._crawler.spider
        for receiver in self._receivers(signal):
            try:
                result = self._call(receiver, signal, arguments)
                if isinstance(result, Deferred):
                    log.error("Cannot return deferreds from signal handler: %s", receiver, extra={"spider": spider})
            except Exception as error:
                if not isinstance(error, (quiet, StopDownload)):
                    log.exception("Error caught on signal handler: %s", receiver, extra={"spider": spider})
                if isinstance(error, StopDownload):
                    name = getattr(receiver, "__qualname__", receiver)
                    log.debug("Download stopped for %s from signal handler %s", arguments.get("request"), name)
                result = Failure()
            results.append(result)
        return results

    async def send_async(self, signal: object, **arguments: Any) -> list[Any]:
        """Send a signal, and wait for receivers that are coroutines or return a Deferred."""
        results = []
        spider = self._crawler.spider
        for receiver in self._receivers(signal):
            try:
                result = self._call(receiver, signal, arguments)
                if is_pending(result):
                    result = await result_of(result)
            except Exception as error:
                if not isinstance(error, CloseSpider):
                    log.exception("Error caught on signal handler: %s", receiver, extra={"spider": spider})
                result = Failure()
            results.append(result)
        return results

    def stop_of(self, signal: object, **arguments: Any) -> StopDownload | None:
        """Send a signal, and return the `StopDownload` that a receiver raises."""
        results = self.send(signal, **arguments)
        found = (result.value for result in results if isinstance(result, Failure))
        return next((error for error in found if isinstance(error, StopDownload)), None)

    def refuses(self, signal: object, **arguments: Any) -> bool:
        """Send a signal, and return whether a receiver raises `IgnoreRequest`."""
        results = self.send(signal, quiet=IgnoreRequest, **arguments)
        return any(isinstance(result, Failure) and isinstance(result.value, IgnoreRequest) for result in results)


def is_logged(log: logging.Logger, formatter: Any, method: str) -> bool:
    """Return whether messages of a method of a `LogFormatter` may be logged: those of Scrapy's own are debug messages.

    Parameters:
        log: The logger.
        formatter: The formatter.
        method: The name of the method.
    """
    return log.isEnabledFor(logging.DEBUG) or getattr(type(formatter), method) is not getattr(LogFormatter, method)


def log_result(log: logging.Logger, entry: Any, spider: Any, *, exc_info: Any = None, **extra: Any) -> None:
    """Log what a method of a `LogFormatter` returned, unless it is `None`.

    Parameters:
        log: The logger.
        entry: A dict with ``level``, ``msg`` and ``args``.
        spider: The spider, for handlers of the project.
        exc_info: As of the logging module.
        extra: Further attributes of the record.
    """
    if entry is not None:
        arguments = entry.get("args") or ()
        log.log(entry["level"], entry["msg"], *((arguments,) if isinstance(arguments, dict) else arguments),
                exc_info=exc_info, extra={"spider": spider, **extra})  # fmt: skip
