"""`RequestError.kind` for the errors of libcurl and of other transports."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pycurl
import pytest
from support.cases import each

from crawler.transport.error_kinds import FINAL_KINDS, is_unknown_host, kind_of, kind_of_code
from crawler.transport.errors import curl_error, translate, transport_error

REQUEST = httpx.Request("GET", "https://site.example/a")

KINDS = {
    (pycurl.E_COULDNT_RESOLVE_HOST, "", 0): "dns",
    (pycurl.E_COULDNT_CONNECT, "", errno.ECONNREFUSED): "refused",
    (pycurl.E_COULDNT_CONNECT, "", errno.EHOSTUNREACH): "unreachable",
    (pycurl.E_COULDNT_CONNECT, "", errno.ECONNRESET): "reset",
    (pycurl.E_OPERATION_TIMEDOUT, "", 0): "connect",
    (pycurl.E_PEER_FAILED_VERIFICATION, "SSL certificate problem: certificate has expired", 0): "tls_expired",
    (pycurl.E_PEER_FAILED_VERIFICATION, "certificate is not yet valid", 0): "tls_expired",
    (pycurl.E_PEER_FAILED_VERIFICATION, "no alternative certificate subject name matches", 0): "tls_host",
    (pycurl.E_PEER_FAILED_VERIFICATION, "something else", 0): "tls_untrusted",
    (pycurl.E_SSL_CONNECT_ERROR, "tlsv1 alert protocol version", 0): "tls_version",
    (pycurl.E_SSL_CONNECT_ERROR, "wrong version number", 0): "tls",
    (pycurl.E_RECV_ERROR, "Recv failure: Connection reset by peer", 0): "reset",
    (pycurl.E_RECV_ERROR, "unexpected eof while reading", 0): "closed",
    (pycurl.E_RECV_ERROR, "chunk hex-length char not a hex digit", 0): "bad_chunk",
    (pycurl.E_GOT_NOTHING, "", 0): "closed",
    (pycurl.E_PARTIAL_FILE, "", 0): "incomplete",
    (pycurl.E_FTP_WEIRD_SERVER_REPLY, "Header without colon", 0): "bad_header",
    (pycurl.E_FTP_WEIRD_SERVER_REPLY, "Invalid status line", 0): "no_http",
    (pycurl.E_UNSUPPORTED_PROTOCOL, "", 0): "no_http",
    (pycurl.E_BAD_CONTENT_ENCODING, "", 0): "bad_coding",
    (100, "", 0): "headers_too_large",
    (100, "Out of memory in chunked-encoding", 0): "headers_too_large",  # a trailer line
    (pycurl.E_RECV_ERROR, "nghttp2 recv error -905: Too many CONTINUATION frames", 0): "headers_too_large",
    (pycurl.E_RECV_ERROR, "Too many response headers, 5000 is max", 0): "headers_too_large",
    (92, "HTTP/2 stream 1 reset by server (error 0x2 INTERNAL_ERROR)", 0): "reset",
    (pycurl.E_SSL_CONNECT_ERROR, "tlsv1 alert no application protocol", 0): "tls_version",
    (pycurl.E_OUT_OF_MEMORY, "", 0): "",
}


@each(("given", "kind"), KINDS.items())
def test_an_error_has_a_finer_kind_in_addition_to_its_class(given, kind):
    code, words, os_errno = given
    assert kind_of_code(code, words, os_errno) == kind
    error = translate(curl_error(code, words, request=REQUEST, proxy=None, sent=True, os_errno=os_errno))
    assert error.kind == kind
    assert error.full_reason == (f"{error.reason}.{kind}" if kind else error.reason)


@each(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "dns"),
        (ConnectionRefusedError("x"), "refused"),
        (BrokenPipeError("x"), "reset"),
        (ssl.SSLError(1, "tlsv1 alert protocol version"), "tls_version"),
        (ssl.SSLCertVerificationError(1, "certificate has expired"), "tls_expired"),
        (httpx.ReadTimeout("x"), "read"),
        (httpx.ProxyError("x"), "proxy"),
        (httpx.DecodingError("x"), "bad_coding"),
        (httpx.ReadError("x"), ""),
        (KeyError("x"), ""),
    ],
)
def test_errors_of_other_transports_are_classified_by_class_or_by_cause(error, kind):
    assert translate(error).kind == kind_of(error) == kind
    outer = httpx.ConnectError("all attempts failed")
    outer.__cause__ = error
    assert translate(outer).kind == kind


def test_the_kind_that_the_transport_names_goes_before_that_of_the_class():
    error = transport_error(httpx.ReadTimeout, "x", request=REQUEST, sent=True, kind="stale")
    assert kind_of(error) == "stale"


@pytest.mark.parametrize("kind", sorted(FINAL_KINDS))
def test_errors_that_would_recur_are_not_retried(kind):
    (code, words, _), *_ = [given for given, found in KINDS.items() if found == kind]
    assert not translate(curl_error(code, words, request=REQUEST, proxy=None, sent=False)).retryable


@pytest.mark.parametrize(("code", "unknown"), [(socket.EAI_NONAME, True), (socket.EAI_AGAIN, False)])
def test_a_name_that_does_not_exist_differs_from_a_failed_lookup(code, unknown):
    error = socket.gaierror(code, "x")
    assert is_unknown_host(error) is unknown
    outer = httpx.ConnectError("x")
    outer.__cause__ = error
    assert is_unknown_host(outer) is unknown
    assert not is_unknown_host(httpx.ConnectError("x"))
