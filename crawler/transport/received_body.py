"""`ReceivedBody`: the body of a response on its way from libcurl to its reader."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections import deque
from typing import Final, Self

import httpx
import pycurl
import trio
from trio.lowlevel import current_task, enable_ki_protection, reschedule

__all__ = ["WRITEFUNC_ERROR", "Awaited", "ReceivedBody"]


class Awaited:
    """Lets one task wait until a callback of libcurl wakes it."""

    __slots__ = ("_is_timed", "_task", "_timeout_scope")

    def __init__(self, *, is_timed: bool) -> None:
        self._is_timed = is_timed
        self._task: trio.lowlevel.Task | None = None  # the one that waits
        self._timeout_scope: trio.CancelScope | None = None  # around its wait

    @abstractmethod
    def _silence_allowed(self) -> float:
        """Return the seconds for which the server may be silent now."""

    @abstractmethod
    def _silence_error(self) -> httpx.RequestError:
        """Return the error of a server that was silent for longer."""

    @enable_ki_protection
    async def wait(self) -> None:
        """Wait until something has arrived. Ctrl-C cannot come between the note that a task waits and its wait."""
        if self._task is not None:
            raise trio.BusyResourceError("another task reads this response")
        self._task = current_task()
        if self._is_timed:
            await self._wait_with_timeout()
        else:
            await trio.lowlevel.wait_task_rescheduled(self._abort_wait)

    @enable_ki_protection
    async def _wait_with_timeout(self) -> None:
        with trio.CancelScope() as self._timeout_scope:
            self._note_sign_of_life()
            await trio.lowlevel.wait_task_rescheduled(self._abort_wait)
        if self._timeout_scope.cancelled_caught:
            raise self._silence_error()

    def _abort_wait(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake(self) -> None:
        """Wake the task that waits, if there is one."""
        task = self._task
        if task is not None:
            self._task = None
            reschedule(task)

    def _note_sign_of_life(self) -> None:
        """Restart the timeout of the waiting task: the server has shown that it is alive."""
        if self._timeout_scope is not None:
            self._timeout_scope.deadline = trio.current_time() + self._silence_allowed()


WRITEFUNC_PAUSE: Final[int] = pycurl.WRITEFUNC_PAUSE
WRITEFUNC_ERROR: Final = -1
"""What a callback of libcurl returns to end its transfer."""
MAX_WHOLE: Final = 512 * 1024
"""Bytes of a body that are gathered, before they are delivered."""


class ReceivedBody(Awaited):
    """Holds what has arrived of a body and was not read. If that is too much, libcurl pauses."""

    __slots__ = (
        "_body_size", "_buffer", "_chunks", "_chunks_size", "_ended", "_error", "_is_limited", "_max_size", "_paused",
        "_whole", "has_response",
    )  # fmt: skip

    def __init__(self, *, buffer: int, max_size: float, is_timed: bool) -> None:
        super().__init__(is_timed=is_timed)
        self.has_response = False
        """Whether the waiting task gets the response now, or an error."""
        self._buffer = buffer
        self._max_size = max_size
        self._is_limited = True  # whether the reader wants `max_size` bytes of this at most
        self._body_size = 0  # bytes delivered by libcurl
        self._whole: io.BytesIO | None = None  # a body that is delivered in one piece
        self._chunks: deque[bytes] = deque()  # of the body, not yet read
        self._chunks_size = 0
        self._paused = self._ended = False
        self._error: Exception | None = None

    # ---- it arrives --------------------------------------------------------------------------------------------------

    @enable_ki_protection
    def on_body(self, chunk: bytes) -> int | None:
        """WRITEFUNCTION: take bytes, or pause libcurl when too many are unread."""
        if self._whole is not None:
            self._body_size += self._whole.write(chunk)
            if self._body_size > MAX_WHOLE:
                self._deliver_in_pieces(self._whole)
            return WRITEFUNC_ERROR if self._body_size > self._max_size and self._is_limited else None
        if self._chunks_size >= self._buffer:
            self._paused = True
            return WRITEFUNC_PAUSE
        self._chunks.append(chunk)
        self._chunks_size += len(chunk)
        self._body_size += len(chunk)
        self._wake()
        return None

    def _deliver_in_pieces(self, whole: io.BytesIO) -> None:
        """Deliver what was gathered of a large body, and the rest piece by piece: its reader may have to wait."""
        self._chunks.append(whole.getvalue())
        self._chunks_size = self._body_size
        self._whole = None
        self.has_response = True
        self._wake()

    def _gather(self) -> None:
        """Deliver the body in one piece, unless it turns out to be large."""
        self._whole = io.BytesIO()

    def _finish(self) -> None:
        """Note that nothing more arrives, and wake the task that waits."""
        self._ended = self.has_response = True
        self._wake()

    @property
    def is_paused(self) -> bool:
        """Whether libcurl does not read the body because too much of it waits for its reader."""
        return self._paused

    # ---- it is read --------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes of the body; no checkpoint if they have arrived already."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                return self._take_whole()
            await self.wait()
        chunk = self._chunks.popleft()
        self._chunks_size -= len(chunk)
        if self._paused and self._chunks_size * 2 <= self._buffer:
            self._unpause()
        return chunk

    def _take_whole(self) -> bytes:
        """Return a body that was gathered in one piece, once."""
        whole = self.take_body()
        if not whole:
            raise StopAsyncIteration
        return whole

    def take_body(self) -> bytes | None:
        """Return the body, once, if it was gathered in one piece and has arrived completely; else `None`."""
        if self._whole is None or self._error is not None or not self._ended:
            return None
        whole, self._whole = self._whole.getvalue(), None
        return whole

    def _forget(self) -> None:
        """Forget what was not read."""
        self._chunks.clear()
        self._chunks_size = 0
        self._whole = None

    @abstractmethod
    def _unpause(self) -> None:
        """Let libcurl continue."""
