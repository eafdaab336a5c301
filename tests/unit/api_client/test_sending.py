"""`RetryingSend`: it waits for its turn within deadlines, and sends again what failed for a moment."""

from __future__ import annotations

import gzip
import itertools
import math
import pickle
import random
import time
from contextlib import suppress

import httpx
import pytest
import trio
from support.governed import API, Script, get_all, governed, is_idle
from support.internet import Internet, between
from support.quotaserver import QuotaServer
from support.virtual import EPOCH

from crawler.api_client import QuotaTimeout
from crawler.api_client.sending import ON_DEADLINE
from crawler.errors import WouldExceedDeadline
from crawler.transport.curl import CurlTransport
from crawler.transport.wire import TransportFailure, set_failure, wire_options

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


# ---- deadlines -------------------------------------------------------------------------------------------------------


async def test_a_wait_that_does_not_fit_fails_at_once_as_a_timeout_of_httpx(autojump_clock):
    async with governed(Script(200), rate="1/10s") as http:
        await http.get(API)
        before = trio.current_time()
        with pytest.raises(
            httpx.PoolTimeout, match=r"https://api.test \(pace\): the request can start in 9.99 s"
        ) as caught:
            with trio.fail_after(5):
                await http.get(API)
        assert trio.current_time() - before < 0.01
        error = caught.value
        assert isinstance(error, QuotaTimeout)
        assert error.retry_at == pytest.approx(http._transport.clock() + 9.99, abs=1e-3)
        assert (error.scope, error.request.url) == ("https://api.test", API)
        assert isinstance(error.__cause__, WouldExceedDeadline)
        assert is_idle(http)
        with trio.fail_after(15):
            assert (await http.get(API)).status_code == 200


@pytest.mark.parametrize(("patience", "notes"), [(None, [ON_DEADLINE]), (1, None)])
async def test_a_note_says_how_a_deadline_cancels_the_wait_instead(autojump_clock, patience, notes):
    async with governed(Script(200), rate="1/10s", patience=patience) as http:
        await http.get(API)
        with pytest.raises(QuotaTimeout) as caught, trio.move_on_after(5):
            await http.get(API)
    assert getattr(caught.value, "__notes__", None) == notes


@pytest.mark.parametrize("timeout", [math.inf, 0])
async def test_a_scope_that_is_cancelled_cancels_a_request_that_would_wait(autojump_clock, timeout):
    async with governed(Script(200), rate="1/10s") as http:
        await http.get(API)
        with trio.move_on_after(timeout) as scope:
            if timeout:
                scope.cancel()
            await http.get(API)
        assert scope.cancelled_caught
        assert is_idle(http)


async def test_a_request_that_cannot_start_in_time_cancels_the_others_of_its_nursery(autojump_clock):
    async with governed(Script(200), rate="1/s") as http:
        with pytest.raises(ExceptionGroup) as caught, trio.move_on_after(3.5):
            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(http.get, f"{API}{number}")
        assert [type(error) for error in caught.value.exceptions] == [QuotaTimeout]
        assert is_idle(http)


async def test_on_deadline_wait_waits_for_the_deadline(autojump_clock):
    async with governed(Script(200), rate="1/10s", on_deadline="wait") as http:
        await http.get(API)
        with trio.move_on_after(5) as scope:
            await http.get(API)
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(5.01)
        assert is_idle(http)


async def test_patience_is_for_all_waits_of_a_request(autojump_clock):
    script = Script(lambda: httpx.Response(429, headers={"Retry-After": "20"}))
    async with governed(script, patience=50) as http:
        answer = await http.get(API)  # after each refusal it waits 20 s
        assert answer.status_code == 429
        assert 40 <= trio.current_time() <= 50
    async with governed(Script(200), rate="1/10s", patience=5) as http:
        await http.get(API)
        with pytest.raises(QuotaTimeout):
            await http.get(API)


async def test_timeouts_of_httpx_count_for_the_exchange_only(autojump_clock):
    async with governed(Script(200), rate="1/100s") as http:
        await http.get(API, timeout=1.0)
        await http.get(API, timeout=1.0)
        assert trio.current_time() >= 100


# ---- again -----------------------------------------------------------------------------------------------------------


async def test_refusals_use_up_no_attempts(autojump_clock):
    script = Script(429, 429, 429, 429, 429, 200)
    async with governed(script, attempts=1) as http:
        assert (await http.get(API)).status_code == 200
        assert is_idle(http)
    assert len(script.asked) == 6


async def test_a_refused_request_keeps_its_place_in_the_queue(autojump_clock):
    paths = []

    async def handler(request: httpx.Request) -> httpx.Response:
        await trio.sleep(0.5)
        paths.append(request.url.path)
        return httpx.Response(429 if len(paths) == 1 else 200, headers={"Retry-After": "10"})

    async with governed(handler, concurrency=1) as http, trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(http.get, f"{API}{number}")
            await trio.sleep(0.01)
    assert paths == ["/0", "/0", "/1", "/2", "/3"]


async def test_libcurl_resends_nothing_where_every_start_counts(autojump_clock):
    class Curl(CurlTransport):
        async def handle_async_request(self, request):
            wire_options(request).on_sent(0.0)
            seen.append(wire_options(request).resend)
            return httpx.Response(200)

    seen = []
    for rate in (None, "1/s"):
        async with governed(Curl(), rate=rate) as http:
            await http.get(API)
    assert seen == [True, False]


async def test_the_last_refusal_is_handed_on_as_it_is(autojump_clock):
    def refuse() -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "1"}, json={"say": "no"})

    script = Script(refuse)
    async with governed(script) as http:
        answer = await http.get(API)
        assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (429, {"say": "no"}, "1")
        assert len(script.asked) == 21
        assert is_idle(http)


async def test_a_refusal_whose_wait_does_not_fit_is_handed_on_at_once(autojump_clock):
    class Stream(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"come "
            yield b"back"

    script = Script(lambda: httpx.Response(429, headers={"Retry-After": "60"}, stream=Stream()))
    async with governed(script) as http:
        with trio.fail_after(5):
            answer = await http.get(API)
        assert (answer.status_code, answer.text) == (429, "come back")
        assert trio.current_time() < 0.02
        assert is_idle(http)


@pytest.mark.parametrize("wait", ["90000", "Fri, 31 Dec 2999 23:59:59 GMT"])
async def test_a_wait_of_more_than_a_day_is_not_waited_for(autojump_clock, wait):
    script = Script(lambda: httpx.Response(429, headers={"Retry-After": wait}))
    async with governed(script) as http:
        assert (await http.get(API)).status_code == 429
    assert len(script.asked) == 1


async def test_a_server_that_refuses_everything_is_given_up_when_it_has_stalled(autojump_clock):
    script = Script(429)
    async with governed(script) as http:
        statuses = await get_all(http, 60, workers=4)
        assert set(statuses) == {429}
        asked = len(script.asked)
        assert asked < 60 * 21 / 2
        assert is_idle(http)


async def test_a_wait_that_a_document_states_counts_too(autojump_clock):
    script = Script(lambda: httpx.Response(429, json={"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 45_000}), 200)
    async with governed(script) as http:
        assert (await http.get(API)).status_code == 200
        assert 45 <= trio.current_time() < 50


@pytest.fixture
def on_the_hour(monkeypatch):
    """Begin at a full hour: limits are probed on the hour, which would be one attempt more."""
    monkeypatch.setattr(time, "time", lambda: EPOCH)


@pytest.mark.usefixtures("on_the_hour")
@pytest.mark.parametrize(
    ("method", "answer", "times"),
    [
        ("GET", 500, 3),
        ("GET", 408, 3),
        ("PUT", 502, 3),
        ("POST", 500, 1),
        ("PATCH", 503, 1),
        ("POST", 429, 11),
        ("POST", 509, 8),
        ("POST", 529, 8),
        ("POST", 408, 3),
        ("POST", 425, 3),
        ("GET", 501, 1),
        ("GET", 505, 1),
        ("GET", 404, 1),
        ("GET", httpx.ReadTimeout, 3),
        ("GET", httpx.ReadError, 3),
        ("GET", httpx.ConnectError, 3),
        ("GET", httpx.RemoteProtocolError, 3),
        ("GET", httpx.LocalProtocolError, 1),
        ("GET", httpx.UnsupportedProtocol, 1),
        ("GET", httpx.DecodingError, 1),
        ("POST", httpx.ReadError, 1),
        ("POST", httpx.ConnectError, 3),
    ],
)
async def test_which_requests_are_sent_again_and_how_often(autojump_clock, method, answer, times):
    script = Script(answer)
    async with governed(script) as http:
        if isinstance(answer, int):
            assert (await http.request(method, API, content=b"x")).status_code == answer
        else:
            with pytest.raises(answer):
                await http.request(method, API, content=b"x")
        assert len(script.asked) == times
        assert is_idle(http)


@pytest.mark.usefixtures("on_the_hour")
@pytest.mark.parametrize(("answer", "times"), [(500, 3), (503, 9), (httpx.ReadError, 3)])
async def test_a_post_with_an_idempotency_key_is_sent_again(autojump_clock, answer, times):
    script = Script(answer)
    async with governed(script) as http:
        with suppress(httpx.ReadError):
            await http.post(API, content=b"x", headers={"Idempotency-Key": "1"})
        assert len(script.asked) == times


async def test_the_backoff_is_random_grows_and_obeys_the_deadline(autojump_clock):
    waits = []
    for seed in range(20):
        script = Script(500)
        async with governed(script, chance=random.Random(seed), attempts=4) as http:
            await http.get(API)
        times = [at for _, at in script.asked]
        waits.append([later - earlier - 0.01 for earlier, later in itertools.pairwise(times)])
    for number, cap in enumerate((0.5, 1.0, 2.0)):
        drawn = [wait[number] for wait in waits]
        assert cap / 2 < max(drawn) <= cap + 1e-3
        assert min(drawn) < cap / 2
    script = Script(lambda: httpx.Response(500, headers={"Retry-After": "60"}))
    async with governed(script) as http:
        before = trio.current_time()
        with trio.fail_after(5):
            assert (await http.get(API)).status_code == 500
        assert trio.current_time() - before < 0.02


async def test_a_body_that_comes_once_is_sent_once(autojump_clock):
    async def body():
        yield b"once"

    class Reading(httpx.AsyncBaseTransport):
        asked = 0

        async def handle_async_request(self, request):
            self.asked += 1
            assert [chunk async for chunk in request.stream] == [b"once"]
            return httpx.Response(429)

    transport = Reading()
    async with governed(transport) as http:
        assert (await http.put(API, content=body())).status_code == 429
        assert transport.asked == 1


async def test_a_refusal_with_an_endless_body_is_handed_on_with_all_of_it(autojump_clock):
    class Long(httpx.AsyncByteStream):
        closed = False

        async def __aiter__(self):
            for _ in range(40):
                yield b"x" * 65_536

        async def aclose(self) -> None:
            self.closed = True

    long = Long()
    script = Script(lambda: httpx.Response(429, stream=long))
    async with governed(script) as http:
        answer = await http.get(API)
        assert len(answer.content) == 40 * 65_536
        assert long.closed
        assert len(script.asked) == 1
        assert is_idle(http)


async def test_a_refusal_whose_body_breaks_off_still_counts_as_a_refusal(autojump_clock):
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"half"
            raise httpx.ReadError("broken")

    script = Script(lambda: httpx.Response(429, headers={"Retry-After": "1"}, stream=Broken()), 200)
    async with governed(script) as http:
        assert (await http.get(API)).status_code == 200
        assert is_idle(http)


async def test_a_kept_connection_that_was_closed_is_replaced_at_once(autojump_clock):
    class Stale(httpx.AsyncBaseTransport):
        asked = 0

        async def handle_async_request(self, request):
            self.asked += 1
            if self.asked == 1:
                error = httpx.WriteError("closed", request=request)
                set_failure(error, TransportFailure(sent=False))
                raise error
            return httpx.Response(200)

    async with governed(Stale()) as http:
        assert (await http.post(API)).status_code == 200
        assert trio.current_time() == 0


class Slow(httpx.AsyncByteStream):
    """A body that does not end."""

    async def __aiter__(self):
        yield b"{"
        await trio.sleep_forever()


@pytest.mark.parametrize("coding", [None, "gzip", "unknown"])
async def test_a_wait_in_the_body_of_a_refusal_counts_for_other_requests_too(autojump_clock, coding):
    document = b'{"retry_after": 40}'
    headers = {"Content-Type": "application/json"} | ({"Content-Encoding": coding} if coding else {})
    body = gzip.compress(document) if coding == "gzip" else document
    script = Script(lambda: httpx.Response(429, headers=headers, stream=httpx.ByteStream(body)), 200)
    async with governed(script, longest=10) as http:  # it is not sent again
        answer = await http.get(API)
        assert (answer.status_code, answer.json()) == (429, {"retry_after": 40})
        await http.get(API)
        assert trio.current_time() > 40
        assert is_idle(http)


async def test_an_undecodable_body_of_a_refusal_says_nothing(autojump_clock):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    script = Script(lambda: httpx.Response(429, headers=headers, stream=httpx.ByteStream(b"{}")), 200)
    async with governed(script) as http:
        assert (await http.get(API)).status_code == 200
        assert trio.current_time() < 5


async def test_a_refusal_counts_even_if_its_body_is_not_read_to_the_end(autojump_clock):
    headers = {"Content-Type": "application/json", "Retry-After": "40"}
    async with governed(Script(lambda: httpx.Response(429, headers=headers, stream=Slow()), 200)) as http:
        with trio.move_on_after(5):
            await http.get(API)
        assert is_idle(http)
        await http.get(API)
        assert trio.current_time() > 40


# ---- cancelling ------------------------------------------------------------------------------------------------------


async def test_a_thousand_requests_cancelled_at_random_lose_nothing(autojump_clock):
    chance = random.Random(11)
    server = QuotaServer(100, 5.0, trip=0.05)

    async def one(http: httpx.AsyncClient, number: int) -> None:
        with trio.move_on_after(chance.uniform(0.01, 60)):
            quotas = {"quotas": {"key": 1}} if number % 2 else {}
            try:
                await http.get(f"{API}{number}", extensions=quotas)
            except QuotaTimeout:
                await http.get(f"https://b.test/{number}")

    async with governed(server) as http:
        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(one, http, number)
        assert is_idle(http)
        assert (await http.get(API)).status_code == 200


async def test_cancelled_in_flight_it_counts_as_spent(autojump_clock):
    server = QuotaServer(5, 100.0, trip=0.5)
    async with governed(server) as http:
        await http.get(API)
        with trio.move_on_after(0.6):  # it has arrived, and was counted there
            await http.get(API)
        assert http._transport.usage()["https://api.test"]["100s"]["remaining"] == 3
        assert is_idle(http)


async def test_a_request_that_cannot_connect_costs_nothing(autojump_clock):
    script = Script(
        lambda: httpx.Response(200, headers={"RateLimit": "limit=10, remaining=9, reset=100"}), httpx.ConnectError
    )
    async with governed(script) as http:
        await http.get(API)
        with pytest.raises(httpx.ConnectError):
            await http.get(API)
        [policy] = http._transport.usage()["https://api.test"].values()
        assert policy["remaining"] == 9


async def test_a_foreign_exception_passes_and_releases_everything(autojump_clock):
    def handler(request):
        raise KeyError("mine")

    async with governed(handler) as http:
        with pytest.raises(KeyError):
            await http.get(API)
        assert is_idle(http)


# ---- events ----------------------------------------------------------------------------------------------------------


async def test_events_come_with_the_name_of_their_scope(autojump_clock):
    events = []
    server = QuotaServer(20, 5.0, says="retry-after")
    async with governed(server, on_event=events.append) as http:
        await get_all(http, 40, extensions={"quotas": {"key:A": 1}})
    kinds = [event.kind for event in events]
    assert "refused" in kinds
    assert "recovered" in kinds
    assert {event.scope for event in events} == {"key:A"}


async def test_an_exception_of_on_event_is_raised_by_the_request_and_nothing_is_lost(autojump_clock):
    def on_event(event):
        raise RuntimeError(f"{event.kind} on {event.scope}")

    class Stream(httpx.AsyncByteStream):
        closed = False

        async def __aiter__(self):
            yield b"x"

        async def aclose(self) -> None:
            self.closed = True

    stream = Stream()
    async with governed(Script(lambda: httpx.Response(429, stream=stream)), on_event=on_event) as http:
        with pytest.raises(RuntimeError, match="refused on https://api.test"):
            await http.get(API)
        assert stream.closed
        assert is_idle(http)


# ---- outages ---------------------------------------------------------------------------------------------------------


async def test_an_outage_is_waited_out_without_attempts(autojump_clock):
    internet = Internet(between(2, 62), "refused")
    async with governed(internet, outage_patience=600.0, attempts=1) as http:
        assert await get_all(http, 100) == [200] * 100
        assert is_idle(http)
    assert internet.now < 100
    assert len(internet.failed) < 100


async def test_the_patience_of_a_client_ends(autojump_clock):
    internet = Internet(between(2, 1e9), "servfail")
    async with governed(internet, outage_patience=50.0) as http:
        assert (await http.get(API)).status_code == 200
        await trio.sleep(5)
        before = trio.current_time()
        with pytest.raises(httpx.ConnectError):
            await http.get(API)
        assert 50 <= trio.current_time() - before < 60
        assert is_idle(http)


@pytest.mark.parametrize("patience", [0.0, None])
async def test_a_host_that_has_never_answered_is_not_waited_for(autojump_clock, patience):
    async with governed(Internet(between(0, 1e9), "refused"), outage_patience=patience) as http:
        with pytest.raises(httpx.ConnectError), trio.fail_after(5):
            await http.get(API)


async def test_an_outage_that_outlasts_the_deadline_fails_at_once(autojump_clock):
    async with governed(Internet(between(2, 1e9), "refused"), outage_patience=None) as http:
        await http.get(API)
        await trio.sleep(5)
        with pytest.raises(httpx.TransportError), trio.fail_after(20):
            await http.get(API)
        assert is_idle(http)


async def test_a_refusal_without_a_response_uses_up_no_attempt_of_a_client(autojump_clock):
    def calm() -> httpx.Response:
        error = httpx.RemoteProtocolError("stream 1 reset by server (ENHANCE_YOUR_CALM)")
        set_failure(error, TransportFailure(sent=True, kind="enhance_your_calm"))
        raise error

    script = Script(calm, calm, calm, 200)
    async with governed(script, attempts=1) as http:
        assert (await http.get(API)).status_code == 200
        assert len(script.asked) == 4
    script = Script(calm, 200)
    async with governed(script, attempts=3) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(API, content=b"x")
        assert len(script.asked) == 1
