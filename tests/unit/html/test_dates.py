"""Dates of pages: many languages, their precision, and where they come from."""

# ruff: noqa: RUF001  # letters of other alphabets

from __future__ import annotations

import pytest
from support.cases import each

from crawler import Response
from crawler.html.dates import iso_date


@each(
    ("text", "language", "date"),
    [
        ("2024-05-06T07:08:09Z", "", "2024-05-06T07:08:09Z"),
        ("2024-02-09 10:11:12.123+0200", "", "2024-02-09T10:11:12.123+02:00"),
        ("2024-02-09T10:11", "", "2024-02-09T10:11"),
        ("2024-02", "", "2024-02"),
        ("20240209", "", "2024-02-09"),
        ("20240209T101112Z", "", "2024-02-09T10:11:12Z"),
        ("February 9th, 2024", "en", "2024-02-09"),
        ("Updated: Feb 5, 2026", "en", "2026-02-05"),
        ("Tue, 28 Apr 2020 08:40:34 GMT", "", "2020-04-28"),
        ("1/2/2024", "en-US", "2024-01-02"),
        ("1/2/2024", "en-GB", "2024-02-01"),
        ("31/1/2024", "en", "2024-01-31"),
        ("29.04.2020, 12:01 Uhr", "de", "2020-04-29"),
        ("9 de febrero de 2024", "es", "2024-02-09"),
        ("1er février 2024", "fr", "2024-02-01"),
        ("9 февраля 2024 г.", "ru", "2024-02-09"),
        ("2024. február 9.", "hu", "2024-02-09"),
        ("2024. gada 9. februāris", "lv", "2024-02-09"),
        ("10 listopada 2023", "pl", "2023-11-10"),
        ("10. listopada 2023.", "hr", "2023-10-10"),
        ("2024年2月9日", "ja", "2024-02-09"),
        ("9 กุมภาพันธ์ 2567", "th", "2024-02-09"),
        ("٩ فبراير ٢٠٢٤", "ar", "2024-02-09"),
        ("March 2021", "en", "2021-03"),
        ("in 2024", "en", None),
        ("2024-13-45", "", None),
        ("30/02/2024", "", None),
        ("", "", None),
    ],
)
def test_a_text_has_a_date(text, language, date):
    assert iso_date(text, language) == date


def dates(page: str, url: str = "https://site.example/p") -> tuple[str | None, str | None]:
    found = Response(url, 200, {"content-type": "text/html; charset=utf-8"}, page).article()
    return found.date, found.modified


def test_the_sources_of_a_page_in_order():
    sources = [
        (
            '<script type="application/ld+json">{"@type": "Article", "datePublished": "2024-01-01"}</script>',
            "2024-01-01",
        ),
        ("<meta property=article:published_time content=2024-01-02>", "2024-01-02"),
        ("<time datetime=2024-01-03>x</time>", "2024-01-03"),
    ]
    page = "".join(source for source, _ in sources)
    for source, date in sources:
        assert dates(page, "https://site.example/2024/01/04/p")[0] == date
        page = page.replace(source, "")
    assert dates("<p>5 January 2024", "https://site.example/2024/01/04/p")[0] == "2024-01-04"
    assert dates("<p>5 January 2024")[0] == "2024-01-05"
    assert dates("<p>x", "https://site.example/2024/01/p")[0] == "2024-01"


def test_a_day_in_the_text_is_more_precise_than_a_month_of_the_url():
    assert dates("<p class=date>9 May 2024", "https://site.example/2024/05/p")[0] == "2024-05-09"


def test_a_declared_date_that_is_not_iso_comes_last():
    script = '<script type="application/ld+json">{"datePublished": "February 9th, 2024"}</script>'
    assert dates(script)[0] == "2024-02-09"
    assert dates(f"{script}<p>5 January 2024")[0] == "2024-01-05"


def test_the_last_change_counts_if_there_is_no_other():
    page = "<meta property=article:modified_time content=2024-03-01>"
    assert dates(page) == ("2024-03-01", "2024-03-01")
    assert dates(f"{page}<time datetime=2024-01-03>") == ("2024-01-03", "2024-03-01")


@pytest.mark.parametrize("around", ["<nav>{}</nav>", "<aside>{}</aside>", "<div class=comments>{}</div>"])
def test_dates_of_something_else_do_not_count(around):
    other = around.format("<time datetime=2020-01-01>x</time>")
    assert dates(f"{other}<main><time datetime=2024-01-03>x</time></main>")[0] == "2024-01-03"
