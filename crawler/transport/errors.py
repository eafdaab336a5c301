"""From libcurl's result codes to httpx exceptions, and from those to the errors of the framework.

::

    libcurl code  ──curl_error──►  httpx exception     ──translate──►  RequestError
                    (_BY_CODE)     + TransportFailure   (_BY_CLASS)    .retryable

An error is retryable if time may cure it. Not retryable, since the same request would fail in the same way, are: a host
name that does not exist (but a failed lookup is retryable), a certificate that does not verify, no TLS version or
cipher in common, a URL or a request that cannot be sent, an unsupported protocol, response headers that are malformed
or never end, too many codings of a body, and endless redirects. A body that cannot be decoded may have been damaged on
its way.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl

import httpx
import pycurl
import trio

from crawler.errors import (
    BadStatus,
    BodyTooLarge,
    BrokenExchange,
    ConnectFailed,
    FetchError,
    FetchTimeout,
    RequestError,
)
from crawler.messages import Request
from crawler.redaction import redact
from crawler.transport.error_kinds import BOMB, FINAL_KINDS, TOO_LARGE, is_unknown_host, kind_of, kind_of_code
from crawler.transport.wire import ProxyFault, TransportFailure, failure_of, origin_of, set_failure

__all__ = ["curl_error", "translate", "transport_error", "was_sent"]

# Codes that pycurl has no name for (include/curl/curl.h).
_HTTP2_STREAM, _RECURSIVE_API_CALL, _AUTH_ERROR, _HTTP3, _QUIC_CONNECT_ERROR = 92, 93, 94, 95, 96
_PROXY, _SSL_CLIENTCERT, _UNRECOVERABLE_POLL, _ECH_REQUIRED = 97, 98, 99, 101


_TLS = (
    pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_SSL_ENGINE_NOTFOUND,
    pycurl.E_SSL_ENGINE_SETFAILED,
    pycurl.E_SSL_ENGINE_INITFAILED,
    pycurl.E_SSL_CERTPROBLEM,
    pycurl.E_SSL_CIPHER,
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_USE_SSL_FAILED,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_CRL_BADFILE,
    pycurl.E_SSL_ISSUER_ERROR,
    pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
    pycurl.E_SSL_INVALIDCERTSTATUS,
    _SSL_CLIENTCERT,
    _ECH_REQUIRED,
)

_GROUPS: dict[type[httpx.RequestError], tuple[int, ...]] = {
    httpx.ConnectError: (
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_INTERFACE_FAILED,
        pycurl.E_NO_CONNECTION_AVAILABLE,
        _QUIC_CONNECT_ERROR,
        *_TLS,
    ),
    httpx.ConnectTimeout: (pycurl.E_OPERATION_TIMEDOUT,),  # the only timeout that libcurl is given
    httpx.ProxyError: (pycurl.E_COULDNT_RESOLVE_PROXY, _PROXY),
    httpx.UnsupportedProtocol: (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_NOT_BUILT_IN),
    httpx.ReadError: (pycurl.E_RECV_ERROR, pycurl.E_AGAIN),
    httpx.WriteError: (pycurl.E_SEND_ERROR, pycurl.E_UPLOAD_FAILED, pycurl.E_HTTP_POST_ERROR),
    httpx.CloseError: (pycurl.E_SSL_SHUTDOWN_FAILED,),
    httpx.RemoteProtocolError: (
        pycurl.E_FTP_WEIRD_SERVER_REPLY,  # of any protocol, despite its name
        pycurl.E_HTTP2,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_HTTP_RETURNED_ERROR,
        pycurl.E_RANGE_ERROR,
        pycurl.E_BAD_DOWNLOAD_RESUME,
        pycurl.E_GOT_NOTHING,
        pycurl.E_FILESIZE_EXCEEDED,
        pycurl.E_LOGIN_DENIED,
        pycurl.E_CHUNK_FAILED,
        _HTTP2_STREAM,
        _AUTH_ERROR,
        _HTTP3,
        TOO_LARGE,
    ),
    httpx.LocalProtocolError: (
        pycurl.E_FAILED_INIT,
        pycurl.E_URL_MALFORMAT,
        pycurl.E_MALFORMAT_USER,
        pycurl.E_READ_ERROR,
        pycurl.E_BAD_FUNCTION_ARGUMENT,
        pycurl.E_BAD_CALLING_ORDER,
        pycurl.E_BAD_PASSWORD_ENTERED,
        pycurl.E_UNKNOWN_OPTION,
        pycurl.E_SEND_FAIL_REWIND,
        _RECURSIVE_API_CALL,
    ),
    httpx.DecodingError: (
        pycurl.E_BAD_CONTENT_ENCODING,
        pycurl.E_WRITE_ERROR,
        pycurl.E_CONV_FAILED,
        pycurl.E_CONV_REQD,
    ),
    httpx.TooManyRedirects: (pycurl.E_TOO_MANY_REDIRECTS,),
    httpx.TransportError: (  # failures of libcurl itself, and results of other protocols than HTTP
        pycurl.E_OUT_OF_MEMORY,
        pycurl.E_LIBRARY_NOT_FOUND,
        pycurl.E_FUNCTION_NOT_FOUND,
        pycurl.E_ABORTED_BY_CALLBACK,
        pycurl.E_SHARE_IN_USE,
        pycurl.E_CALL_MULTI_PERFORM,
        pycurl.E_ALREADY_COMPLETE,
        _UNRECOVERABLE_POLL,
        pycurl.E_REMOTE_ACCESS_DENIED,
        pycurl.E_REMOTE_DISK_FULL,
        pycurl.E_REMOTE_FILE_EXISTS,
        pycurl.E_REMOTE_FILE_NOT_FOUND,
        pycurl.E_QUOTE_ERROR,
        pycurl.E_FTP_ACCEPT_FAILED,
        pycurl.E_FTP_ACCEPT_TIMEOUT,
        pycurl.E_FTP_BAD_FILE_LIST,
        pycurl.E_FTP_CANT_GET_HOST,
        pycurl.E_FTP_COULDNT_RETR_FILE,
        pycurl.E_FTP_COULDNT_SET_ASCII,
        pycurl.E_FTP_COULDNT_SET_TYPE,
        pycurl.E_FTP_COULDNT_GET_SIZE,
        pycurl.E_FTP_COULDNT_USE_REST,
        pycurl.E_FTP_PORT_FAILED,
        pycurl.E_FTP_PRET_FAILED,
        pycurl.E_FTP_WEIRD_227_FORMAT,
        pycurl.E_FTP_WEIRD_PASS_REPLY,
        pycurl.E_FTP_WEIRD_PASV_REPLY,
        pycurl.E_FTP_WRITE_ERROR,
        pycurl.E_FILE_COULDNT_READ_FILE,
        pycurl.E_LDAP_CANNOT_BIND,
        pycurl.E_LDAP_INVALID_URL,
        pycurl.E_LDAP_SEARCH_FAILED,
        pycurl.E_TELNET_OPTION_SYNTAX,
        pycurl.E_TFTP_ILLEGAL,
        pycurl.E_TFTP_NOSUCHUSER,
        pycurl.E_TFTP_NOTFOUND,
        pycurl.E_TFTP_PERM,
        pycurl.E_TFTP_UNKNOWNID,
        pycurl.E_RTSP_CSEQ_ERROR,
        pycurl.E_RTSP_SESSION_ERROR,
        pycurl.E_SSH,
    ),
}

_BY_CODE: dict[int, type[httpx.RequestError]] = {code: kind for kind, codes in _GROUPS.items() for code in codes}

_FINAL_CODES = frozenset(
    {
        pycurl.E_UNSUPPORTED_PROTOCOL,
        pycurl.E_URL_MALFORMAT,
        pycurl.E_NOT_BUILT_IN,
        pycurl.E_BAD_FUNCTION_ARGUMENT,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
        pycurl.E_SSL_INVALIDCERTSTATUS,
        TOO_LARGE,
    }
)

# After sending, the response is at fault, not the request: HTTP/0.9, HTTP/1.2, SSH …, or a malformed header line.
_SERVERS_IF_SENT = (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_BAD_FUNCTION_ARGUMENT)

# The nearest ancestor of an exception's class decides.
_BY_CLASS: dict[type[Exception], type[RequestError]] = {
    httpx.HTTPError: BrokenExchange,
    httpx.RequestError: BrokenExchange,
    httpx.TransportError: BrokenExchange,
    httpx.TimeoutException: FetchTimeout,
    httpx.ConnectTimeout: FetchTimeout,
    httpx.ReadTimeout: FetchTimeout,
    httpx.WriteTimeout: FetchTimeout,
    httpx.PoolTimeout: FetchTimeout,
    httpx.NetworkError: BrokenExchange,
    httpx.ConnectError: ConnectFailed,
    httpx.ReadError: BrokenExchange,
    httpx.WriteError: BrokenExchange,
    httpx.CloseError: BrokenExchange,
    httpx.ProxyError: ConnectFailed,
    httpx.ProtocolError: BrokenExchange,
    httpx.RemoteProtocolError: BrokenExchange,
    httpx.LocalProtocolError: FetchError,
    httpx.UnsupportedProtocol: FetchError,
    httpx.DecodingError: BrokenExchange,
    httpx.TooManyRedirects: FetchError,
    httpx.HTTPStatusError: BadStatus,
    httpx.InvalidURL: FetchError,
    httpx.CookieConflict: FetchError,
    httpx.StreamError: FetchError,
    httpx.StreamConsumed: FetchError,
    httpx.StreamClosed: FetchError,
    httpx.ResponseNotRead: FetchError,
    httpx.RequestNotRead: FetchError,
    # Exceptions that other transports may let through.
    OSError: ConnectFailed,
    ConnectionError: BrokenExchange,
    ConnectionRefusedError: ConnectFailed,
    TimeoutError: FetchTimeout,
    socket.gaierror: ConnectFailed,
    ssl.SSLError: ConnectFailed,
    EOFError: BrokenExchange,
    trio.TooSlowError: FetchTimeout,
    trio.BrokenResourceError: BrokenExchange,
    trio.ClosedResourceError: BrokenExchange,
    Exception: FetchError,
}

_FINAL_CLASSES = (
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.TooManyRedirects,
    httpx.HTTPStatusError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    ssl.SSLCertVerificationError,
)

_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    ConnectionRefusedError,
    socket.gaierror,
)


def transport_error(
    cls: type[httpx.RequestError],
    message: str,
    *,
    request: httpx.Request,
    sent: bool,
    retryable: bool | None = None,
    kind: str = "",
    proxy_fault: ProxyFault | None = None,
) -> httpx.RequestError:
    """Return an httpx exception with a `TransportFailure`."""
    error = cls(message, request=request)
    set_failure(error, TransportFailure(sent=sent, retryable=retryable, kind=kind, proxy_fault=proxy_fault))
    return error


def curl_error(
    code: int, curl_message: str, *, request: httpx.Request, proxy: httpx.URL | None, sent: bool, os_errno: int = 0
) -> httpx.RequestError:
    """Return the httpx exception for a transfer that failed in libcurl."""
    cls = _BY_CODE.get(code, httpx.TransportError)
    kind = kind_of_code(code, curl_message, os_errno)
    is_final = code in _FINAL_CODES or kind in FINAL_KINDS
    retryable = False if is_final else None
    if sent and code in _SERVERS_IF_SENT:
        cls, retryable = httpx.RemoteProtocolError, None
    elif proxy is not None and not (sent or os_errno) and code in (pycurl.E_COULDNT_CONNECT, pycurl.E_RECV_ERROR):
        cls, kind = httpx.ProxyError, "proxy"  # the proxy was reached, and declined
    tls = code in _TLS and proxy is not None and proxy.scheme != "https"  # TLS with the site, through the proxy
    peer = _authority(origin_of(request)) if proxy is None or tls else f"the proxy {_authority(proxy)}"
    message = _describe(code, curl_message, peer, os_errno)
    return transport_error(cls, message, request=request, sent=sent, retryable=retryable, kind=kind)


def _authority(url: httpx.URL) -> str:
    """Return host and port, with the port even if it is the default."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{(443 if url.scheme == 'https' else 80) if url.port is None else url.port}"


def _describe(code: int, curl_message: str, peer: str, os_errno: int) -> str:
    if code in _TLS:
        return f"TLS with {peer} failed: {curl_message}"
    if code == pycurl.E_COULDNT_CONNECT and os_errno == errno.ECONNREFUSED:
        return f"connection refused by {peer}"
    if code == pycurl.E_COULDNT_CONNECT and os_errno:
        return f"no connection to {peer}: {os.strerror(os_errno).lower()}"
    if code == TOO_LARGE and not curl_message:
        return f"{peer}: a header line is longer than libcurl allows (100 kB)"
    return f"{peer}: {curl_message or pycurl.easy_strerror(code)}"


def was_sent(error: Exception) -> bool:
    """Return whether bytes of the request may have reached the server before `error`; if not, it cost no quota."""
    failure = failure_of(error)
    return not isinstance(error, _BEFORE_SENDING) if failure is None else failure.sent


def translate(error: Exception, request: Request | None = None) -> RequestError:
    """Return the framework's error for an exception of a transport. Raise it ``from error``."""
    if isinstance(error, RequestError):
        error.request = error.request or request
        return error
    error.args = tuple(redact(part) if isinstance(part, str) else part for part in error.args)  # tracebacks show it
    cls = next(_BY_CLASS[ancestor] for ancestor in type(error).__mro__ if ancestor in _BY_CLASS)
    message = _one_line(error)
    if isinstance(error, httpx.HTTPStatusError):
        return BadStatus(message, status=error.response.status_code, request=request)
    kind = kind_of(error)
    if kind == "tls_untrusted":
        message += "; to trust its authority, set tls_verify to the file of the authority's certificate"
    translated = (BodyTooLarge if kind == BOMB else cls)(message, request=request)
    translated.kind = kind
    failure = failure_of(error)
    retryable = None if failure is None else failure.retryable
    if retryable is None and (isinstance(error, _FINAL_CLASSES) or cls is FetchError or is_unknown_host(error)):
        retryable = False
    if retryable is not None:
        translated.retryable = retryable
    return translated


def _one_line(error: Exception) -> str:
    """Return the first line of an exception's message, or its class if that is empty, as in timeouts of httpx."""
    lines = str(error).split("\n", 1)
    return lines[0].strip() or type(error).__name__
