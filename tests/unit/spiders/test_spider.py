"""`Spider`: its arguments, its settings merged along base classes, and its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from crawler import ConfigError, Pace, Plugin, Request, Response, Settings, Spider

if TYPE_CHECKING:
    from nowhere import Unknown


class Shop(Spider):
    category: str = "books"
    pages: int = 1
    _hidden: int = 0
    rows = 5
    seen: ClassVar[int] = 0

    def parse(self, response):
        return None


class Sale(Shop):
    discount: float = 0.1
    pages: int = 2


# ---- arguments -------------------------------------------------------------------------------------------------------


def test_a_spider_takes_its_annotated_attributes():
    spider = Shop(category="toys", pages=3)
    assert (spider.category, spider.pages, spider.rows) == ("toys", 3, 5)
    assert (Shop.category, Shop.pages) == ("books", 1)
    assert Shop().category == "books"


def test_a_spider_takes_start_urls():
    assert list(Shop(start_urls=["https://a.test/"]).start_urls) == ["https://a.test/"]
    assert list(Shop().start_urls) == []


def test_those_of_its_bases_too():
    spider = Sale(category="toys", discount=0.5)
    assert (spider.category, spider.discount, spider.pages) == ("toys", 0.5, 2)
    declared = Sale.declared_arguments()
    assert {name: (option.annotation, option.default) for name, option in declared.items() if name != "start_urls"} == {
        "category": (str, "books"), "pages": (int, 2), "discount": (float, 0.1)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("categroy", " (did you mean category?)"),
        ("start_url", " (did you mean start_urls?)"),
        ("_hidden", ""),
        ("rows", ""),
        ("seen", ""),
        ("settings", ""),
        ("allowed_domains", ""),
        ("name", ""),
        ("crawl", ""),
    ],
)
def test_anything_else_is_refused_with_the_nearest_one(name, hint):
    with pytest.raises(ConfigError) as caught:
        Shop(**{name: 1})
    assert str(caught.value) == f"spider Shop has no argument {name!r}{hint}"


def test_an_annotation_that_cannot_be_resolved_does_not_stop_the_spider():
    class Odd(Spider):
        thing: Unknown = None
        count: int = 1

    assert Odd(thing=5, count=2).thing == 5
    assert Odd.declared_arguments()["thing"].annotation == "Unknown"


def test_a_spider_may_have_a_constructor_of_its_own():
    class Own(Shop):
        def __init__(self, start: str, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.start_urls = [start]

    spider = Own("https://a.test/", category="toys")
    assert (spider.start_urls, spider.category) == (["https://a.test/"], "toys")
    with pytest.raises(ConfigError, match="has no argument 'colour'"):
        Own("https://a.test/", colour="red")


def test_a_spider_is_a_plugin_and_called_like_its_class():
    assert isinstance(Shop(), Plugin)
    assert (Shop.name, Sale.name) == ("shop", "sale")


# ---- settings --------------------------------------------------------------------------------------------------------


def test_settings_are_merged_along_the_bases():
    class Base(Spider):
        settings = Settings(delay=1.0, workers=5, pacing={"a": Pace(burst=1), "b": Pace(burst=2)})

    class Middle(Base):
        pass

    class Derived(Middle):
        settings = Settings(delay=2.0, pacing={"b": Pace(burst=3)})

    assert Derived.merged_settings().given == {
        "delay": 2.0, "workers": 5, "pacing": {"b": Pace(burst=3), "a": Pace(burst=1)}
    }  # fmt: skip
    assert Middle.merged_settings() == Base.settings
    assert Spider.merged_settings().given == {}


def test_settings_of_several_bases_go_over_one_another_as_methods_do():
    class Left(Spider):
        settings = Settings(delay=1.0)

    class Right(Spider):
        settings = Settings(delay=2.0, workers=5)

    class Both(Left, Right):
        pass

    assert (Both.merged_settings().delay, Both.merged_settings().workers) == (1.0, 5)


def test_settings_of_a_mixin_count_too():
    class Slow:
        settings = Settings(delay=9.0)

    class Slower(Slow, Spider):
        pass

    assert Slower.merged_settings().delay == 9.0


def test_settings_may_be_a_dict():
    class Short(Spider):
        settings = {"delay": 1.0, "pacing": {"a": {"rate": "1/s"}}}

    assert Short.settings == Settings(delay=1.0, pacing={"a": Pace(rate="1/s")})
    assert Short.merged_settings().given == Short.settings.given


def test_wrong_settings_are_refused_where_the_class_is_made():
    with pytest.raises(ConfigError, match=r"^no such setting: dealy \(did you mean delay\?\)$"):

        class Wrong(Spider):
            settings = {"dealy": 1.0}


@pytest.mark.parametrize("wrong", [5, None, [("delay", 1.0)]])
def test_settings_that_are_none_are_refused_where_the_class_is_made(wrong):
    with pytest.raises(ConfigError, match=r"^spider Wrong: settings must be a Settings object, not "):
        type("Wrong", (Spider,), {"settings": wrong})


# ---- start and parse -------------------------------------------------------------------------------------------------


def test_start_asks_for_the_start_pages_one_by_one():
    spider = Shop(start_urls=["https://a.test", "https://b.test/x#y"])
    requests = spider.start()
    assert next(requests) == Request("https://a.test/")
    assert next(requests) == Request("https://b.test/x")
    assert next(requests, None) is None


def test_a_start_page_that_is_not_a_url_is_named():
    with pytest.raises(ValueError, match="not a URL: 'a.test'"):
        list(Shop(start_urls=["a.test"]).start())


def test_a_spider_without_parse_says_so():
    class Bare(Spider):
        pass

    with pytest.raises(NotImplementedError, match=r"^Bare has no parse\(response\): define it, or name a callback$"):
        Bare().parse(Response("https://a.test/"))
