"""`SignalThread`: SIGINT, SIGTERM and SIGHUP end a crawl, whatever its event loop does.

The first signal stops the crawl, and the second cancels what is in flight. If the crawl does not end, a warning names
the code that it waits for, and the third signal ends the process at once. Only a person asks three times: after a
single SIGTERM or SIGHUP, of Docker or systemd for instance, the process ends when the warning is logged.

Python runs the handlers of signals in the main thread between two instructions, so never while that thread is in a
function written in C. Therefore a thread of its own reads the numbers of the signals from the wake-up descriptor, which
the interpreter writes at once.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import cache
from types import FrameType
from typing import Any, Final, Self

import trio

from crawler.engine.shutdown import FINISH_GRACE
from crawler.logs import get_logger
from crawler.watchdog import describe_step, describe_tasks

__all__ = ["INTERRUPTED", "SignalThread", "ending_signals"]

INTERRUPTED: Final = 130
"""The exit code of an interrupted process."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
HANGUP: Final = getattr(signal, "SIGHUP", None)
"""The signal of a terminal that is closed. Under ``nohup`` it is ignored, and stays so."""
REACTION_SECONDS: Final = 0.7
"""Seconds that the event loop may need to react to a signal."""
END_AFTER: Final = FINISH_GRACE - 0.05
"""Seconds from the second signal to the end of a crawl that nothing holds."""
WAY_OUT: Final = "the third signal ends the process at once"
ENDED: Final = "the process is ended as by `kill -9`; a job can be resumed"
log = get_logger("crawler.engine")


class SignalThread(AbstractContextManager["SignalThread"]):
    """Handles the signals while it is entered, in the main thread and in `trio.run`."""

    def __init__(self, stop: Callable[[bool], object], grace: float) -> None:
        self._stop = stop
        self._grace = grace
        self._handlers: dict[int, Any] = {}  # those of the program
        self._received = 0
        self._handled = 0  # by the event loop
        self._times: dict[int, float] = {}  # of the last signal of each number
        self._checks: list[tuple[float, Callable[[], None]]] = []  # when to look whether the crawl has ended
        self._answered = False  # whether the event loop has given a sign since the end of the grace
        self._is_blocked = False  # whether it gave none
        self._has_reported = False
        self._has_logged = threading.Event()
        self._is_closing = False
        self._late: int | None = None  # a signal that came when the crawl had ended

    def __enter__(self) -> Self:
        _watch_forks()
        self._loop_thread = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._task = trio.lowlevel.current_task()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._thread = threading.Thread(target=self._read, name="crawler signals", daemon=True)
        self._thread.start()
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._yield) for number in ending_signals()}
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()
        self._thread.join()
        self._reader.close()
        self.restore_handlers()
        late = self._late or next(iter(self._times), None)
        if late is not None and not self._handled:
            signal.raise_signal(late)  # the crawl has not seen it, so the program must

    def restore_handlers(self) -> None:
        """Restore the signal handlers of the program."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def leave(self) -> None:
        """Leave a forked process to its program: `_read` waits until each process has closed the descriptor."""
        signal.set_wakeup_fd(-1)
        self._writer.close()
        self.restore_handlers()

    def _yield(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal in the main thread: let the other threads run, since a C function may keep them from it."""
        if self._is_closing:
            self._late = number
        else:
            time.sleep(0.05)  # leaves the interpreter to the other threads

    def _handle(self, at_once: bool) -> None:
        """Handle a signal in the event loop."""
        self._handled += 1
        self._stop(at_once)

    # ---- in the thread -----------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the numbers of signals until the other end is closed."""
        while True:
            self._reader.settimeout(max(self._checks[0][0] - time.monotonic(), 0.001) if self._checks else None)
            try:
                numbers = self._reader.recv(64)
            except TimeoutError:
                self._checks.pop(0)[1]()
                continue
            if not numbers:
                return
            self._token.run_sync_soon(_wake, idempotent=True)  # as the descriptor of trio would
            for number in numbers:
                if number in self._handlers:
                    self._receive(number)

    def _receive(self, number: int) -> None:
        if signal.getsignal(number) != self._yield:
            return  # a plugin has taken it over
        now = time.monotonic()
        # a signal that comes again so soon is the same one, of a terminal and of a launcher for instance
        if now - self._times.get(number, -math.inf) < 0.05 and not self._has_reported:
            return
        first = min(self._times.values(), default=now)
        self._times[number] = now
        self._received += 1
        if self._received > 2:
            os._exit(INTERRUPTED)
        at_once = self._received == 2
        self._token.run_sync_soon(self._handle, at_once)
        end = now + self._grace
        self._checks = (
            [(now + REACTION_SECONDS, self._check), (now + END_AFTER, self._report)]
            if at_once
            else [
                (end, self._ask),
                (end + FINISH_GRACE + 0.1, self._check_answer),
                (end + FINISH_GRACE + REACTION_SECONDS, self._report),
            ]
        )
        if at_once and not self._handled and now - first > REACTION_SECONDS:
            self._report()  # at once, since a C function may let no thread run until the next signal

    def _check(self) -> None:
        """Report what holds the crawl if the event loop has not reacted to a signal."""
        if self._handled < self._received:
            self._report()

    def _ask(self) -> None:
        """Ask the event loop for a sign."""
        self._token.run_sync_soon(self._answer)

    def _answer(self) -> None:
        """Give a sign. It runs in the event loop."""
        self._answered = True

    def _check_answer(self) -> None:
        """End the process if its event loop has been blocked since the end of the grace."""
        self._is_blocked = not self._answered
        if self._is_blocked and self._is_last_word:
            self._report()

    def _report(self) -> None:
        """Log what holds the crawl, in one more thread: a log that is blocked must not block the third signal."""
        self._checks.clear()
        threading.Thread(target=self._log, name="crawler signals log", daemon=True).start()
        if self._is_last_word:
            self._has_logged.wait(2 * REACTION_SECONDS)
            if not self._is_closing:
                os._exit(INTERRUPTED)

    @property
    def _is_last_word(self) -> bool:
        """Whether no further signal will come: that one was not typed by a person."""
        return self._received == 1 and signal.SIGINT not in self._times

    @property
    def _way_out(self) -> str:
        return ENDED if self._is_last_word else WAY_OUT

    # ---- in the thread of the log ------------------------------------------------------------------------------------

    def _log(self) -> None:
        logged = threading.Event()
        with suppress(trio.RunFinishedError):
            if self._handled == self._received and not self._is_blocked:
                self._token.run_sync_soon(self._log_tasks, logged)
                logged.wait(REACTION_SECONDS)
            if not logged.is_set() and (step := describe_step(self._loop_thread, self._task)) is not None:
                self._has_reported = True
                log.warning("the crawl cannot stop: %s blocks the event loop; %s", step, self._way_out)
                self._has_logged.set()

    def _log_tasks(self, logged: threading.Event) -> None:
        """Log the tasks that have not ended. It runs in the event loop."""
        logged.set()
        if not self._is_closing:
            self._has_reported = True
            log.warning("the crawl has not stopped: it waits for %s; %s", describe_tasks(self._task), self._way_out)
            self._has_logged.set()


def ending_signals() -> Iterator[int]:
    """Yield the numbers of the signals that end a crawl."""
    yield from SIGNALS
    if HANGUP is not None and signal.getsignal(HANGUP) is signal.SIG_DFL:
        yield HANGUP


def _restore_in_child() -> None:
    """Let signals end a process that a callback has forked, and not the crawl, whose descriptor it shares."""
    owner = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    if isinstance(owner, SignalThread):
        owner.leave()


@cache
def _watch_forks() -> None:
    """Register a function that a forked process calls. It cannot be removed, and does nothing while no crawl runs."""
    os.register_at_fork(after_in_child=_restore_in_child)


def _wake() -> None:
    """Wake the event loop, so that it reacts to the handlers of other signals."""
