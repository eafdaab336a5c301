"""``crawler fetch`` and ``crawler links``: one page, fetched as in a crawl."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec

from crawler.cli.arguments import Argument
from crawler.cli.logs import plural, say
from crawler.cli.options import BrowserFlag, LogLevel, PluginOptions, SettingTexts, Url
from crawler.cli.single_page import exit_code, get, status_line
from crawler.cli.standard_streams import show, write
from crawler.errors import ConfigError
from crawler.files import error_reason, replace_file
from crawler.messages import Response
from crawler.printable import printable
from crawler.spiders.page_content import ContentForm, page_content

__all__ = ["fetch", "links"]


def fetch(
    url: Url,
    /,
    *,
    headers: Annotated[bool, Argument("Print the status line and the headers instead of the body.")] = False,
    head: Annotated[bool, Argument("Send HEAD instead of GET; print the status line and the headers.")] = False,
    json: Annotated[
        bool, Argument("Print a JSON object: url, status, headers, encoding, seconds, attempt, redirects, text.")
    ] = False,
    save: Annotated[Path | None, Argument("Write the body to a file, unchanged.", metavar="FILE")] = None,
    screenshot: Annotated[
        Path | None,
        Argument("Save a picture of the page, .png or .pdf; the page is rendered (--browser).", metavar="FILE"),
    ] = None,
    as_: Annotated[
        ContentForm | None,
        Argument(
            "Print the main content as markdown or text, the article as a JSON object, or the links of the page.",
            metavar="FORM",
        ),
    ] = None,
    browser: BrowserFlag = False,
    option: PluginOptions = (),
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Print the body of a page, or its content in another form.

    The page is fetched as in a crawl: redirects are followed, robots.txt is obeyed, and a busy server is asked again
    later. The last response is printed whatever its status; the exit code is 4 from 400 on.

    Example: crawler fetch https://books.example/ --as markdown
    """
    forms = [name for name, given in (("--headers", headers), ("--head", head), ("--json", json)) if given]
    _check_options([*forms, *(["--as"] if as_ is not None else [])], save, browser=browser or screenshot is not None)
    if screenshot is not None:
        option += (f"browser.{_kind_of(screenshot)}=true",)
    method = "HEAD" if head else "GET"
    response = get(url, setting, log_level, method=method, browser=browser or screenshot is not None, option=option)
    if screenshot is not None:
        _save_picture(screenshot, response)
    if save is not None:
        _save(save, response.body)
    if json:
        write(msgspec.json.encode(_summary(response)).decode() + "\n")
    elif as_ is not None:
        write(_printed(page_content(response, as_)))
    elif headers or head:
        show([f"HTTP {status_line(response.status)}", *(f"{name}: {value}" for name, value in response.headers.pairs)])
    elif save is not None:
        say(f"{plural(len(response.body), 'byte')} in {save}\n")
    elif sys.stdout.isatty():
        sys.stdout.write(printable(response.text))
    else:
        sys.stdout.buffer.write(response.body)
    return exit_code(response)


def _check_options(forms: list[str], save: Path | None, *, browser: bool) -> None:
    """Check that no two options of `fetch` contradict each other."""
    if len(forms) > 1:
        raise ConfigError(f"use either {forms[0]} or {forms[1]}, not both")
    if "--head" in forms and (save is not None or browser):
        raise ConfigError(f"--head has no body to {'render: leave out --browser' if browser else '--save'}")
    if save is not None and save.is_dir():
        raise ConfigError(f"--save {save} is a folder, not a file")


def _kind_of(path: Path) -> str:
    """Return the option of the plugin `browser` that makes a picture of this format."""
    kind = {".png": "screenshot", ".pdf": "pdf"}.get(path.suffix.lower())
    if kind is None or path.is_dir():
        raise ConfigError(f"--screenshot takes a file that ends in .png or .pdf, not {path}")
    return kind


def _save_picture(path: Path, response: Response) -> None:
    picture = response.pdf or response.screenshot
    if picture is None:
        raise ConfigError(f"{response.url} was not rendered, so there is no picture for {path}")
    _save(path, picture)


def _save(path: Path, body: bytes) -> None:
    try:
        with replace_file(path) as file:
            file.write(body)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error_reason(error)}") from error


def _summary(response: Response) -> dict[str, Any]:
    """Return a response as JSON values."""
    return {
        "url": response.url,
        "status": response.status,
        "headers": [list(pair) for pair in response.headers.pairs],
        "encoding": response.encoding,
        "seconds": round(response.elapsed, 4),
        "attempt": response.attempt,
        "redirects": list(response.redirects),
        "text": response.text,
    }


def _printed(value: Any) -> str:
    """Return the content of a page as lines: a text as it is, a list one value per line, an object as JSON."""
    if isinstance(value, list):
        return "".join(f"{line}\n" for line in value)
    if isinstance(value, dict):
        value = msgspec.json.encode(value).decode()
    return f"{value}\n" if value else ""


def links(
    url: Url,
    /,
    *,
    json: Annotated[
        bool, Argument("Print every link, repeated ones too, as a JSON object per line: url, tag, text, rel.")
    ] = False,
    browser: BrowserFlag = False,
    option: PluginOptions = (),
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Print the links of a page, one absolute URL per line.

    Example: crawler links https://books.example/
    """
    response = get(url, setting, log_level, browser=browser, option=option)
    found = response.links()
    if not found:
        content_type = response.headers.get("content-type", "no content type")
        say(f"crawler: {response.url} {'has no links' if response.is_html else f'is not HTML ({content_type})'}\n")
    if json:
        lines = [
            msgspec.json.encode({"url": link.url, "tag": link.tag, "text": link.text, "rel": link.rel}).decode()
            for link in found
        ]
    else:
        lines = list(dict.fromkeys(link.url for link in found))
    write("".join(f"{line}\n" for line in lines))
    return exit_code(response)
