"""What a page says about itself: site, image, tags; which objects of JSON-LD describe it."""

from __future__ import annotations

from support.cases import each

from crawler import Response
from crawler.html import Article


def article(page: str) -> Article:
    return Response("https://site.example/d/p", 200, {"content-type": "text/html"}, page).article()


@each(
    ("page", "name", "value"),
    [
        ("<meta property=og:site_name content=' The  Cloud '>", "site_name", "The Cloud"),
        ('<script type="application/ld+json">{"publisher": {"name": "The Cloud"}}</script>', "site_name", "The Cloud"),
        ("<meta name=application-name content=Cloud>", "site_name", "Cloud"),
        ("<meta property=og:image content=a.png>", "image", "https://site.example/d/a.png"),
        (
            '<script type="application/ld+json">{"image": [{"url": "/b.png"}]}</script>',
            "image",
            "https://site.example/b.png",
        ),
        ("<meta property=og:image content=javascript:x>", "image", None),
        ("<meta name=keywords content='rain, May,,rain'><a rel=tag>wet</a>", "tags", ["rain", "May", "wet"]),
        ('<script type="application/ld+json">{"keywords": ["a", 3, "b"]}</script>', "tags", ["a", "b"]),
        ("<meta name=description content=D>", "description", "D"),
    ],
)
def test_facts(page, name, value):
    assert getattr(article(page), name) == value


def test_an_article_describes_the_page_before_others_and_a_comment_never():
    page = """<script type="application/ld+json">[
        {"@type": "Comment", "datePublished": "2024-01-01"}, {"@type": "WebPage", "datePublished": "2024-01-02"},
        {"@type": "https://schema.org/NewsArticle", "datePublished": "2024-01-03"}]</script>"""
    assert article(page).date == "2024-01-03"
    assert article(page.replace("NewsArticle", "Answer")).date == "2024-01-02"
