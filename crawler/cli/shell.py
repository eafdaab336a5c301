"""``crawler shell``: a Python prompt to try selectors on a page."""

from __future__ import annotations

import ast
import mimetypes
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Final

from crawler.cli.arguments import Argument
from crawler.cli.fetcher import Fetcher
from crawler.cli.logs import log_to_stderr, say
from crawler.cli.options import BrowserFlag, LogLevel, PluginOptions, SettingTexts
from crawler.cli.prompt import prompt, run_statement
from crawler.cli.single_page import with_browser
from crawler.cli.standard_streams import printable_terminal
from crawler.cli.target import check_url
from crawler.errors import ConfigError, CrawlerError, RequestError
from crawler.hints import hint_for
from crawler.messages import Request, Response
from crawler.redaction import redact

__all__ = ["shell"]

FILE_NAME: Final = "<code>"
"""The file name of the code in tracebacks."""
HELP: Final = """\
  response   the page: .css(…) .xpath(…) .json() .links() .text .status .headers
  fetch(x)   fetches a URL or a Request: fetch(response.follow("next.html"))
  view()     opens the page in a browser, as it was received
"""


def shell(
    url: Annotated[str | None, Argument("An absolute http or https URL; default: no page.")] = None,
    /,
    *,
    code: Annotated[
        str | None,
        Argument(
            "Run this Python code instead of a prompt, and print the values of its expressions.",
            "-c",
            "--code",
            metavar="CODE",
            hyphen=True,
        ),
    ] = None,
    browser: BrowserFlag = False,
    option: PluginOptions = (),
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Try selectors on a page in a Python prompt.

    The prompt has response, fetch(url) and view(). Pages are fetched as in a crawl, and cookies are kept. The prompt is
    IPython if it is installed. await works at the prompt, with trio. Without a terminal, and without -c, the code is
    read from standard input.

    Example: crawler shell https://books.example/ -c "response.css('h1').text"
    """
    log_to_stderr(log_level)
    request = None if url is None else Request(check_url(url))
    with Fetcher(with_browser(setting, option, browser=browser)) as fetcher, printable_terminal():
        session = Session(fetcher)
        if code is None and sys.stdin is not None and sys.stdin.isatty():
            return session.prompt(request)
        if request is not None:
            session.fetch(request)
        if code is None and sys.stdin is None:
            raise ConfigError("shell needs a terminal, code on standard input, or -c CODE")
        return session.execute(sys.stdin.read() if code is None else code)


class Session:
    """The names that code can use: the page, and functions to fetch and view pages."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self.names: dict[str, Any] = {
            "__name__": "__console__", "Request": Request, "fetch": self.fetch, "response": None, "view": self.view,
        }  # fmt: skip

    def fetch(self, what: str | Request) -> Response:
        """Fetch a page as in a crawl, and make it the new `response`."""
        if not isinstance(what, (str, Request)):
            raise TypeError(f"fetch() takes a URL or a Request, not {what!r}")
        request = Request(check_url(what)) if isinstance(what, str) else what
        response = self._fetcher.fetch(request)
        self.names["response"] = response
        return response

    def view(self, response: Response | None = None) -> str:
        """Write a page to a file, open that in the browser, and return its name."""
        import webbrowser  # noqa: PLC0415 - needed by nothing else

        page: Response | None = response or self.names["response"]
        if page is None:
            raise ValueError("there is no page yet: call fetch(url) first")
        base = b'<base href="' + page.url.replace('"', "%22").encode() + b'">'
        with tempfile.NamedTemporaryFile(prefix="crawler-", suffix=_suffix(page), delete=False) as file:
            file.write(base + page.body if page.is_html and b"<base" not in page.body.lower() else page.body)
        webbrowser.open(Path(file.name).as_uri())
        return file.name

    def execute(self, code: str) -> int:
        """Run code statement by statement, as at a prompt, and return the exit code: 1 after an exception."""
        try:
            run = compile(
                ast.Interactive(ast.parse(code, FILE_NAME).body), FILE_NAME, "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            )
        except SyntaxError as error:
            raise ConfigError(f"{FILE_NAME}:{error.lineno}: {error.msg}") from None
        except ValueError as error:
            raise ConfigError(f"{FILE_NAME}: {error}") from None
        try:
            run_statement(run, self.names)
        except CrawlerError:
            raise
        except Exception as error:
            lines = traceback.format_exception(error.with_traceback(_own_part(error.__traceback__)))
            say(f"{''.join(lines).rstrip()}{hint_for(error)}\n")
            return 1
        return 0

    def prompt(self, request: Request | None) -> int:
        """Show a prompt until Ctrl-D, and return the exit code."""
        if request is not None:
            try:
                self.fetch(request)
            except RequestError as error:
                say(f"crawler: {error}\n")
        page = self.names["response"]
        banner = f"{'no page yet' if page is None else f'{page.status} {redact(page.url)}'}\n{HELP}"
        prompt(self.names, banner)
        return 0


def _own_part(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the line of the user on, without what leads to it."""
    part = trace
    while part is not None and part.tb_frame.f_code.co_filename != FILE_NAME:
        part = part.tb_next
    return part or trace


def _suffix(response: Response) -> str:
    """Return the file extension for a page, by which a browser recognizes its type."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    return ".html" if response.is_html else mimetypes.guess_extension(kind) or ".txt"
