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
    calls = {"numbers\nnames\npair": 1}
    check_handlers(Shop(), HandlerCounts({"parse": 9, "numbers": 1}, {"parse_items": 2}, calls), JOB)


def test_the_parse_method_of_the_base_class_is_not_a_callback() -> None:
    with pytest.raises(JobError, match=r"Spider has no method parse\(self, response\): define it, which is"):
        check_handlers(Spider(), HandlerCounts({"parse": 1}), JOB)


def test_every_missing_method_is_named_with_its_requests_and_the_way_out() -> None:
    counts = HandlerCounts({"parse_item": 1014, "numbers": 5, "zzz": 2}, {"gone": 1}, {"numbers\nnames\npair": 5})
    with pytest.raises(JobError) as raised:
        check_handlers(Shop(), counts, JOB)
    assert str(raised.value) == (
        "shop.job cannot continue: "
        "Shop has no method 'parse_item' (did you mean parse_items?), which is the callback of 1,014 waiting requests; "
        "Shop has no method 'zzz', which is the callback of 2 waiting requests; "
        "Shop has no method 'gone', which is the errback of one waiting request: "
        "rename the method back, or keep the old name in the class as well, as in old_name = new_name"
    )


class Changed(Spider):
    def parse(self, response: Response) -> None: ...

    def page(self, response: Response, number: int, size: int = 10) -> None: ...

    def lost(self) -> None: ...


def test_a_method_whose_parameters_fit_no_pending_request_is_found():
    counts = HandlerCounts({"parse": 3, "page": 3_000}, {"lost": 1}, {"page\nnumber": 2_000, "page\nindex\nsize": 999})
    with pytest.raises(JobError) as caught:
        check_handlers(Changed(), counts, JOB)
    said = str(caught.value)
    assert "Changed.page does not fit as the callback of 999 waiting requests (missing a required" in said
    assert "Changed.page does not fit as the callback of one waiting request (missing a required" in said
    assert "Changed.lost does not fit as the errback of one waiting request (too many positional arguments)" in said
    assert said.endswith("restore the parameters, or give new ones default values")
    assert "\n" not in said


def test_parameters_that_fit_every_pending_request_are_accepted():
    check_handlers(Changed(), HandlerCounts({"page": 2}, {}, {"page\nnumber": 1, "page\nnumber\nsize": 1}), JOB)
