"""`CurlTransport`: libcurl as an httpx transport on trio.

::

    handle_async_request ─► resolver ─► easy handle ─► CurlMulti ◄── sockets, timers ── _drive, the one task
            ▲                                              │                            that waits for them
            └──────────── Transfer ◄── on_header, on_body ─┘

libcurl implements the protocols (HTTP/1.1, 2 and 3, TLS, proxies, content codings) and keeps the connections. It never
waits: it names the sockets to watch and the time of its next call.
"""

from __future__ import annotations

import contextlib
import math
import os
from typing import Any, Final

import httpx
import pycurl
import trio
from msgspec import Struct
from msgspec.structs import replace
from trio.lowlevel import enable_ki_protection

from crawler.logs import get_logger
from crawler.settings.proxies import PROXY_PORTS
from crawler.transport.curl_options import CurlOptions, proxy_of
from crawler.transport.decoding import may_be_multi_member
from crawler.transport.errors import transport_error
from crawler.transport.extensions import DEADLINE, failure_of, set_failure, wire_options
from crawler.transport.framing_watch import FramingWatch
from crawler.transport.lean import LeanRequest, Target, target_of
from crawler.transport.open_files import (
    ConnectionLimits,
    check_open_file_limit,
    connection_limits,
    raise_open_file_limit,
)
from crawler.transport.resolver import AddressResolver, Resolver, parse_address
from crawler.transport.slow_addresses import SlowAddresses
from crawler.transport.sockets import Poller, Ready, open_poller
from crawler.transport.transfer import Transfer, UnknownCoding

__all__ = ["CurlTransport", "TransportStatistics"]

DEFAULT_MAX_CONNECTIONS: Final = 4096
MAX_REMEMBERED: Final = 1024
"""Origins or URLs with a peculiarity that are remembered; the oldest is forgotten first."""
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
MAX_EVENTS: Final = 128
"""Ready sockets and expired timers between two inspections of the connections."""
INSPECTION_INTERVAL: Final = 0.5
"""Seconds between two inspections while libcurl has little to do."""
TIMER_EXPIRED: Final[Ready] = [(pycurl.SOCKET_TIMEOUT, 0)]
log = get_logger("crawler.transport")


class TransportStatistics(Struct, frozen=True, kw_only=True):
    """Statistics of a transport."""

    transfers: int
    """Requests in libcurl's hands, including those whose body has not been read to its end."""
    idle_handles: int
    """Easy handles of libcurl kept for further requests."""
    driving: bool
    """Whether the task that drives libcurl is running."""


class CurlTransport(httpx.AsyncBaseTransport):
    """Sends requests with libcurl, over connections that are kept and reused.

    Redirects, cookies, retries and authentication are left to the caller. `WireOptions.complete_by` and cancel scopes
    limit the whole time of a request. Cancelling is safe at any moment. A transport belongs to one `trio.run` at a
    time.

    Of `httpx.Request.extensions` it reads ``timeout`` (httpx's own; ``pool`` is ignored), ``proxy`` (a URL with the
    scheme ``http``, ``https``, ``socks5`` or ``socks5h``) and ``crawler`` (`WireOptions`). With an address guard a
    request may be `Refused`; addresses that a proxy connects to are not checked, except those in a URL, and
    those resolved here (``socks5``). The extensions of a response are ``http_version``, ``reason_phrase``,
    ``wire_headers`` (name and value pairs as received, while ``headers`` describes the decoded body) and
    ``primary_ip``. Exceptions carry the request and a `TransportFailure`.

    A request is sent a second time in three cases:

    * The server had closed the kept connection. libcurl itself sends an idempotent request again as long as no byte of
      a response has come; after several dead connections in a row it gives up, and the request goes out over a new
      connection. A request that is not idempotent fails (RFC 9110 section 9.2.2); to make that rare, it uses a kept
      connection only if that was idle for at most a second.
    * The response has header lines that browsers accept and libcurl rejects. A GET or HEAD without a body is then sent
      by a `LenientTransfer`, unless an HTTP proxy forwards it without a tunnel.
    * The response has a content coding that libcurl does not know (``Content-Encoding: utf-8``), for which it delivers
      no body. A safe request is repeated at once, unless `WireOptions.resend` forbids it. From then on requests to this
      origin accept ``gzip`` and ``deflate`` only, and bodies are delivered undecoded; ``headers`` names the codings.

    The body of a request is read into memory first.

    Parameters:
        connect_timeout: Seconds for resolving the host name, and again for connecting, including TLS and proxies.
        max_headers: Bytes of response header lines; libcurl itself allows 307,200, in lines of 102,400.
        tls_verify: Whether certificates are verified, or the path of a file with trusted authorities, or of a
            folder as ``openssl rehash`` prepares it; `True` trusts those of certifi.
        http3: Whether to try HTTP/3 beside HTTP/2 and 1.1.
        max_connections: Connections kept at most; 0 means 4,096. Fewer are kept if the limit on open files, which is
            raised as far as the system allows, requires it, and requests wait until there is room for theirs.
        resolver: Resolves host names; `None` means a `Resolver`.
        buffer: Bytes of a body that may wait for their reader before libcurl stops reading.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 10.0,
        max_headers: int = 262_144,
        tls_verify: bool | str | os.PathLike[str] = True,
        http3: bool = False,
        max_connections: int = 0,
        resolver: AddressResolver | None = None,
        buffer: int = 262_144,
    ) -> None:
        check_open_file_limit()
        self._options = CurlOptions(connect_timeout=connect_timeout, tls_verify=tls_verify, http3=http3)
        self._max_headers = max_headers
        self._max_connections = max_connections or DEFAULT_MAX_CONNECTIONS
        self._resolver = resolver or Resolver(timeout=connect_timeout)
        # one of another class decides about literal addresses too
        self._known_addresses = self._resolver.known if isinstance(self._resolver, Resolver) else _nothing_known
        self._slow = SlowAddresses()
        self._buffer = buffer
        self._closed = False
        self._multi: Any = None  # opened by the first request
        self._limits: ConnectionLimits  # found by the first request
        self._queue = trio.lowlevel.ParkingLot()  # tasks whose requests do not fit into the limit on open files
        self._has_warned = False
        self._poller: Poller
        self._idle: list[Any] = []
        self._transfers: dict[Any, Transfer] = {}  # by easy handle
        self._undecoded: dict[Target, None] = {}  # origins that used a content coding unknown to libcurl
        self._suspect: set[Target] = set()  # origins whose kept connections may be dead: the next request opens one
        self._lenient: dict[str, None] = {}  # URLs whose header lines libcurl rejected: the next request is lenient
        self._due = math.inf  # trio's time of libcurl's next call
        self._timer: int | None = None  # milliseconds until then, as libcurl has just announced
        self._in_libcurl = False
        self._fault: Exception | None = None  # raised inside a callback of libcurl
        self._run: trio.lowlevel.TrioToken | None = None  # of the run in which the driver lives
        self._nap = trio.CancelScope()  # the driver's wait
        self._framing = FramingWatch()
        self._events = 0  # since the last inspection
        self._inspect_at = math.inf  # trio's time of the next one

    def statistics(self) -> TransportStatistics:
        """Return what the transport is doing."""
        return TransportStatistics(
            transfers=len(self._transfers), idle_handles=len(self._idle), driving=self._run is not None
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response as soon as its headers are complete. Close it unless you read its body to the end.

        A response with a small `WireOptions.max_body` may be returned together with its body.

        Raises:
            httpx.RequestError: The request failed.
            Refused: The address guard allows none of the addresses.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            target = target_of(request)
        except ValueError as error:
            raise transport_error(httpx.UnsupportedProtocol, str(error), request=request, sent=False) from None
        try:
            return await self._send(request, target)
        except UnknownCoding:
            if len(self._undecoded) >= MAX_REMEMBERED:
                del self._undecoded[next(iter(self._undecoded))]
            self._undecoded[target] = None
            if request.method not in SAFE_METHODS or not wire_options(request).resend:
                raise
        return await self._send(request, target)

    async def _send(self, request: httpx.Request, target: Target, *, is_lenient: bool = False) -> httpx.Response:
        new_connection = bool(self._suspect) and target in self._suspect
        if new_connection:
            self._suspect.remove(target)
        body = request.body if isinstance(request, LeanRequest) else await request.aread()
        proxy = proxy_of(request)
        cls = Transfer
        if is_lenient or (self._lenient and self._must_be_lenient(request, body, proxy)):
            from crawler.transport.lenient import LenientTransfer as cls  # noqa: N813, PLC0415 - few servers need it
        transfer = cls(
            request,
            body=body,
            proxy=proxy,
            buffer=self._buffer,
            max_headers=self._max_headers,
            drop=self._drop,
            # libcurl decodes only the first member of a gzip file
            decode=not (
                cls.connect_only
                or (self._undecoded and target in self._undecoded)
                or may_be_multi_member(_address_of(request))
            ),
            new_connection=new_connection or cls.connect_only,
        )
        try:
            began = 0.0 if transfer.stages is None else trio.current_time()
            addresses = await self._resolve(transfer, target)
            if transfer.stages is not None:
                transfer.stages["dns"] = trio.current_time() - began
            while self._multi is not None and len(self._transfers) >= self._limits.transfers:
                await self._wait_for_room(transfer)
            self._start(transfer, addresses)
            return await transfer.response()
        except httpx.RequestError as error:
            transfer.close()
            failure = failure_of(error)
            if failure is not None and failure.kind != DEADLINE and transfer.proxy_fault is not None:
                failure = replace(failure, proxy_fault=transfer.proxy_fault)
                set_failure(error, failure)
            is_stale = failure is not None and failure.is_stale
            if is_stale:
                self._suspect_connections(target)
            resend = transfer.may_resend and not new_connection if is_stale else self._learn_leniency(error, transfer)
            if not resend:
                raise
        except BaseException:
            transfer.close()
            raise
        return await self._send(request, target, is_lenient=not is_stale)

    def _suspect_connections(self, target: Target) -> None:
        """Let the next request to `target` open a connection: one kept connection was closed, so others may be."""
        if len(self._suspect) >= MAX_REMEMBERED:
            self._suspect.clear()
        self._suspect.add(target)

    def _learn_leniency(self, error: httpx.RequestError, transfer: Transfer) -> bool:
        """Return whether to send the request leniently at once, because libcurl rejected a line that browsers accept.

        Where the request may not be sent again at once, its next attempt will be lenient.
        """
        failure = failure_of(error)
        if failure is None or failure.kind != "bad_header" or not isinstance(error, httpx.RemoteProtocolError):
            return False
        if not failure.sent:  # it is the response of a proxy to CONNECT
            return False
        from crawler.transport.lenient import can_send_leniently, is_tolerable  # noqa: PLC0415 - few servers need it

        request = transfer.request
        if not is_tolerable(error) or not can_send_leniently(request, body=transfer.body, proxy=transfer.proxy):
            return False
        if transfer.may_resend:
            return True
        if len(self._lenient) >= MAX_REMEMBERED:
            del self._lenient[next(iter(self._lenient))]
        self._lenient[_address_of(request)] = None
        set_failure(error, replace(failure, retryable=True))
        return False

    def _must_be_lenient(self, request: httpx.Request, body: bytes, proxy: httpx.URL | None) -> bool:
        """Return whether the last attempt of a request asked for leniency; this one uses it up."""
        url = _address_of(request)
        if url not in self._lenient:
            return False
        from crawler.transport.lenient import can_send_leniently  # noqa: PLC0415

        if not can_send_leniently(request, body=body, proxy=proxy):
            return False
        del self._lenient[url]
        return True

    async def aclose(self) -> None:
        """End all transfers and close all connections. Never waits; further calls do nothing."""
        self._closed = True
        self._end_all(httpx.CloseError, "the transport was closed")

    # ---- the beginning and the end of a transfer --------------------------------------------------------------------

    async def _resolve(self, transfer: Transfer, target: Target) -> list[str]:
        """Return the entries for libcurl's address cache (CURLOPT_RESOLVE); names that the proxy resolves have none."""
        proxy, options = transfer.proxy, wire_options(transfer.request)
        guard, is_start_page = options.address_guard, options.is_start_page
        if guard is not None and proxy is not None and (address := parse_address(target.host)):
            guard.check(address, (address,), is_start_page=is_start_page)
        hosts = []
        if proxy is None or proxy.scheme == "socks5":
            hosts.append((target.host, target.port, True))
        if proxy is not None:
            hosts.append((proxy.raw_host.decode("ascii"), proxy.port or PROXY_PORTS[proxy.scheme], False))
        entries = []
        for host, port, is_site in hosts:
            try:
                addresses = self._known_addresses(host) or await self._look_up(transfer, host, port)
            except OSError as error:
                cls: type[httpx.RequestError] = httpx.ConnectError if is_site else httpx.ProxyError
                raise transport_error(
                    httpx.ConnectTimeout if isinstance(error, TimeoutError) else cls,
                    f"no address of {host}: {error.strerror or error}",
                    request=transfer.request,
                    sent=False,
                    kind="dns" if is_site else "proxy",
                    proxy_fault=None if is_site else "proxy",
                ) from error
            if guard is not None and is_site:
                addresses = guard.check(host, addresses, is_start_page=is_start_page)
            if len(addresses) > 1 and (proxy is None or not is_site):  # a proxy itself connects to the site
                addresses = self._slow.order(host, addresses, trio.current_time())
                transfer.peer = (host, addresses)
            if addresses != (host,):  # with the plus an entry expires like others, and replaces an older one
                listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
                entries.append(f"+{host}:{port}:{listed}")
        return entries

    async def _look_up(self, transfer: Transfer, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of a host.

        Raises:
            OSError: The name cannot be resolved.
            httpx.ReadTimeout: The lookup outlasted the deadline of the request.
        """
        with trio.CancelScope(deadline=transfer.complete_by):
            return await self._resolver.resolve(host, port)
        raise transfer.late()

    async def _wait_for_room(self, transfer: Transfer) -> None:
        """Wait until another transfer has ended: a further one might exceed the limit on open files.

        Raises:
            httpx.ReadTimeout: The wait outlasted the deadline of the request.
        """
        if not self._has_warned:
            self._has_warned = True
            words = "%d requests at once are as many as the limit on open files allows: raise it (ulimit -n)"
            log.warning(words, self._limits.transfers)
        with trio.CancelScope(deadline=transfer.complete_by):
            await self._queue.park()
            return
        raise transfer.late()

    @enable_ki_protection
    def _start(self, transfer: Transfer, addresses: list[str]) -> None:
        """Hand a transfer to libcurl, which begins at once."""
        request = transfer.request
        if self._closed:
            raise transport_error(httpx.CloseError, "the transport is closed", request=request, sent=False)
        run = trio.lowlevel.current_trio_token()
        if self._multi is None:
            self._multi = self._new_multi()
        if self._run is None:
            self._run = run
            self._due = -math.inf  # an earlier time may be that of another run, with another clock
            self._inspect_at = trio.current_time() + INSPECTION_INTERVAL
            trio.lowlevel.spawn_system_task(self._drive, name="libcurl")
        elif self._run is not run:
            raise RuntimeError("this transport is in use by another trio.run()")
        curl = self._idle.pop() if self._idle else self._new_handle()
        try:
            transfer.needs_reset = self._options.configure_request(curl, transfer, addresses)
            self._in_libcurl = True  # adding sets a timer that has expired already: no need to wake the driver for it
            self._multi.add_handle(curl)
        except Exception as error:
            self._in_libcurl = False
            curl.close()
            self._queue.unpark()  # this request leaves its room to the next
            words = f"cannot be sent: {error}"
            raise transport_error(httpx.LocalProtocolError, words, request=request, sent=False) from error
        transfer.curl = curl
        self._transfers[curl] = transfer
        self._act(TIMER_EXPIRED)

    @enable_ki_protection
    def _drop(self, transfer: Transfer) -> None:
        """Take a transfer away from libcurl, if libcurl has it."""
        if transfer.curl is not None:
            self._release(transfer.curl)
            if not self._transfers:
                self._nap.cancel(reason="no transfer is left")

    def _release(self, curl: Any) -> Transfer:
        """Take a handle away from libcurl, clean it and keep it for another request."""
        transfer = self._transfers.pop(curl)
        if self._queue:
            self._queue.unpark()
        if not transfer.owns_connection:
            self._framing.note_end(curl.getinfo(pycurl.ACTIVESOCKET), transfer)
        if transfer.stages is not None:
            transfer.stages.update(_connection_stages(curl))
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
        self._limits = connection_limits(raise_open_file_limit(), self._max_connections)
        multi.setopt(pycurl.M_MAXCONNECTS, self._limits.kept)
        multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, self._limits.total)
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
                deadline = min(self._due, self._inspect_at)
                with trio.CancelScope(deadline=deadline) as self._nap:  # noqa: ASYNC912 - it waits for the poller inside
                    while self._transfers:
                        self._act(await self._poller.wait())
                        if self._events >= MAX_EVENTS:
                            self._inspect()
                if self._transfers:
                    self._fire()
                    if self._events >= MAX_EVENTS or trio.current_time() >= self._inspect_at:
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
        """Tell libcurl that its timer expired, or nearly. It announces the next time only if that has changed."""
        self._due = math.inf
        self._act(TIMER_EXPIRED)
        if self._due == math.inf and self._multi is not None:
            self._on_timer(self._multi.timeout())

    @enable_ki_protection
    def _act(self, ready: Ready) -> None:
        """Let libcurl work on ready sockets, pass on what it finished, and note when to call it next."""
        self._in_libcurl = True
        try:
            self._events += len(ready)
            for fd, flags in ready:
                self._multi.socket_action(fd, flags)
            more = True
            while more:
                more, finished, failed = self._multi.info_read()
                for curl in finished:
                    self._finish(curl)
                for curl, code, words in failed:
                    self._finish(curl, code, words, curl.getinfo(pycurl.OS_ERRNO))
        except Exception as error:
            self._fault = error
        self._in_libcurl = False
        if self._fault is None:
            self._arm()
        else:
            self._end_all(httpx.TransportError, f"the HTTP engine failed: {self._fault!r}")

    def _inspect(self) -> None:
        """Let libcurl look at all its connections, and end the transfers whose server sends framing without end.

        libcurl does not ask for a call after some errors of HTTP/2.
        """
        self._events = 0
        self._inspect_at = trio.current_time() + INSPECTION_INTERVAL
        connected = self._connected()
        self._act([(fd, 0) for fd, _ in connected])
        for transfer in self._framing.find_endless(connected):
            if transfer.curl is not None:  # else libcurl has just ended it
                self._suspect_connections(target_of(transfer.request))
                self._drop(transfer)
                transfer.fail_by_framing()

    def _connected(self) -> list[tuple[int, Transfer]]:
        """Return the transfers to inspect, with the file descriptors of their connections."""
        sockets = []
        paused = set()  # what the system has received, libcurl may not have read
        for curl, transfer in self._transfers.items():
            if transfer.connect_only:  # it reads its connection itself
                continue
            if transfer.is_paused:
                paused.add(curl.getinfo(pycurl.ACTIVESOCKET))
            elif transfer.was_inspected or not transfer.owns_connection:
                sockets.append((curl.getinfo(pycurl.ACTIVESOCKET), transfer))
            else:
                transfer.was_inspected = True
        return [(fd, transfer) for fd, transfer in sockets if fd >= 0 and fd not in paused]

    def _finish(self, curl: Any, code: int = pycurl.E_OK, words: str = "", os_errno: int = 0) -> None:
        transfer = self._transfers[curl]
        if code != pycurl.E_OK and transfer.proxy is not None and not transfer.sent:
            from crawler.transport.proxy_faults import find_fault  # noqa: PLC0415 - only of use with proxies

            transfer.proxy_fault = find_fault(curl, code, transfer.proxy)
        if code != pycurl.E_OK and transfer.peer is not None and not transfer.sent:
            self._slow.forget(transfer.peer[0])
            transfer.peer = None
        if code == pycurl.E_OK and transfer.connect_only:
            transfer.end()
        else:
            self._release(curl).end(code, words, os_errno)

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
            if timer > 0:
                self._due = trio.current_time() + timer / 1000
            else:
                self._due = -math.inf if timer == 0 else math.inf
        if self._due < self._nap.deadline:  # noqa: PLR1730 - assigning costs, even the same time
            self._nap.deadline = self._due

    def _end_all(self, cls: type[httpx.RequestError], words: str) -> None:
        """End every transfer for this reason and close libcurl; the next request opens it again."""
        transfers, self._transfers = self._transfers, {}
        self._queue.unpark_all()
        self._nap.cancel(reason=words)  # the poller must not be waited for when it is closed
        for curl, transfer in transfers.items():
            transfer.detach()
            with contextlib.suppress(pycurl.error):
                self._multi.remove_handle(curl)
            curl.close()
            transfer.fail(transport_error(cls, words, request=transfer.request, sent=transfer.sent))
        while self._idle:
            self._idle.pop().close()
        if self._multi is not None:
            self._multi.close()
            self._poller.close()
        self._multi = self._fault = None


def _nothing_known(_host: str) -> tuple[str, ...]:
    """Return no address: the name must be resolved."""
    return ()


def _address_of(request: httpx.Request) -> str:
    """Return the URL of a request, without parsing that of a lean one."""
    return request.address if isinstance(request, LeanRequest) else str(request.url)


def _connection_stages(curl: Any) -> dict[str, float]:
    """Return the seconds for the connection of a transfer, and for TLS in it; empty if it used a kept one."""
    if not curl.getinfo(pycurl.NUM_CONNECTS):
        return {}
    connected, secured = curl.getinfo(pycurl.CONNECT_TIME), curl.getinfo(pycurl.APPCONNECT_TIME)
    stages = {"connect": max(0.0, connected - curl.getinfo(pycurl.NAMELOOKUP_TIME))}
    if secured > 0:
        stages["tls"] = max(0.0, secured - connected)
    return stages
