"""`QuotaTimeout`: its place among the exceptions of httpx, and its attributes."""

from __future__ import annotations

import pickle

import httpx
import pytest

from crawler.api_client import QuotaTimeout

REQUEST = httpx.Request("GET", "https://api.test/")


def test_a_quota_timeout_is_an_httpx_timeout_that_names_the_scope_and_the_time_to_retry():
    error = QuotaTimeout("wait", retry_at=7.0, scope="key:A", request=REQUEST)
    assert isinstance(error, httpx.TimeoutException)
    assert (str(error), error.retry_at, error.scope, error.request) == ("wait", 7.0, "key:A", REQUEST)


def test_without_a_request_httpx_says_so():
    with pytest.raises(RuntimeError):
        _ = QuotaTimeout("wait", retry_at=7.0, scope="key:A").request


def test_a_quota_timeout_survives_pickling_without_its_request():
    copy = pickle.loads(pickle.dumps(QuotaTimeout("wait", retry_at=float("inf"), scope="a", request=REQUEST)))
    assert (type(copy), str(copy), copy.retry_at, copy.scope) == (QuotaTimeout, "wait", float("inf"), "a")
