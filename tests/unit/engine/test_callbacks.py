"""`Callbacks`: methods by name, and the check of a job that is resumed with another version of its spider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler import JobError, Request, Response, Spider
from crawler.engine.callbacks import Callbacks, check_handlers
from crawler.store.handler_counts import HandlerCounts

URL = "https://site.test/"
JOB = Path("shop.job")


class Shop(Spider):
    def parse(self, response: Response) -> None: ...

    def parse_items(self, response: Response) -> None: ...

    def numbers(self, response: Response, pair: tuple[int, int], names: Any) -> Any:
        names.append("changed")
        return {"pair": pair, "names": names}


def test_a_callback_gets_its_arguments_converted_and_as_a_copy() -> None:
    request = Request(URL, callback="numbers", cb_kwargs={"pair": [1, 2], "names": ["a"]})
    response = Response(URL, 200, {}, b"", request=request)
    callbacks = Callbacks(Shop())
    for _ in range(2):
        assert callbacks.bind("numbers", response)() == {"pair": (1, 2), "names": ["a", "changed"]}


def test_an_unknown_callback_is_named_with_a_suggestion() -> None:
    with pytest.raises(LookupError, match=r"Shop has no method 'numbrs' \(did you mean numbers\?\)"):
        Callbacks(Shop()).find("numbrs")


def test_a_job_whose_handlers_all_exist_passes() -> None:
    check_handlers(Shop(), HandlerCounts(), JOB)
    check_handlers(Shop(), HandlerCounts({"parse": 9, "numbers": 1}, {"parse_items": 2}), JOB)


def test_the_parse_of_the_base_class_is_no_callback() -> None:
    with pytest.raises(JobError, match=r"Spider has no method parse\(self, response\): define it, which is"):
        check_handlers(Spider(), HandlerCounts({"parse": 1}), JOB)


def test_every_missing_method_is_named_with_its_requests_and_the_way_out() -> None:
    counts = HandlerCounts({"parse_item": 1014, "numbers": 5, "zzz": 2}, {"gone": 1})
    with pytest.raises(JobError) as raised:
        check_handlers(Shop(), counts, JOB)
    assert str(raised.value) == (
        "shop.job cannot continue: "
        "Shop has no method 'parse_item' (did you mean parse_items?), which is the callback of 1,014 waiting requests; "
        "Shop has no method 'zzz', which is the callback of 2 waiting requests; "
        "Shop has no method 'gone', which is the errback of one waiting request: "
        "rename the method back, or keep the old name in the class as well, as in old_name = new_name"
    )
