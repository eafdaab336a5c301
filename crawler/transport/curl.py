"""`CurlTransport`: libcurl as an httpx transport on trio.

::

    handle_async_request ─► resolver ─► easy handle ─► CurlMulti ◄── sockets, timers ── _drive, the one task
            ▲                                              │                            that waits for them
            └──────────── Exchange ◄── on_header, on_body ─┘

libcurl does the protocols (HTTP/1.1, 2 and 3, TLS, proxies, content codings) and keeps the connections. It never waits:
it tells which sockets it is interested in and when it wants to be called next.
"""

from __future__ import annotations

import contextlib
import math
import os
import ssl
from typing import Any, Final

import attrs
import httpx
import pycurl
import trio
from trio.lowlevel import enable_ki_protection

from crawler.settings.proxies import PROXY_PORTS
from crawler.transport.curl_options import Options, proxy_of
from crawler.transport.decoding import may_have_members
from crawler.transport.errors import transport_error
from crawler.transport.extensions import failure_of, set_failure, wire_options
from crawler.transport.lean import LeanRequest, Target, target_of
from crawler.transport.resolver import Resolver, Resolves, literal
from crawler.transport.sockets import Poller, Ready, open_poller
from crawler.transport.transfer import Transfer, UnknownCoding

__all__ = ["CurlTransport", "TransportStatistics"]

KEPT_CONNECTIONS: Final = 256
KEPT_ORIGINS: Final = 1024
SAFE: Final = ("GET", "HEAD", "OPTIONS")
KEPT_LENIENT: Final = 1024
TIMER_EXPIRED: Final[Ready] = [(pycurl.SOCKET_TIMEOUT, 0)]


@attrs.frozen(kw_only=True)
class TransportStatistics:
    """What a transport is doing."""

    transfers: int
    """Requests that libcurl has in hand, bodies that are not read to their end included."""
    idle_handles: int
    """Handles of libcurl that wait to be used again."""
    driving: bool
    """Whether the task that drives libcurl lives."""


class CurlTransport(httpx.AsyncBaseTransport):
    """Sends requests by libcurl; connections are kept and used again.

    Redirects, cookies, retries and authentication are for whoever is above. A transport belongs to one `trio.run` at
    a time. The total deadline of a request is its caller's cancel scope; cancelling is safe at any moment.

    Of `httpx.Request.extensions` it reads ``timeout`` (httpx's own; ``pool`` has no meaning here), ``proxy`` (URL:
    ``http``, ``https``, ``socks5``, ``socks5h``) and ``crawler`` (`WireOptions`). With an address guard a request may
    be `Refused`; what a proxy connects to is not checked, except addresses that stand in a URL or are looked up here
    (``socks5``). The response's extensions are ``http_version``, ``reason_phrase``, ``wire_headers`` (list of name and
    value as they were received, while ``headers`` describes the decoded body) and ``primary_ip``. Its exceptions carry
    the request and a `TransportFailure`.

    A kept connection that the server has closed meanwhile is replaced and the request sent again, by libcurl, as long
    as no byte of an answer has come; whatever the method, as browsers do. libcurl may meet one such connection after
    another, and gives up then: the request is sent over a new one. Where an answer has header lines that browsers take
    and libcurl does not, a GET or HEAD is sent once more and read by `ask_leniently`. A request's body is read into
    memory first.

    libcurl gives no body where a content coding was applied that it does not know (``Content-Encoding: utf-8``). A
    request that is safe to repeat is sent again at once then, unless `WireOptions.resend` forbids it. From then on that
    origin is asked for ``gzip`` and ``deflate`` only, nothing of it decoded: ``headers`` has the codings.

    Parameters:
        connect_timeout: seconds for finding the address, and again for connecting, TLS and proxies included.
        max_headers: bytes of response header lines; libcurl itself takes no more than 307,200, in lines of 102,400.
        tls_verify: whether certificates are verified, or the file of the authorities that are trusted; ``True``: those
            of certifi.
        http3: whether HTTP/3 is tried too, beside HTTP/2 and 1.1.
        max_connections: connections kept at most; 0: 256.
        resolver: who finds addresses; `None`: a `Resolver`.
        buffer: bytes of a body that wait here for its reader before libcurl stops reading.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 10.0,
        max_headers: int = 262_144,
        tls_verify: bool | str | os.PathLike[str] = True,
        http3: bool = False,
        max_connections: int = 0,
        resolver: Resolves | None = None,
        buffer: int = 262_144,
    ) -> None:
        self._options = Options(connect_timeout=connect_timeout, tls_verify=tls_verify, http3=http3)
        self._max_headers = max_headers
        self._max_connections = max_connections or KEPT_CONNECTIONS
        self._resolver = resolver or Resolver(timeout=connect_timeout)
        self._buffer = buffer
        self._closed = False
        self._multi: Any = None  # opened by the first request
        self._poller: Poller
        self._idle: list[Any] = []
        self._transfers: dict[Any, Transfer] = {}  # by handle
        self._as_is: dict[Target, None] = {}  # who sent a content coding that libcurl does not know
        self._doubtful: set[Target] = set()  # whose kept connections may be closed: the next request takes a new one
        self._lenient: dict[
            str, str
        ] = {}  # URLs whose header lines libcurl does not take, and the addresses they are at
        self._tls: ssl.SSLContext | None = None  # for these
        self._due = math.inf  # when libcurl wants to be called, on trio's clock
        self._acting = False  # inside libcurl
        self._fault: Exception | None = None
        self._run: trio.lowlevel.TrioToken | None = None  # where the driver lives
        self._nap = trio.CancelScope()  # what the driver waits in

    def statistics(self) -> TransportStatistics:
        """What it is doing."""
        return TransportStatistics(
            transfers=len(self._transfers), idle_handles=len(self._idle), driving=self._run is not None
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, as soon as its headers are complete. Close it, if its body is not read to its end.

        Raises:
            httpx.RequestError: there is none.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            target = target_of(request)
        except ValueError as error:
            raise transport_error(httpx.UnsupportedProtocol, str(error), request=request, sent=False) from None
        if self._lenient and (address := self._lenient_address(request)):
            return await self._leniently(request, target, address)
        try:
            return await self._exchange(request, target)
        except UnknownCoding:
            if len(self._as_is) >= KEPT_ORIGINS:
                del self._as_is[next(iter(self._as_is))]
            self._as_is[target] = None
            if request.method not in SAFE or not wire_options(request).resend:
                raise
        return await self._exchange(request, target, again=True)

    async def _exchange(self, request: httpx.Request, target: Target, *, again: bool = False) -> httpx.Response:
        fresh = bool(self._doubtful) and target in self._doubtful
        if fresh:
            self._doubtful.remove(target)
        exchange = Transfer(
            request,
            body=await request.aread(),
            proxy=proxy_of(request),
            buffer=self._buffer,
            max_headers=self._max_headers,
            drop=self._drop,
            as_is=target in self._as_is or may_have_members(_address_of(request)),  # libcurl reads the first only
            again=again,
            fresh=fresh,
        )
        try:
            self._start(exchange, await self._addresses(exchange, target))
            return await exchange.response()
        except httpx.RequestError as error:
            exchange.close()
            failed = failure_of(error)
            if failed is not None and exchange.proxy_fault is not None:
                failed = attrs.evolve(failed, proxy_fault=exchange.proxy_fault)
                set_failure(error, failed)
            stale = failed is not None and failed.is_stale
            if stale:
                self._doubt(target)
            once_more = exchange.resend and not fresh if stale else self._learns_leniency(error, exchange)
            if not once_more:
                raise
        except BaseException:
            exchange.close()
            raise
        if stale:
            return await self._exchange(request, target, again=True)
        return await self._leniently(request, target, exchange.primary_ip, again=True)

    def _doubt(self, target: Target) -> None:
        """A kept connection was closed, and others may be: the next request there takes none of them."""
        if len(self._doubtful) >= KEPT_ORIGINS:
            self._doubtful.clear()
        self._doubtful.add(target)

    def _learns_leniency(self, error: httpx.RequestError, exchange: Transfer) -> bool:
        """Whether libcurl gave up at a line that browsers take, and it may be asked again at once."""
        failed = failure_of(error)
        if failed is None or failed.kind != "bad_header" or not isinstance(error, httpx.RemoteProtocolError):
            return False
        from crawler.transport.lenient import is_bad_line, may_be_lenient  # noqa: PLC0415 - few servers need it

        request = exchange.request
        if exchange.proxy is not None or not is_bad_line(error) or not may_be_lenient(request):
            return False
        if exchange.resend:
            return True
        if len(self._lenient) >= KEPT_LENIENT:
            del self._lenient[next(iter(self._lenient))]
        self._lenient[_address_of(request)] = exchange.primary_ip
        set_failure(error, attrs.evolve(failed, retryable=True))  # in its turn
        return False

    def _lenient_address(self, request: httpx.Request) -> str | None:
        """Where such a server is, if it is known that this URL is on one, and this request may be sent like that."""
        from crawler.transport.lenient import may_be_lenient  # noqa: PLC0415

        url, guard = _address_of(request), wire_options(request).address_guard
        if url not in self._lenient or not may_be_lenient(request):
            return None
        address = self._lenient.pop(url)
        return address if guard is None or guard.allows(address) else None

    async def _leniently(
        self, request: httpx.Request, target: Target, address: str, *, again: bool = False
    ) -> httpx.Response:
        """The answer of a server that sends such lines."""
        from crawler.transport.lenient import ask_leniently, tls_context  # noqa: PLC0415

        if target.scheme == "https" and self._tls is None:
            self._tls = tls_context(self._options.tls_verify)
        return await ask_leniently(
            request,
            target,
            address,
            tls=self._tls if target.scheme == "https" else None,
            connect_timeout=self._options.connect_timeout,
            max_headers=self._max_headers,
            again=again,
        )

    async def aclose(self) -> None:
        """End what is under way and close all connections. Never waits; may be called again."""
        self._closed = True
        self._end_all(httpx.CloseError, "the transport was closed")

    # ---- the beginning and the end of a transfer --------------------------------------------------------------------

    async def _addresses(self, exchange: Transfer, target: Target) -> list[str]:
        """Names and addresses for libcurl's own cache (CURLOPT_RESOLVE); names that proxies resolve are not ours."""
        proxy, options = exchange.proxy, wire_options(exchange.request)
        guard, start = options.address_guard, options.is_start_page
        if guard is not None and proxy is not None and (address := literal(target.host)):
            guard.check(address, (address,), is_start_page=start)
        hosts = []
        if proxy is None or proxy.scheme == "socks5":
            hosts.append((target.host, target.port, True))
        if proxy is not None:
            hosts.append((proxy.raw_host.decode("ascii"), proxy.port or PROXY_PORTS[proxy.scheme], False))
        entries = []
        for host, port, of_site in hosts:
            try:
                addresses = await self._resolver.resolve(host, port)
            except OSError as error:
                cls: type[httpx.RequestError] = httpx.ConnectError if of_site else httpx.ProxyError
                if isinstance(error, TimeoutError):
                    cls = httpx.ConnectTimeout
                words = f"no address of {host}: {error.strerror or error}"
                raise transport_error(
                    cls,
                    words,
                    request=exchange.request,
                    sent=False,
                    kind="dns" if of_site else "proxy",
                    proxy_fault=None if of_site else "proxy",
                ) from error
            if guard is not None and of_site:
                addresses = guard.check(host, addresses, is_start_page=start)
            if addresses != (host,):  # the plus: an entry that ages like any other, and replaces an older one
                listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
                entries.append(f"+{host}:{port}:{listed}")
        return entries

    @enable_ki_protection
    def _start(self, exchange: Transfer, addresses: list[str]) -> None:
        """Give a request to libcurl, and let it begin."""
        request = exchange.request
        if self._closed:
            raise transport_error(httpx.CloseError, "the transport is closed", request=request, sent=False)
        run = trio.lowlevel.current_trio_token()
        if self._multi is None:
            self._multi = self._new_multi()
        if self._run is None:
            self._run = run
            self._due = -math.inf  # what the timer said is of another time, perhaps of another clock
            trio.lowlevel.spawn_system_task(self._drive, name="libcurl")
        elif self._run is not run:
            raise RuntimeError("this transport is in use by another trio.run()")
        curl = self._idle.pop() if self._idle else self._new_handle()
        try:
            exchange.plain = self._options.describe(curl, exchange, addresses)
            self._acting = True  # adding it sets a timer that is up at once: no need to wake the driver for it
            self._multi.add_handle(curl)
        except Exception as error:
            self._acting = False
            curl.close()
            raise transport_error(
                httpx.LocalProtocolError, f"cannot be sent: {error}", request=request, sent=False
            ) from error
        exchange.curl = curl
        self._transfers[curl] = exchange
        self._act(TIMER_EXPIRED)

    @enable_ki_protection
    def _drop(self, exchange: Transfer) -> None:
        """Take a transfer from libcurl, if it has it."""
        if exchange.curl is not None:
            self._release(exchange.curl)
            if not self._transfers:
                self._nap.cancel(reason="no transfer is under way any more")

    def _release(self, curl: Any) -> Transfer:
        """Take a handle from libcurl and keep it for another request, with nothing of this one left in it."""
        exchange = self._transfers.pop(curl)
        exchange.curl = None
        self._multi.remove_handle(curl)
        if not exchange.plain:
            curl.reset()
            self._options.equip(curl)
        self._idle.append(curl)
        return exchange

    def _new_multi(self) -> Any:
        self._poller = open_poller()
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        multi.setopt(pycurl.M_MAXCONNECTS, self._max_connections)
        return multi

    def _new_handle(self) -> Any:
        curl = pycurl.Curl()
        self._options.equip(curl)
        return curl

    # ---- libcurl's event loop ---------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        """Wait for what libcurl wants, while it has transfers. A system task: nothing may be raised out of it."""
        try:
            while self._transfers or await self._linger():
                with trio.CancelScope(deadline=self._due) as self._nap:  # noqa: ASYNC912 - it waits for the poller inside
                    while self._transfers:
                        self._act(await self._poller.wait())
                if self._transfers:
                    self._fire()
        except Exception as error:
            self._end_all(httpx.TransportError, f"the HTTP engine failed: {error!r}")
        finally:
            self._run = None
            if self._transfers:
                self._end_all(httpx.CloseError, "trio.run() ended")

    async def _linger(self) -> bool:
        """Whether somebody who got an answer just now has sent another request: that spares a new task for it."""
        for _ in range(2):  # he runs in the first turn, perhaps after us
            await trio.lowlevel.cancel_shielded_checkpoint()
        return bool(self._transfers)

    def _fire(self) -> None:
        """The timer is up, or nearly: libcurl only tells of a next time that differs from the one it told before."""
        self._due = math.inf
        self._act(TIMER_EXPIRED)
        if self._due == math.inf and self._multi is not None:
            self._on_timer(self._multi.timeout())

    @enable_ki_protection
    def _act(self, ready: Ready) -> None:
        """Let libcurl work on what is ready, hand on what it has finished, and note when it wants to be called."""
        self._acting = True
        try:
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
        self._acting = False
        if self._fault is None:
            self._arm()
        else:
            self._end_all(httpx.TransportError, f"the HTTP engine failed: {self._fault!r}")

    def _finish(self, curl: Any, code: int = pycurl.E_OK, words: str = "", os_errno: int = 0) -> None:
        exchange = self._transfers[curl]
        if code != pycurl.E_OK and exchange.proxy is not None and not exchange.sent:
            from crawler.transport.proxy_faults import find_fault  # noqa: PLC0415 - only of use with proxies

            exchange.proxy_fault = find_fault(curl, code, exchange.proxy)
        self._release(curl).end(code, words, os_errno)

    @enable_ki_protection
    def _on_socket(self, interest: int, fd: int, _multi: object, _data: object) -> None:
        """SOCKETFUNCTION: what libcurl wants to know about a socket."""
        try:
            self._poller.watch(fd, interest)
        except Exception as error:
            self._fault = error

    @enable_ki_protection
    def _on_timer(self, milliseconds: int) -> None:
        """TIMERFUNCTION: when libcurl wants to be called, whatever happens; it has one timer."""
        self._due = math.inf if milliseconds < 0 else trio.current_time() + milliseconds / 1000
        if not self._acting:
            self._arm()

    def _arm(self) -> None:
        """Let the driver's nap end in time. Waking too early is harmless, so a later time is not worth the trouble."""
        if self._due < self._nap.deadline:  # noqa: PLR1730 - setting it costs, even to the same time
            self._nap.deadline = self._due

    def _end_all(self, kind: type[httpx.RequestError], words: str) -> None:
        """End every transfer for this reason and close what is open; the next request opens it anew."""
        transfers, self._transfers = self._transfers, {}
        self._nap.cancel(reason=words)  # nobody may be waiting when the poller is closed
        for curl, exchange in transfers.items():
            exchange.curl = None
            with contextlib.suppress(pycurl.error):
                self._multi.remove_handle(curl)
            curl.close()
            exchange.fail(transport_error(kind, words, request=exchange.request, sent=exchange.sent))
        while self._idle:
            self._idle.pop().close()
        if self._multi is not None:
            self._multi.close()
            self._poller.close()
        self._multi = self._fault = None


def _address_of(request: httpx.Request) -> str:
    return request.address if isinstance(request, LeanRequest) else str(request.url)
