"""`CurlTransport`: libcurl as an httpx transport on trio.

::

    handle_async_request ─► exchange ─► Addresses ─► CurlDriver ─► Transfer
                               ▲                                      │
                               └────── once more, if need be ─────────┘

libcurl implements the protocols (HTTP/1.1, 2 and 3, TLS, proxies) and keeps the connections.
"""

from __future__ import annotations

import os
from typing import Final

import httpx
import trio
from msgspec.structs import replace

from crawler.transport.addresses import Addresses, SlowAddresses
from crawler.transport.curl_options import CurlOptions, proxy_of
from crawler.transport.driver import CurlDriver, TransportStatistics
from crawler.transport.errors import transport_error
from crawler.transport.resolver import AddressResolver, Resolver
from crawler.transport.transfer import Transfer
from crawler.transport.wire import (
    DEADLINE,
    LeanRequest,
    Target,
    failure_of,
    set_failure,
    target_of,
)

__all__ = ["CurlTransport", "TransportStatistics"]

MAX_REMEMBERED: Final = 1024
"""Origins or URLs with a peculiarity that are remembered; the oldest is forgotten first."""


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

    A request is sent a second time in two cases:

    * The server had closed the kept connection. libcurl itself sends an idempotent request again as long as no byte of
      a response has come; after several dead connections in a row it gives up, and the request goes out over a new
      connection. A request that is not idempotent fails (RFC 9110 section 9.2.2); to make that rare, it uses a kept
      connection only if that was idle for at most a second. The same applies to a kept connection on which the server
      sends bytes that are no response, such as the body of an earlier 204 or 304.
    * The response has header lines that browsers accept and libcurl rejects. A GET or HEAD without a body is then sent
      by a `LenientTransfer`, unless an HTTP proxy forwards it without a tunnel.

    The body of a request is read into memory first.
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
        options = CurlOptions(connect_timeout=connect_timeout, tls_verify=tls_verify, http3=http3)
        slow = SlowAddresses()
        self._addresses = Addresses(resolver or Resolver(timeout=connect_timeout), slow)
        self._driver = CurlDriver(options, slow, max_connections, self._suspect_connections)
        self._max_headers = max_headers
        self._buffer = buffer
        self._suspect: set[Target] = set()  # origins whose kept connections may be dead: the next request opens one
        self._lenient: dict[str, None] = {}  # URLs whose header lines libcurl rejected: the next request is lenient

    def statistics(self) -> TransportStatistics:
        """Return what the transport is doing."""
        return self._driver.statistics()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response as soon as its headers are complete. Close it unless you read its body to the end."""
        return (await self.exchange(request)).as_response()

    async def exchange(self, request: httpx.Request) -> Transfer:
        """Send a request, and return its transfer as soon as the headers of the response are complete.

        The transfer of a small `WireOptions.max_body` may have its body, too. Close it unless you read that to the end.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            target = target_of(request)
        except ValueError as error:
            raise transport_error(httpx.UnsupportedProtocol, str(error), request=request, sent=False) from None
        body = request.body if isinstance(request, LeanRequest) else await request.aread()
        proxy = proxy_of(request)
        driver, is_lenient = self._driver, False
        while True:  # noqa: ASYNC913 - each turn sends the request
            transfer = self._transfer(request, target, body, proxy, is_lenient=is_lenient)
            try:
                addresses = self._addresses.known(transfer, target)
                if addresses is None:
                    addresses = await self._addresses.resolve(transfer, target)
                while driver.is_full():
                    await driver.wait_for_room(transfer)
                driver.start(transfer, addresses)
                while not transfer.has_response:
                    await transfer.wait()
                transfer.check_response()
                return transfer
            except httpx.RequestError as error:
                transfer.close()
                is_stale = self._note_failure(error, transfer, target)
                if is_stale:
                    resend = transfer.may_resend and not transfer.new_connection
                else:
                    resend = is_lenient = self._learn_leniency(error, transfer)
                if not resend:
                    raise
            except BaseException:
                transfer.close()
                raise

    def _transfer(
        self, request: httpx.Request, target: Target, body: bytes, proxy: httpx.URL | None, *, is_lenient: bool
    ) -> Transfer:
        """Return a transfer of a request, with what is known about its origin and its URL."""
        new_connection = bool(self._suspect) and target in self._suspect
        if new_connection:
            self._suspect.remove(target)
        cls = Transfer
        if is_lenient or (self._lenient and self._must_be_lenient(request, body, proxy)):
            from crawler.transport.lenient import LenientTransfer as cls  # noqa: N813, PLC0415 - few servers need it
        return cls(
            request,
            body=body,
            proxy=proxy,
            buffer=self._buffer,
            max_headers=self._max_headers,
            drop=self._driver.drop,
            new_connection=new_connection or cls.connect_only,
        )

    async def aclose(self) -> None:
        """End all transfers and close all connections. Never waits; further calls do nothing."""
        self._driver.close()

    # ---- what failures teach -----------------------------------------------------------------------------------------

    def _note_failure(self, error: httpx.RequestError, transfer: Transfer, target: Target) -> bool:
        """Note where a transfer failed, and return whether it failed at a kept connection that was closed."""
        failure = failure_of(error)
        if failure is None:
            return False
        if failure.kind != DEADLINE and transfer.proxy_fault is not None:
            failure = replace(failure, proxy_fault=transfer.proxy_fault)
            set_failure(error, failure)
        if failure.is_stale:
            self._suspect_target(target)
        return failure.is_stale

    def _suspect_connections(self, transfer: Transfer) -> None:
        """Let the next request to the origin of a transfer open a connection."""
        self._suspect_target(target_of(transfer.request))

    def _suspect_target(self, target: Target) -> None:
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


def _address_of(request: httpx.Request) -> str:
    """Return the URL of a request, without parsing that of a lean one."""
    return request.address if isinstance(request, LeanRequest) else str(request.url)
