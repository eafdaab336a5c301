"""The URLs that a page leads to without scripts: what a `SiteSpider` follows with the setting `thorough`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final
from urllib.parse import parse_qsl

from crawler.html.forms import CONTROLS
from crawler.html.page_targets import header_targets, target_batches
from crawler.http.redirects import refresh_targets
from crawler.messages import Response
from crawler.messages.form import Form, forms_on
from crawler.messages.page_links import LARGE

__all__ = ["form_targets", "leads_back", "linked_urls"]

MAX_FORMS: Final = 20
"""Maximum number of forms of one page that are submitted."""
MAX_BUTTONS: Final = 20
"""Maximum number of buttons of one form that are pressed."""
MAX_CONTROLS: Final = 2000
"""Maximum number of buttons and fields of a page whose forms are submitted: each form may own any of them."""


def linked_urls(response: Response) -> Generator[None, None, list[str]]:
    """Return the absolute URLs that a page leads to, without repeats; forms are left out.

    The URLs come from ``a``, ``area``, ``frame``, ``iframe``, ``link``, refreshes and the ``Link`` header field. On a
    large page it yields now and then, so that other tasks run.
    """
    found = dict.fromkeys(response.hrefs())
    if response.is_html:
        is_large = len(response.body) > LARGE
        for batch in target_batches(response.document, response.url, response.encoding):
            found.update(dict.fromkeys(batch))
            if is_large:
                yield
    found.update(dict.fromkeys(refresh_targets(response)))
    found.update(dict.fromkeys(header_targets(response.link_header, response.url)))
    return list(found)


def form_targets(response: Response, *, skip_nofollow: bool = False) -> list[str]:
    """Return the absolute URLs that the forms of a page lead to, without repeats.

    Forms are sent as they are on the page, once for each of their buttons, if they use GET and have no required field
    without a value: an empty search form is sent, too.
    """
    if response.is_html and len(response.document.select(",".join(CONTROLS))) > MAX_CONTROLS:
        return []
    forms = forms_on(response, MAX_FORMS, skip_nofollow=skip_nofollow)
    return list(dict.fromkeys(url for form in forms if not form.needs_input for url in _submissions(form)))


def leads_back(target: str, page: str) -> bool:
    """Return whether a form leads to its own page, with empty values: mostly the search box of a script."""
    place, _, query = target.partition("?")
    if not query or place != page.partition("?")[0]:
        return False
    return not any(value for _, value in parse_qsl(query, keep_blank_values=True))


def _submissions(form: Form) -> Iterator[str]:
    for button in range(min(len(form.buttons), MAX_BUTTONS)) or (False,):
        try:
            request = form.submit(button=button)
        except ValueError:  # the form closes a dialog, or does not lead to a web URL
            continue
        if request.method == "GET":
            yield request.url.removesuffix("?")  # without fields, it is the page that a link would lead to
