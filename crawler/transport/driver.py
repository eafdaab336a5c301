"""`CurlDriver`: libcurl's multi handle, and the one task that drives it.

::

    start ─► easy handle ─► CurlMulti ◄── sockets, timers ── _drive, the one task that waits for them
                                │
         Transfer ◄── on_header, on_body

libcurl never waits: it names the sockets to watch and the time of its next call.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, Final

import httpx
import pycurl
import trio
from msgspec import Struct
from trio.lowlevel import enable_ki_protection

from crawler.transport.addresses import SlowAddresses
from crawler.transport.curl_options import CurlOptions, connection_stages
from crawler.transport.errors import transport_error
from crawler.transport.inspection import INTERVAL, MAX_EVENTS, Inspection
from crawler.transport.open_files import TransferRoom
from crawler.transport.sockets import Poller, Ready, open_poller
from crawler.transport.transfer import Transfer

__all__ = ["CurlDriver", "TransportStatistics"]

TIMER_EXPIRED: Final[Ready] = [(pycurl.SOCKET_TIMEOUT, 0)]
NEAR: Final = 1000 * INTERVAL
"""Milliseconds. A timer that expires later is looked at by the inspection before that."""


class TransportStatistics(Struct, frozen=True, kw_only=True):
    """Statistics of a transport."""

    transfers: int
    """Requests in libcurl's hands, including those whose body has not been read to its end."""
    idle_handles: int
    """Easy handles of libcurl kept for further requests."""
    driving: bool
    """Whether the task that drives libcurl is running."""


class CurlDriver:
    """Drives the transfers of libcurl. It belongs to one `trio.run` at a time."""

    def __init__(
        self,
        options: CurlOptions,
        slow: SlowAddresses,
        max_connections: int,
        on_endless: Callable[[Transfer], None],
    ) -> None:
        self._options = options
        self._slow = slow
        self._room = TransferRoom(max_connections or 4096)
        self._on_endless = on_endless
        self._closed = False
        self._multi: Any = None  # opened by the first request
        self._poller: Poller
        self._idle: list[Any] = []
        self._transfers: dict[Any, Transfer] = {}  # by easy handle
        self._due = math.inf  # trio's time of libcurl's next call
        self._timer: int | None = None  # milliseconds until then, as libcurl has just announced
        self._in_libcurl = False
        self._fault: Exception | None = None  # raised inside a callback of libcurl
        self._run: trio.lowlevel.TrioToken | None = None  # of the run in which the driver lives
        self._clock: Callable[[], float]  # of this run: `trio.current_time` looks it up each time
        self._nap = trio.CancelScope()  # the driver's wait
        self._inspection = Inspection()

    def statistics(self) -> TransportStatistics:
        """Return what libcurl is doing."""
        return TransportStatistics(
            transfers=len(self._transfers), idle_handles=len(self._idle), driving=self._run is not None
        )

    def close(self) -> None:
        """End all transfers and close all connections, for good."""
        self._closed = True
        self._end_all(httpx.CloseError, "the transport was closed")

    # ---- the beginning and the end of a transfer ---------------------------------------------------------------------

    def is_full(self) -> bool:
        """Return whether a further transfer might exceed the limit on open files."""
        return len(self._transfers) >= self._room.size

    async def wait_for_room(self, transfer: Transfer) -> None:
        """Wait until another transfer has ended."""
        if not await self._room.wait(transfer.complete_by):
            raise transfer.late()

    @enable_ki_protection
    def start(self, transfer: Transfer, addresses: list[str]) -> None:
        """Hand a transfer to libcurl, which begins at once."""
        request = transfer.request
        if self._closed:
            raise transport_error(httpx.CloseError, "the transport is closed", request=request, sent=False)
        run = trio.lowlevel.current_trio_token()
        if self._multi is None:
            self._multi = self._new_multi()
        if self._run is None:
            self._run = run
            self._clock = trio.lowlevel.current_clock().current_time
            self._due = -math.inf  # an earlier time may be that of another run, with another clock
            self._inspection.restart()
            trio.lowlevel.spawn_system_task(self._drive, name="libcurl")
        elif self._run is not run:
            raise RuntimeError("this transport is in use by another trio.run()")
        curl = self._idle.pop() if self._idle else self._new_handle()
        transfer.clock = self._clock
        try:
            transfer.needs_reset = self._options.configure_request(curl, transfer, addresses)
            self._in_libcurl = True  # adding sets a timer that has expired already: no need to wake the driver for it
            self._multi.add_handle(curl)
        except Exception as error:
            self._in_libcurl = False
            curl.close()
            self._room.leave()
            message = f"cannot be sent: {error}"
            raise transport_error(httpx.LocalProtocolError, message, request=request, sent=False) from error
        transfer.curl = curl
        self._transfers[curl] = transfer
        self._act(TIMER_EXPIRED)

    @enable_ki_protection
    def drop(self, transfer: Transfer) -> None:
        """Remove a transfer from libcurl, if libcurl has it, at any moment."""
        if transfer.curl is not None:
            self._release(transfer.curl)
            if not self._transfers:
                self._nap.cancel(reason="no transfer is left")

    def _release(self, curl: Any) -> Transfer:
        """Remove a handle from libcurl, reset it and keep it for another request."""
        transfer = self._transfers.pop(curl)
        self._room.leave()
        self._inspection.note_end(curl, transfer)
        if transfer.stages is not None:
            transfer.stages.update(connection_stages(curl))
        if transfer.peer is not None and curl.getinfo(pycurl.NUM_CONNECTS):
            self._slow.connected(*transfer.peer, curl.getinfo(pycurl.PRIMARY_IP), trio.current_time())
        transfer.detach()
        self._multi.remove_handle(curl)
        if transfer.needs_reset:
            curl.reset()
            self._options.configure_handle(curl)
        self._idle.append(curl)
        return transfer

    def _new_multi(self) -> Any:
        self._poller = open_poller()
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        limits = self._room.measure()
        multi.setopt(pycurl.M_MAXCONNECTS, limits.kept)
        multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, limits.total)
        return multi

    def _new_handle(self) -> Any:
        curl = pycurl.Curl()
        self._options.configure_handle(curl)
        return curl

    # ---- libcurl's event loop ---------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        """Call libcurl when a socket is ready or its timer expires, while it has transfers.

        A system task: an exception must not leave it.
        """
        try:
            while self._transfers or await self._linger():
                deadline = min(self._due, self._inspection.at)
                with trio.CancelScope(deadline=deadline) as self._nap:  # noqa: ASYNC912 - it waits for the poller inside
                    while self._transfers:
                        self._act(await self._poller.wait())
                        if self._inspection.events >= MAX_EVENTS:
                            self._inspect()
                if self._transfers:
                    self._fire()
                    if self._inspection.is_due():
                        self._inspect()
        except Exception as error:
            self._end_all(httpx.TransportError, f"the HTTP engine failed: {error!r}")
        finally:
            self._run = None
            if self._transfers:
                self._end_all(httpx.CloseError, "trio.run() ended")

    async def _linger(self) -> bool:
        """Return whether the next request comes at once, as it often does after a response: that spares a new task."""
        for _ in range(2):  # the sender runs in the next turn of the scheduler, perhaps after this task
            await trio.lowlevel.cancel_shielded_checkpoint()
        return bool(self._transfers)

    def _fire(self) -> None:
        """Notify libcurl that its timer has expired, or nearly. It announces the next time only if that has changed."""
        self._due = math.inf
        self._act(TIMER_EXPIRED)
        self._ask_timer()

    def _ask_timer(self) -> None:
        """Ask libcurl for the time of its next call, unless that is known."""
        if self._due == math.inf and self._multi is not None:
            self._on_timer(self._multi.timeout())

    @enable_ki_protection
    def _act(self, ready: Ready) -> None:
        """Let libcurl work on ready sockets, pass on what it finished, and note when to call it next."""
        self._in_libcurl = True
        try:
            self._inspection.events += len(ready)
            for fd, flags in ready:
                self._multi.socket_action(fd, flags)
            more = True
            while more:
                more, finished, failed = self._multi.info_read()
                for curl in finished:
                    self._finish(curl)
                for curl, code, message in failed:
                    self._finish(curl, code, message, curl.getinfo(pycurl.OS_ERRNO))
        except Exception as error:
            self._fault = error
        self._in_libcurl = False
        if self._fault is None:
            self._arm()
        else:
            self._end_all(httpx.TransportError, f"the HTTP engine failed: {self._fault!r}")

    def _inspect(self) -> None:
        """Let libcurl check all its connections, and end the transfers whose server sends framing without end.

        libcurl does not ask for a call after some errors of HTTP/2.
        """
        self._inspection.restart()
        connections = self._inspection.connections(self._transfers)
        self._act([(fd, 0) for fd, _ in connections])
        for transfer in self._inspection.find_endless(connections):
            if transfer.curl is not None:  # else libcurl has just ended it
                self._on_endless(transfer)
                self.drop(transfer)
                transfer.fail_by_framing()
        self._ask_timer()

    def _finish(self, curl: Any, code: int = pycurl.E_OK, message: str = "", os_errno: int = 0) -> None:
        transfer = self._transfers[curl]
        if code != pycurl.E_OK and transfer.proxy is not None and not transfer.sent:
            from crawler.transport.proxy_faults import find_fault  # noqa: PLC0415 - only of use with proxies

            transfer.proxy_fault = find_fault(curl, code, transfer.proxy)
        if code != pycurl.E_OK and transfer.peer is not None and not transfer.sent:
            self._slow.forget(transfer.peer[0])
            transfer.peer = None
        if code != pycurl.E_OK and transfer.sent:
            transfer.used_kept_connection = not curl.getinfo(pycurl.NUM_CONNECTS)
        if code == pycurl.E_OK and transfer.connect_only:
            transfer.end()
            return
        self._release(curl)
        try:
            transfer.end(code, message, os_errno)
        except Exception as error:
            transfer.fail(error)  # libcurl no longer has it, so nothing else could end it
            raise

    @enable_ki_protection
    def _on_socket(self, interest: int, fd: int, _multi: object, _data: object) -> None:
        """SOCKETFUNCTION: libcurl names a socket to watch."""
        try:
            self._poller.watch(fd, interest)
        except Exception as error:
            self._fault = error

    @enable_ki_protection
    def _on_timer(self, milliseconds: int) -> None:
        """TIMERFUNCTION: libcurl sets its one timer, often several times in a row; -1 stops it."""
        self._timer = milliseconds
        if not self._in_libcurl:
            self._arm()

    def _arm(self) -> None:
        """Let the driver wake up in time. Waking early is harmless, so a later time is left alone."""
        timer = self._timer
        if timer is not None:
            self._timer = None
            if timer == 0:
                self._due = -math.inf
            elif 0 < timer < NEAR:
                self._due = self._clock() + timer / 1000
            else:  # that needs no look at the clock: the next inspection comes first, and asks again
                self._due = math.inf
        if self._due < self._nap.deadline:  # noqa: PLR1730 - assigning costs, even the same time
            self._nap.deadline = self._due

    def _end_all(self, cls: type[httpx.RequestError], message: str) -> None:
        """End every transfer for this reason and close libcurl; the next request opens it again."""
        transfers, self._transfers = self._transfers, {}
        self._room.leave_all()
        self._nap.cancel(reason=message)  # the poller must not be waited for when it is closed
        for curl, transfer in transfers.items():
            transfer.detach()
            with contextlib.suppress(pycurl.error):
                self._multi.remove_handle(curl)
            curl.close()
            transfer.fail(transport_error(cls, message, request=transfer.request, sent=transfer.sent))
        while self._idle:
            self._idle.pop().close()
        if self._multi is not None:
            self._multi.close()
            self._poller.close()
        self._multi = self._fault = None
