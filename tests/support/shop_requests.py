"""Requests of a spider whose callbacks have parameters of many types, and a round trip through JSON."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from decimal import Decimal
from typing import Any

import attrs

from crawler import Headers, Request, Spider

URL = "https://site.test/"


NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@attrs.frozen
class Point:
    """An attrs class as the type of a parameter."""

    x: int
    y: float = 0.0


@dataclasses.dataclass
class Range:
    """A dataclass as the type of a parameter."""

    first: datetime.date
    last: datetime.date | None = None


class Color(enum.Enum):
    """An enumeration as the type of a parameter."""

    RED = "red"


class Shop(Spider):
    """A spider with callbacks of many signatures."""

    def parse(self, response):
        return None

    def plain(self, response, page: int = 1, **others):
        return None

    def none(self):
        return None

    def needs(self, response, category):
        return None

    def typed(
        self,
        response,
        *,
        point: Point = Point(0),
        span: Range | None = None,
        when: datetime.datetime | None = None,
        color: Color = Color.RED,
        price: Decimal = Decimal(0),
        weight: float = 0.0,
        data: bytes = b"",
        many: list[Point] = [],  # noqa: B006
        pair: tuple[int, int] = (0, 0),
        anything: Any = None,
        loose=None,
    ):
        return None

    def failed(self, failure):
        return None

    @staticmethod
    def static(response):
        return None


SHOP = Shop()


def kept(request: Request) -> Request:
    """Return a request after a round trip through JSON."""
    back = Request.from_json(request.to_json())
    assert back == request
    assert back.key == request.key
    assert {name: type(getattr(back, name)) for name in ("headers", "body", "auth", "accept_status", "redirects")} == {
        "headers": Headers, "body": bytes, "auth": type(request.auth), "accept_status": tuple, "redirects": tuple
    }  # fmt: skip
    return back


FULL = Request(
    "https://site.test/a?b", SHOP.typed, errback=SHOP.failed, method="PATCH", headers=[("X-A", "1"), ("x-a", "2")],
    json={"a": 1}, cookies={"c": "d"}, session="s", auth=("u", "p"), proxy="http://p.test", meta={"m": [1]},
    cb_kwargs={"when": NEW_YEAR, "pair": (1, 2)}, priority=3, dont_filter=True, ignore_robots=True, lane="l",
    quotas={"q": 2}, accept_status=(404,), timeout=1.5, attempts=2, max_body=7, plugins={"x": False},
).replace(depth=4, redirects=("https://site.test/0",))  # fmt: skip
