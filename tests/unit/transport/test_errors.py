"""Every code of libcurl and every exception of httpx is mapped to an error with a message of one line."""

from __future__ import annotations

import errno
import inspect
import socket
import ssl

import httpx
import pycurl
import trio
from support.cases import each

from crawler.errors import (
    BadStatus,
    BodyTooLarge,
    BrokenExchange,
    ConnectFailed,
    FetchError,
    FetchTimeout,
    Refused,
    RequestError,
)
from crawler.messages import Request
from crawler.transport import errors
from crawler.transport.errors import curl_error, translate, transport_error, was_sent

REQUEST = httpx.Request("GET", "https://site.example/a")

CODES = {
    name: getattr(pycurl, name)
    for name in dir(pycurl)
    if name.startswith("E_") and not name.startswith("E_MULTI_") and name != "E_OK"
}
"""Results of transfers in libcurl. Those of the multi handle, with their own numbers, mean a bug of the transport."""

EXCEPTIONS = [
    kind
    for _, kind in inspect.getmembers(httpx, inspect.isclass)
    if issubclass(kind, Exception) and kind.__module__.startswith("httpx")
]


def error_of(code, words="words", **more):
    return curl_error(code, words, **{"request": REQUEST, "proxy": None, "sent": False, **more})


def test_both_lists_are_what_they_seem():
    assert len(set(CODES.values())) > 80
    assert {httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamClosed} < set(EXCEPTIONS)


@each("name", CODES)
def test_every_code_of_libcurl_has_its_place(name):
    assert CODES[name] in errors._BY_CODE
    error = error_of(CODES[name])
    assert isinstance(error, httpx.RequestError)
    assert error.request is REQUEST


def test_no_code_has_two_places():
    codes = [code for group in errors._GROUPS.values() for code in group]
    assert len(codes) == len(set(codes))


def test_a_code_that_this_libcurl_has_words_for_has_its_place_also_if_pycurl_has_no_name_for_it():
    known = {code for code in range(1, 200) if pycurl.easy_strerror(code) != pycurl.easy_strerror(99_998)}
    assert len(known) > 80
    assert known <= set(errors._BY_CODE)


@each("kind", EXCEPTIONS)
def test_every_exception_of_httpx_has_its_place(kind):
    assert kind in errors._BY_CLASS


def test_every_place_is_an_error_of_the_framework_about_one_request():
    assert all(issubclass(kind, RequestError) for kind in errors._BY_CLASS.values())


@each(
    ("code", "kind", "place", "retryable"),
    [
        (pycurl.E_COULDNT_RESOLVE_HOST, httpx.ConnectError, ConnectFailed, True),
        (pycurl.E_COULDNT_CONNECT, httpx.ConnectError, ConnectFailed, True),
        (pycurl.E_OPERATION_TIMEDOUT, httpx.ConnectTimeout, FetchTimeout, True),
        (pycurl.E_SSL_CONNECT_ERROR, httpx.ConnectError, ConnectFailed, True),
        (pycurl.E_PEER_FAILED_VERIFICATION, httpx.ConnectError, ConnectFailed, False),
        (pycurl.E_RECV_ERROR, httpx.ReadError, BrokenExchange, True),
        (pycurl.E_SEND_ERROR, httpx.WriteError, BrokenExchange, True),
        (pycurl.E_GOT_NOTHING, httpx.RemoteProtocolError, BrokenExchange, True),
        (pycurl.E_PARTIAL_FILE, httpx.RemoteProtocolError, BrokenExchange, True),
        (pycurl.E_BAD_CONTENT_ENCODING, httpx.DecodingError, BrokenExchange, True),
        (pycurl.E_URL_MALFORMAT, httpx.LocalProtocolError, FetchError, False),
        (pycurl.E_UNSUPPORTED_PROTOCOL, httpx.UnsupportedProtocol, FetchError, False),
        (pycurl.E_COULDNT_RESOLVE_PROXY, httpx.ProxyError, ConnectFailed, True),
        (100, httpx.RemoteProtocolError, BrokenExchange, False),
        (12_345, httpx.TransportError, BrokenExchange, True),
    ],
)
def test_the_translation_of_common_failures(code, kind, place, retryable):
    error = error_of(code)
    assert type(error) is kind
    translated = translate(error)
    assert type(translated) is place
    assert translated.retryable is retryable


def test_the_words_name_the_peer_and_the_cause():
    def words(code, said="", **more):
        return str(translate(error_of(code, said, **more)))

    proxy = httpx.URL("http://me:secret@proxy.example:3128")
    refused = {"os_errno": errno.ECONNREFUSED}
    assert words(pycurl.E_COULDNT_CONNECT, **refused) == "connection refused by site.example:443"
    assert words(pycurl.E_COULDNT_CONNECT, proxy=proxy, **refused) == (
        "connection refused by the proxy proxy.example:3128"
    )
    assert words(pycurl.E_COULDNT_CONNECT, os_errno=errno.ENETUNREACH) == (
        "no connection to site.example:443: network is unreachable"
    )
    assert words(pycurl.E_PEER_FAILED_VERIFICATION, "SSL certificate problem: certificate has expired") == (
        "TLS with site.example:443 failed: SSL certificate problem: certificate has expired"
    )
    assert words(pycurl.E_GOT_NOTHING, "Empty reply from server") == "site.example:443: Empty reply from server"
    assert words(pycurl.E_GOT_NOTHING) == f"site.example:443: {pycurl.easy_strerror(pycurl.E_GOT_NOTHING)}"
    literal = httpx.Request("GET", "http://[::1]:8080/")
    assert words(pycurl.E_COULDNT_CONNECT, request=literal, **refused) == "connection refused by [::1]:8080"


def test_a_little_that_unpacks_to_far_too_much_is_a_body_too_large():
    error = translate(
        transport_error(httpx.DecodingError, "x", request=REQUEST, sent=True, retryable=False, kind="bomb")
    )
    assert type(error) is BodyTooLarge
    assert (error.full_reason, error.retryable) == ("body_too_large.bomb", False)


def test_a_response_that_is_not_http_is_a_broken_exchange():
    error = error_of(pycurl.E_UNSUPPORTED_PROTOCOL, "Received HTTP/0.9 when not allowed", sent=True)
    assert type(error) is httpx.RemoteProtocolError
    assert translate(error).retryable is True


def test_a_proxy_that_declines_is_a_proxy_error():
    proxy = httpx.URL("http://127.0.0.1:3128")
    assert type(error_of(pycurl.E_RECV_ERROR, proxy=proxy)) is httpx.ProxyError
    assert type(error_of(pycurl.E_COULDNT_CONNECT, proxy=proxy)) is httpx.ProxyError
    assert type(error_of(pycurl.E_COULDNT_CONNECT, proxy=proxy, os_errno=111)) is httpx.ConnectError
    assert type(error_of(pycurl.E_RECV_ERROR, proxy=proxy, sent=True)) is httpx.ReadError


@each(
    ("error", "place", "retryable"),
    [
        (httpx.PoolTimeout("x"), FetchTimeout, True),
        (httpx.CloseError("x"), BrokenExchange, True),
        (httpx.TooManyRedirects("x"), FetchError, False),
        (httpx.InvalidURL("x"), FetchError, False),
        (httpx.CookieConflict("x"), FetchError, False),
        (httpx.StreamConsumed(), FetchError, False),
        (ConnectionRefusedError("x"), ConnectFailed, True),
        (ConnectionResetError("x"), BrokenExchange, True),
        (BrokenPipeError("x"), BrokenExchange, True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), ConnectFailed, True),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), ConnectFailed, False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), ConnectFailed, True),
        (TimeoutError("x"), FetchTimeout, True),
        (trio.TooSlowError(), FetchTimeout, True),
        (trio.BrokenResourceError(), BrokenExchange, True),
        (trio.ClosedResourceError(), BrokenExchange, True),
        (EOFError(), BrokenExchange, True),
        (ssl.SSLError(1, "x"), ConnectFailed, True),
        (ssl.SSLCertVerificationError(1, "x"), ConnectFailed, False),
        (KeyError("a bug of a transport"), FetchError, False),
    ],
)
def test_exceptions_of_other_transports(error, place, retryable):
    request = Request("https://site.example/a")
    translated = translate(error, request)
    assert type(translated) is place
    assert translated.retryable is retryable
    assert translated.request is request
    assert str(translated)
    assert "\n" not in str(translated)


def test_a_subclass_of_somebody_elses_takes_the_place_of_its_nearest_ancestor():
    class Slow(httpx.ReadTimeout):
        pass

    assert type(translate(Slow("x"))) is FetchTimeout


def test_a_status_error_of_httpx_keeps_its_status():
    error = httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(404))
    translated = translate(error)
    assert isinstance(translated, BadStatus)
    assert translated.status == 404
    assert translated.retryable is False


def test_only_the_first_line_is_kept_and_silence_is_named():
    assert str(translate(httpx.ReadError("first\nsecond"))) == "first"
    assert str(translate(httpx.ReadTimeout(""))) == "ReadTimeout"


def test_errors_of_the_framework_pass_and_learn_their_request():
    request = Request("https://site.example/a")
    for error in (BodyTooLarge("x"), Refused("x", by="network")):
        assert translate(error, request) is error
        assert error.request is request
    assert translate(BodyTooLarge("x", request=request), None).request is request


def test_whether_a_request_was_sent_follows_from_the_error_or_its_class():
    assert was_sent(transport_error(httpx.ConnectError, "x", request=REQUEST, sent=True))
    assert not was_sent(transport_error(httpx.ReadError, "x", request=REQUEST, sent=False))
    assert not was_sent(httpx.ConnectError("x"))
    assert not was_sent(httpx.PoolTimeout("x"))
    assert not was_sent(ConnectionRefusedError())
    assert was_sent(httpx.ReadError("x"))
    assert was_sent(httpx.ReadTimeout("x"))
    assert was_sent(KeyError("x"))
