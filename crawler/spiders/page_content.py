"""`page_content`: the content of a page in a chosen form, as a JSON value."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from crawler import content
from crawler.messages import Response

__all__ = ["FORMS", "ContentForm", "page_content"]

ContentForm: TypeAlias = Literal["markdown", "text", "article", "links"]
"""A form of the content of a page."""
FORMS: tuple[str, ...] = get_args(ContentForm)


def page_content(response: Response, form: ContentForm) -> Any:
    """Return the content of a page."""
    if form == "links":
        return response.hrefs()
    if form == "markdown":
        return response.markdown()
    if form == "text":
        if response.is_html:
            return response.article().text
        return "" if content.is_binary(response.body) else response.text
    article = response.article()
    return {
        "title": article.title,
        "byline": article.byline,
        "authors": article.authors,
        "date": article.date,
        "modified": article.modified,
        "language": article.language,
        "description": article.description,
        "site_name": article.site_name,
        "image": article.image,
        "tags": article.tags,
        "markdown": article.markdown if response.is_html else response.markdown(),
    }
