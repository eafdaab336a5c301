"""`Client.map`: many requests, a few at a time, their responses in order, and nothing left behind."""

from __future__ import annotations

import gc
import itertools
import random
import threading

import httpx
import pytest
import trio

from crawler import ConfigError, client
from crawler.api_client import QuotaTimeout
from crawler.api_client.mapping import BackgroundTasks

API = "https://api.test/"


class Site:
    """Responds after a random delay, and fails for some numbers."""

    def __init__(self, *, broken=(), delay=None) -> None:
        self.broken = set(broken)
        self.delay = delay
        self.started: list[int] = []
        self.finished: list[int] = []
        self.cancelled = 0
        self.chance = random.Random(5)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        number = int(request.url.path.strip("/"))
        self.started.append(number)
        try:
            await trio.sleep(self.chance.uniform(0.1, 2.0) if self.delay is None else self.delay)
        except trio.Cancelled:
            self.cancelled += 1
            raise
        self.finished.append(number)
        if number in self.broken:
            raise httpx.DecodingError("broken", request=request)
        return httpx.Response(200, text=str(number), headers={"X-Method": request.method})

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


def urls(count=None):
    return (f"{API}{number}" for number in (itertools.count() if count is None else range(count)))


def is_idle(http) -> bool:
    return all(not throttle.busy and not throttle.inflight for throttle in http.limits.throttles.values())


@pytest.mark.parametrize("opened", [False, True])
async def test_answers_come_in_order_and_whole(autojump_clock, opened):
    site = Site()
    async with client(transport=site.transport) as http:
        if opened:
            async with http.map(urls(50)) as answers:
                texts = [answer.text async for answer in answers]
        else:
            texts = [answer.text async for answer in http.map(urls(50))]
        assert texts == [str(number) for number in range(50)]
        assert is_idle(http)
    assert site.finished != sorted(site.finished), "they did not overtake each other"


async def test_many_are_under_way_at_once(autojump_clock):
    site = Site(delay=1.0)
    async with client(transport=site.transport, concurrency=8) as http:
        assert len([answer async for answer in http.map(urls(80))]) == 80
    assert trio.current_time() < 80 / 8 + 5


async def test_the_source_is_taken_from_as_there_is_room(autojump_clock):
    site = Site(delay=0.01)
    taken = []

    async def source():
        for url in urls():
            taken.append(url)
            yield url

    async with client(transport=site.transport) as http:
        async with http.map(source(), window=5) as answers:
            assert (await anext(answers)).text == "0"
            await trio.sleep(100)
            assert len(site.finished) <= 6
            assert len(taken) <= 7
            assert [(await anext(answers)).text for _ in range(100)] == [str(number) for number in range(1, 101)]
        assert is_idle(http)
    assert len(taken) < 120


async def test_a_window_of_one_is_one_after_the_other(autojump_clock):
    site = Site(delay=1.0)
    async with client(transport=site.transport) as http:
        assert [answer.text async for answer in http.map(urls(3), window=1)] == ["0", "1", "2"]
    assert site.started == site.finished
    assert trio.current_time() == pytest.approx(3, abs=0.01)


async def test_an_exception_is_raised_at_its_place(autojump_clock):
    site = Site(broken=[3])
    async with client(transport=site.transport) as http:
        texts = []
        with pytest.raises(httpx.DecodingError):
            async for answer in http.map(urls(10)):
                texts += [answer.text]
        assert texts == ["0", "1", "2"]


async def test_an_exception_may_be_an_answer(autojump_clock):
    site = Site(broken=[3])
    async with client(transport=site.transport) as http:
        answers = [answer async for answer in http.map(urls(6), return_exceptions=True)]
    assert [type(answer).__name__ for answer in answers] == ["Response"] * 3 + ["DecodingError"] + ["Response"] * 2


async def test_iteration_may_continue_after_an_exception(autojump_clock):
    async with client(transport=Site(broken=[0]).transport) as http, http.map(urls(3)) as answers:
        with pytest.raises(httpx.DecodingError):
            await anext(answers)
        assert [answer.text async for answer in answers] == ["1", "2"]
        with pytest.raises(StopAsyncIteration):
            await anext(answers)


@pytest.mark.parametrize("as_exceptions", [False, True])
async def test_an_exception_of_the_source_is_raised_after_the_results_before_it(autojump_clock, as_exceptions):
    def source():
        yield f"{API}0"
        raise KeyError("mine")

    async with client(transport=Site().transport) as http:
        answers = http.map(source(), return_exceptions=as_exceptions)
        assert (await anext(answers)).text == "0"
        with pytest.raises(KeyError):
            await anext(answers)
        with pytest.raises(StopAsyncIteration):
            await anext(answers)


async def test_leaving_early_cancels_the_requests_in_flight(autojump_clock):
    site = Site(delay=1.0)
    closed = []

    async def source():
        try:
            for url in urls():
                yield url
        finally:
            closed.append(True)

    async with client(transport=site.transport) as http:
        async with http.map(source()) as answers:
            async for answer in answers:
                if answer.text == "20":
                    break
        assert is_idle(http)
        assert closed
        assert site.cancelled
        started = len(site.started)
        await trio.sleep(10)
        assert len(site.started) == started


async def test_leaving_a_bare_loop_ends_it_too(autojump_clock):
    site = Site(delay=1.0)
    async with client(transport=site.transport) as http:
        async for answer in http.map(urls()):
            if answer.text == "20":
                break
        gc.collect()  # for interpreters without reference counts
        await trio.sleep(0.01)
        assert is_idle(http)
        started = len(site.started)
        await trio.sleep(10)
        assert len(site.started) == started


async def test_cancelling_loses_nothing(autojump_clock):
    site = Site(delay=1.0)
    async with client(transport=site.transport) as http:
        for opened in (False, True):
            with trio.move_on_after(5.5) as scope:
                if opened:
                    async with http.map(urls()) as answers:
                        async for _ in answers:
                            pass
                else:
                    async for _ in http.map(urls()):
                        pass
            assert scope.cancelled_caught
            gc.collect()
            await trio.sleep(0.01)
            assert is_idle(http)


async def test_a_cancelled_wait_for_a_result_may_be_repeated(autojump_clock):
    async with client(transport=Site(delay=1.0).transport) as http, http.map(urls(3)) as answers:
        texts = []
        while len(texts) < 3:
            with trio.move_on_after(0.3):
                texts.append((await anext(answers)).text)
        assert texts == ["0", "1", "2"]


async def test_a_deadline_around_the_loop_counts_for_its_waits(autojump_clock):
    async with client(transport=Site(delay=0.01).transport, rate="1/s") as http:
        texts = []
        with pytest.raises(QuotaTimeout, match="the request can start in"), trio.fail_after(5.5):
            async for answer in http.map(urls(), window=4):
                texts += [answer.text]
        assert trio.current_time() < 5.5
        assert len(texts) >= 3
        assert is_idle(http)


async def test_a_deadline_around_a_single_step_holds_too(autojump_clock):
    http = client(transport=Site(delay=0.01).transport, rate="1/10s")
    async with http, http.map(urls(3), window=1) as answers:
        assert (await anext(answers)).text == "0"
        with pytest.raises(QuotaTimeout), trio.fail_after(5):
            await anext(answers)
        assert trio.current_time() < 1
        assert (await anext(answers)).text == "2"


async def test_requests_and_methods_and_options(autojump_clock):
    site = Site(delay=0.0)
    async with client(transport=site.transport) as http:
        mixed = [f"{API}0", httpx.URL(f"{API}1"), httpx.Request("PUT", f"{API}2"), http.build_request("GET", f"{API}3")]
        answers = [answer async for answer in http.map(mixed, method="POST", headers={"X-Key": "7"}, auth=("a", "b"))]
    assert [answer.headers["x-method"] for answer in answers] == ["POST", "POST", "PUT", "GET"]
    assert [answer.request.headers.get("x-key") for answer in answers] == ["7", "7", None, None]
    assert all("authorization" in answer.request.headers for answer in answers)


async def test_closing_the_client_is_not_the_end_of_the_results(autojump_clock):
    async with trio.open_nursery() as nursery, client(transport=Site(delay=1.0).transport) as http:
        answers = http.map(urls())

        async def reader() -> None:
            with pytest.raises(httpx.CloseError):
                async for _ in answers:
                    pass

        nursery.start_soon(reader)
        await trio.sleep(3.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"requests": API}, "map() takes many URLs, such as a list of them"),
        ({"requests": 7}, "map() takes many URLs, not 7"),
        ({"requests": [], "window": 0}, "window must be an integer of at least 1"),
        ({"requests": [], "heders": {}}, "map() has no option heders (did you mean headers?)"),
    ],
)
async def test_wrong_arguments(autojump_clock, arguments, words):
    async with client(transport=Site().transport) as http:
        with pytest.raises(ConfigError) as caught:
            http.map(**arguments)
        assert str(caught.value).startswith(words)


async def test_an_iterator_that_another_thread_collects_ends_in_its_own(autojump_clock):
    """The garbage collector runs in any thread, and trio's scopes may be cancelled in one only."""
    site = Site(delay=1.0)
    async with client(transport=site.transport) as http:
        held = [http.map(urls())]
        assert (await anext(held[0])).text == "0"
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()
        await trio.sleep(0.01)
        assert is_idle(http)
    assert site.cancelled


def test_an_iterator_that_outlives_its_run_ends_in_silence(recwarn):
    async def main():
        async with client(transport=Site(delay=0.0).transport) as http:
            responses = http.map(urls(2))
            await anext(responses)
            return responses

    responses = trio.run(main)
    del responses
    gc.collect()
    assert not recwarn.list


async def test_background_tasks_end_with_their_block_and_leave_its_exception_alone(autojump_clock):
    ended = []

    async def task():
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    with pytest.raises(KeyError), trio.fail_after(1):
        async with BackgroundTasks() as tasks:
            tasks.nursery.start_soon(task)
            await trio.sleep(0)
            raise KeyError
    assert ended
