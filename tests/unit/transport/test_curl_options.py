"""The options of libcurl's handles, recorded by a fake handle; test_curl.py has a real one."""

from __future__ import annotations

import httpx
import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.transport.curl_options import CurlOptions, proxy_of
from crawler.transport.transfer import Transfer
from crawler.transport.wire import LeanRequest

OPTIONS = CurlOptions(connect_timeout=10.0, tls_verify=True, http3=False)


class Handle:
    def __init__(self):
        self.options = {}

    def setopt(self, name, value):
        self.options[name] = value


def transfer(request, **options):
    return Transfer(
        request,
        body=request.body if isinstance(request, LeanRequest) else request.content,
        proxy=proxy_of(request),
        buffer=1000,
        max_headers=1000,
        drop=lambda _: None,
        **options,
    )


def configured(request, options=OPTIONS, addresses=(), **more):
    """Return the options that a request sets, whether the handle needs a reset, and the transfer."""
    handle, made = Handle(), transfer(request, **more)
    needs_reset = options.configure_request(handle, made, list(addresses))
    return handle.options, needs_reset, made


def lean(url="http://site.test/a?b", *, method="GET", fields=(), body=b"", **extensions):
    return LeanRequest(method, url, list(fields), body, extensions)


@pytest.mark.parametrize(
    ("verify", "peer", "host"), [(True, None, None), (False, 0, 0), ("/etc/authorities.pem", None, None)]
)
def test_a_handle_verifies_certificates_by_default(verify, peer, host):
    handle = Handle()
    CurlOptions(connect_timeout=0.0001, tls_verify=verify, http3=False).configure_handle(handle)
    assert handle.options.get(pycurl.SSL_VERIFYPEER) == handle.options.get(pycurl.PROXY_SSL_VERIFYPEER) == peer
    assert handle.options.get(pycurl.SSL_VERIFYHOST) == host
    assert (pycurl.CAINFO in handle.options) is (verify is not False)
    assert pycurl.CAPATH not in handle.options
    assert handle.options[pycurl.PROXY] == "", "not the proxy of the environment"
    assert handle.options[pycurl.CONNECTTIMEOUT_MS] == 1, "0 would mean libcurl's default"


def test_the_authorities_may_be_a_folder(tmp_path):
    handle = Handle()
    CurlOptions(connect_timeout=1, tls_verify=tmp_path, http3=False).configure_handle(handle)
    assert handle.options[pycurl.CAPATH] == handle.options[pycurl.PROXY_CAPATH] == str(tmp_path)
    assert pycurl.CAINFO not in handle.options


@pytest.mark.parametrize(
    ("http3", "version"), [(False, pycurl.CURL_HTTP_VERSION_2TLS), (True, pycurl.CURL_HTTP_VERSION_3)]
)
def test_http_3_is_tried_only_on_request(http3, version):
    handle = Handle()
    CurlOptions(connect_timeout=1, tls_verify=True, http3=http3).configure_handle(handle)
    assert handle.options[pycurl.HTTP_VERSION] == version


def test_a_plain_get_leaves_nothing_in_the_handle_that_the_next_one_does_not_replace():
    options, needs_reset, _ = configured(lean(fields=[(b"X-A", b" b "), (b"x-empty", b"")]))
    assert not needs_reset
    assert options[pycurl.URL] == b"http://site.test/a?b"
    lines = options[pycurl.HTTPHEADER]
    assert lines[:2] == (b"X-A: b", b"x-empty;")
    assert set(lines[2:]) == {b"Accept:", b"Expect:", b"Content-Type:"}
    assert pycurl.RESOLVE not in options


def test_addresses_are_handed_over():
    options, needs_reset, _ = configured(lean(), addresses=["+site.test:80:127.0.0.1"])
    assert options[pycurl.RESOLVE] == ["+site.test:80:127.0.0.1"]
    assert not needs_reset


@each(
    ("request_", "more", "option", "value"),
    [
        (lean(), {"new_connection": True}, pycurl.FRESH_CONNECT, 1),
        (lean(method="HEAD"), {}, pycurl.NOBODY, 1),
        (lean(method="POST", body=b"abc"), {}, pycurl.POSTFIELDSIZE_LARGE, 3),
        (lean(method="POST"), {}, pycurl.POST, 1),
        (lean(method="PURGE"), {}, pycurl.CUSTOMREQUEST, "PURGE"),
        (lean(method="PUT", body=b"abc"), {}, pycurl.CUSTOMREQUEST, "PUT"),
        (lean(proxy="socks5h://p.test"), {}, pycurl.PROXYPORT, 1080),
        (lean("http://site.test/%c3?%41"), {}, pycurl.REQUEST_TARGET, b"/%c3?%41"),
        (lean("http://a.test/%Fa", proxy="http://p.test"), {}, pycurl.REQUEST_TARGET, b"http://a.test/%Fa"),
        (lean("https://a.test/%aF", proxy="http://p.test"), {}, pycurl.REQUEST_TARGET, b"/%aF"),
        (lean("http://a.test/%aa", proxy="socks5://p.test"), {}, pycurl.REQUEST_TARGET, b"/%aa"),
        (lean(timeout={"connect": 0.5}), {}, pycurl.CONNECTTIMEOUT_MS, 500),
    ],
)
def test_special_options_are_set_and_require_a_reset(request_, more, option, value):
    options, needs_reset, _ = configured(request_, **more)
    assert options[option] == value
    assert needs_reset


def test_libcurl_does_not_decode_and_a_client_that_says_nothing_accepts_all_codings():
    handle = Handle()
    CurlOptions(connect_timeout=1, tls_verify=True, http3=False).configure_handle(handle)
    assert handle.options[pycurl.HTTP_CONTENT_DECODING] == 0
    options, needs_reset, _ = configured(httpx.Request("GET", "http://site.test/"))
    assert b"Accept-Encoding: gzip, deflate, br, zstd" in options[pycurl.HTTPHEADER]
    assert not needs_reset


def test_behind_a_proxy_http_3_is_not_tried():
    options, _, _ = configured(
        lean(proxy="http://p.test:1"), CurlOptions(connect_timeout=1, tls_verify=True, http3=True)
    )
    assert options[pycurl.HTTP_VERSION] == pycurl.CURL_HTTP_VERSION_2TLS


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (lean(fields=[(b"a b", b"")]), "not the name of a header"),
        (lean(fields=[(b"", b"x")]), "not the name of a header"),
        (lean(fields=[(b"a", b"x\ny")]), "a line break in the header"),
        (lean(method="PO ST"), "not a method"),
        (lean(method=""), "not a method"),
        (lean(method="HEAD", body=b"x"), "a HEAD request with a body"),
        (lean(method="POST", body=b"x", fields=[(b"Content-Length", b"2")]), "for a body of 1 bytes"),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(request_, words):
    with pytest.raises(ValueError, match=words):
        configured(request_)


@given(st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=9)), max_size=4), st.text(max_size=5))
def test_no_request_gets_out_of_its_lines(fields, method):
    try:
        options, _, _ = configured(lean(method=method, fields=fields))
    except ValueError:
        return
    assert all(
        not {b"\r", b"\n", b"\0"} & {line[at : at + 1] for at in range(len(line))}
        for line in options[pycurl.HTTPHEADER]
    )


@pytest.mark.parametrize(
    ("proxy", "found"),
    [
        (None, None),
        ("http://p.test", "http://p.test"),
        ("socks5h://me:secret@p.test:9050", "socks5h://me:secret@p.test:9050"),
        (httpx.URL("https://p.test"), "https://p.test"),
    ],
)
def test_the_proxy_of_a_request(proxy, found):
    given = proxy_of(httpx.Request("GET", "http://site.test/", extensions={"proxy": proxy}))
    assert (None if given is None else str(given)) == found


@pytest.mark.parametrize("proxy", ["ftp://p.test", "http://", "p.test", 7, "http://p.test:x"])
def test_an_invalid_proxy_is_refused(proxy):
    with pytest.raises(httpx.UnsupportedProtocol, match="not a proxy"):
        proxy_of(httpx.Request("GET", "http://site.test/", extensions={"proxy": proxy}))


@pytest.mark.parametrize(
    ("method", "fields", "idle"),
    [
        ("GET", [], None),
        ("PUT", [], None),
        ("POST", [], 1),
        ("PATCH", [], 1),
        ("POST", [(b"Idempotency-Key", b"8e03978e")], None),
    ],
)
def test_a_request_that_must_not_be_sent_twice_avoids_connections_that_were_idle(method, fields, idle):
    options, needs_reset, _ = configured(lean(method=method, fields=fields, body=b"x"))
    assert (options.get(pycurl.MAXAGE_CONN), needs_reset) == (idle, True)
