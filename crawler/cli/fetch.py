"""``crawler fetch`` and ``crawler links``: one page, asked for as a crawl would ask."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter

from crawler.cli.logs import say
from crawler.cli.single_page import LogLevel, SettingTexts, Url, get, status_line
from crawler.cli.standard_streams import write

__all__ = ["fetch", "links"]


def fetch(
    url: Url,
    /,
    *,
    headers: Annotated[bool, Parameter(help="The status line and the header fields instead of the body.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Print the body of a page.

    It is asked for as in a crawl: redirects are followed, robots.txt is obeyed, and a server that is busy is asked
    again. Whatever status comes in the end is an answer.
    """
    response = get(url, setting, log_level)
    if headers:
        fields = "".join(f"{name}: {value}\n" for name, value in response.headers.pairs)
        sys.stdout.write(f"HTTP {status_line(response.status)}\n{fields}")
    else:
        sys.stdout.buffer.write(response.body)
    return 0


def links(
    url: Url,
    /,
    *,
    json: Annotated[bool, Parameter(help="One JSON object a line: url, tag, text, rel; repeats included.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Print the links of a page, one absolute URL a line."""
    response = get(url, setting, log_level)
    found = response.links()
    if not found:
        what = "has no links" if response.is_html else f"is no HTML ({response.headers.get('content-type', 'no type')})"
        say(f"crawler: {response.url} {what}\n")
    if json:
        lines = [
            msgspec.json.encode({"url": link.url, "tag": link.tag, "text": link.text, "rel": link.rel}).decode()
            for link in found
        ]
    else:
        lines = list(dict.fromkeys(link.url for link in found))
    write("".join(f"{line}\n" for line in lines))
    return 0
