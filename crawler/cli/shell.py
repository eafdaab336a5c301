"""``crawler shell``: a Python prompt with a page in it."""

from __future__ import annotations

import ast
import mimetypes
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from crawler.cli.configuration import Layers
from crawler.cli.logs import log_to_stderr, say
from crawler.cli.single_page import LogLevel, OnePage, SettingTexts, ask
from crawler.cli.target import web_url
from crawler.errors import ConfigError, CrawlerError, RequestError
from crawler.messages import Request, Response

__all__ = ["shell"]

PLACE: Final = "<code>"
"""What code is called where it has no file."""
HELP: Final = """\
  response   the page: .css(…) .xpath(…) .json() .links() .text .status .headers
  fetch(x)   asks for another, x a URL or a Request: response.follow("a.next")
  view()     opens the page in a browser, as it was received
"""


def shell(
    url: Annotated[str | None, Parameter(help="An absolute http or https URL; none: no page yet.")] = None,
    /,
    *,
    code: Annotated[
        str | None,
        Parameter(
            name=["-c", "--code"],
            metavar="CODE",
            allow_leading_hyphen=True,
            help="Python to run instead of a prompt; what its expressions give is printed.",
        ),
    ] = None,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Try selectors on a page: a Python prompt with response, fetch(url) and view() in it.

    Pages are asked for as in a crawl. Without a terminal, and without -c, the code is read from standard input.
    """
    log_to_stderr(log_level)
    session = Session(Layers.read(settings=setting))
    request = None if url is None else Request(web_url(url))
    if code is None and sys.stdin is not None and sys.stdin.isatty():
        return session.prompt(request)
    if request is not None:
        session.fetch(request)
    if code is None and sys.stdin is None:
        raise ConfigError("shell has neither a terminal nor -c CODE")
    return session.execute(sys.stdin.read() if code is None else code)


class Session:
    """The names that code can use, and the page that it is about.

    Parameters:
        layers: settings and plugins that pages are asked for with.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self.names: dict[str, Any] = {
            "__name__": "__console__", "Request": Request, "fetch": self.fetch, "response": None, "view": self.view,
        }  # fmt: skip

    def fetch(self, what: str | Request) -> Response:
        """Asks for a page, as a crawl would; it is `response` from then on.

        Raises:
            ConfigError: it is no web URL.
            RequestError: there was no answer.
        """
        if not isinstance(what, (str, Request)):
            raise TypeError(f"fetch() takes a URL or a Request, not {what!r}")
        request = Request(web_url(what)) if isinstance(what, str) else what
        response = ask(OnePage(request), self._layers)
        self.names["response"] = response
        return response

    def view(self, response: Response | None = None) -> str:
        """Opens a page in the browser; gives the file that it was written to.

        Parameters:
            response: default the last one.
        """
        import webbrowser  # noqa: PLC0415 - needed by nothing else

        page: Response | None = response or self.names["response"]
        if page is None:
            raise ValueError("there is no page yet: fetch(url)")
        base = b'<base href="' + page.url.replace('"', "%22").encode() + b'">'
        with tempfile.NamedTemporaryFile(prefix="crawler-", suffix=_suffix(page), delete=False) as file:
            file.write(base + page.body if page.is_html and b"<base" not in page.body.lower() else page.body)
        webbrowser.open(Path(file.name).as_uri())
        return file.name

    def execute(self, code: str) -> int:
        """Runs code as a prompt would, a statement at a time; what it raises ends it with exit code 1."""
        try:
            run = compile(ast.Interactive(ast.parse(code, PLACE).body), PLACE, "single")
        except SyntaxError as error:
            raise ConfigError(f"{PLACE}:{error.lineno}: {error.msg}") from None
        except ValueError as error:
            raise ConfigError(f"{PLACE}: {error}") from None
        try:
            exec(run, self.names)  # noqa: S102 - that is what it is for
        except CrawlerError:
            raise
        except Exception as error:
            trace = error.__traceback__
            say("".join(traceback.format_exception(error.with_traceback(trace and trace.tb_next))))
            return 1
        return 0

    def prompt(self, request: Request | None) -> int:
        """The prompt, until Ctrl-D."""
        import code  # noqa: PLC0415 - needed by nothing else
        import readline  # noqa: PLC0415
        import rlcompleter  # noqa: PLC0415

        if request is not None:
            try:
                self.fetch(request)
            except RequestError as error:
                say(f"crawler: {error}\n")
        readline.set_completer(rlcompleter.Completer(self.names).complete)
        readline.parse_and_bind("tab: complete")
        page = self.names["response"]
        banner = f"{'no page yet' if page is None else f'{page.status} {page.url}'}\n{HELP}"
        code.interact(banner, local=self.names, exitmsg="")
        return 0


def _suffix(response: Response) -> str:
    """The ending by which a browser knows what a file is."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    return ".html" if response.is_html else mimetypes.guess_extension(kind) or ".txt"
