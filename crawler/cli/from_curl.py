"""``crawler from-curl``: translate a curl command into a `Request`."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import quote_plus

from msgspec import Struct, field

from crawler.cli.arguments import Argument
from crawler.cli.logs import say
from crawler.cli.standard_streams import write
from crawler.cli.target import check_url
from crawler.errors import ConfigError

__all__ = ["from_curl", "parse_curl"]

IGNORED: Final = frozenset(
    {
        "--compressed", "--fail", "--globoff", "--http1.1", "--http2", "--insecure", "--location",
        "--no-progress-meter", "--show-error", "--silent", "--verbose", "-L", "-S", "-f", "-g", "-i", "-k", "-s", "-v",
    }
)  # fmt: skip
"""Options without a value that every crawl implies, or that correspond to a setting."""
IGNORED_WITH_VALUE: Final = frozenset(
    {"--connect-timeout", "--max-time", "--output", "--retry", "--write-out", "-m", "-o", "-w"}
)
"""Options with a value that say nothing about the request."""
NOTES: Final = {
    "-k": "tls_verify=False",
    "--insecure": "tls_verify=False",
    "-m": "request_deadline",
    "--max-time": "request_deadline",
}
"""Options that correspond to a setting of the crawl."""
FORM: Final = "application/x-www-form-urlencoded"
"""The media type of a body that curl sends unless another one is given."""
OWN_FIELDS: Final = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})
"""Header fields that the crawler writes itself."""
CLUSTER: Final = re.compile(r"-(?=.)(?P<flags>[a-zA-Z]*?)(?:(?P<option>[XHbdAeuxFmow])(?P<value>.*))?", re.DOTALL)
"""Short options in one word: flags, then an option and its value, if the value is not the next word."""
ANSI_C: Final = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
"""A string as bash quotes it, which browsers use in “Copy as cURL”."""


class CurlRequest(Struct, kw_only=True):
    """The request of a curl command."""

    url: str = ""
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    default_headers: dict[str, str] = field(default_factory=dict)
    """Header fields that are sent unless `headers` has fields of the same names."""
    cookies: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    is_query: bool = False
    proxy: str = ""
    settings: list[str] = field(default_factory=list)
    """Settings of the crawl that correspond to ignored options."""


def from_curl(
    *arguments: Annotated[str, Argument("The command, quoted as one argument or pasted as it is.", takes_rest=True)],
) -> int:
    """Print the Request that sends what a curl command sends.

    “Copy as cURL” in the developer tools of a browser copies such a command.

    Example: crawler from-curl "curl 'https://shop.example/api' -H 'Accept: application/json'"
    """
    text = arguments[0] if len(arguments) == 1 else shlex.join(arguments)
    found = parse_curl(text)
    write(_code(found))
    if found.settings:
        say(f"crawler: set in Settings: {', '.join(found.settings)}\n")
    return 0


def parse_curl(text: str) -> CurlRequest:
    """Parse a command line of curl."""
    try:
        arguments = shlex.split(_plain_quotes(text.replace("\\\r\n", " ").replace("\\\n", " ")))
    except ValueError as error:
        raise ConfigError(f"this is not a command line: {str(error).lower()}") from None
    if arguments and arguments[0].rpartition("/")[2] in ("curl", "curl.exe"):
        arguments = arguments[1:]
    found = CurlRequest()
    rest = _expanded(arguments)
    while rest:
        _option(rest.pop(0), rest, found)
    if not found.url:
        raise ConfigError("this command has no URL: paste the whole command, in quotes")
    check_url(found.url)
    return found


def _plain_quotes(text: str) -> str:
    """Return a command with ``$'…'`` of bash as plain quotes."""

    def plain(match: re.Match[str]) -> str:
        value = match[1].encode("latin-1", "backslashreplace").decode("unicode_escape")
        return shlex.quote(value)

    return ANSI_C.sub(plain, text)


def _expanded(arguments: list[str]) -> list[str]:
    """Return the arguments with ``--name=value``, ``-XPOST`` and clusters such as ``-sSLo`` split."""
    expanded: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument.startswith("--") and equals:
            expanded += [name, value]
        elif cluster := CLUSTER.fullmatch(argument):
            expanded += [f"-{letter}" for letter in cluster["flags"]]
            expanded += [f"-{cluster['option']}"] if cluster["option"] else []
            expanded += [cluster["value"]] if cluster["value"] else []
        else:
            expanded.append(argument)
    return expanded


def _option(word: str, rest: list[str], found: CurlRequest) -> None:
    """Take one option, and its value from the arguments after it."""
    if word in NOTES:
        found.settings.append(NOTES[word])
    if word in IGNORED:
        return
    if not word.startswith("-") or word == "-":
        _url(found, word)
        return
    if word in ("-G", "--get"):
        found.is_query = True
        return
    if word in ("-I", "--head"):
        found.method = "HEAD"
        return
    take = OPTIONS.get(word)
    if take is None and word not in IGNORED_WITH_VALUE:
        raise ConfigError(f"curl's option {word} has no counterpart in a request: remove it from the command")
    if not rest:
        raise ConfigError(f"curl's option {word} needs a value")
    value = rest.pop(0)
    if take is not None:
        take(found, value)


def _url(found: CurlRequest, value: str) -> None:
    if found.url:
        raise ConfigError(f"this command has two URLs, {found.url} and {value}: give one of them")
    found.url = (value if "://" in value else f"http://{value}").partition("#")[0]


def _header(found: CurlRequest, value: str) -> None:
    name, _, text = value.partition(":")
    if name.strip().lower() == "cookie":
        _cookies(found, text)
    elif name.strip().lower() not in OWN_FIELDS and text.strip():
        found.headers.append((name.strip(), text.strip()))


def _cookies(found: CurlRequest, value: str) -> None:
    if "=" not in value:
        raise ConfigError(f"curl's option -b {value} names a file of cookies: give the cookies as NAME=VALUE")
    for part in value.split(";"):
        name, _, text = part.strip().partition("=")
        if name:
            found.cookies[name] = text


def _data(found: CurlRequest, value: str) -> None:
    if value.startswith("@"):
        raise _reads_file(value)
    found.data.append(value)


def _reads_file(value: str) -> ConfigError:
    return ConfigError(f"curl's option -d {value} reads a file: pass its content as body= of Request")


def _encoded(found: CurlRequest, value: str) -> None:
    name, equals, text = value.partition("=")
    if not equals:
        if "@" in name:
            raise _reads_file(value)
        name, text = "", value
    found.data.append(f"{name}={quote_plus(text)}" if name else quote_plus(text))


def _json(found: CurlRequest, value: str) -> None:
    _data(found, value)
    found.default_headers |= {"Content-Type": "application/json", "Accept": "application/json"}


def _user(found: CurlRequest, value: str) -> None:
    found.headers.append(("Authorization", "Basic " + base64.b64encode(value.encode()).decode()))


def _named(name: str) -> Callable[[CurlRequest, str], None]:
    return lambda found, value: found.headers.append((name, value))


def _set(attribute: str) -> Callable[[CurlRequest, str], None]:
    return lambda found, value: setattr(found, attribute, value)


OPTIONS: Final[dict[str, Callable[[CurlRequest, str], None]]] = {
    "-X": _set("method"), "--request": _set("method"), "--url": _url,
    "-H": _header, "--header": _header,
    "-b": _cookies, "--cookie": _cookies,
    "-d": _data, "--data": _data, "--data-raw": lambda found, value: found.data.append(value),
    "--data-ascii": _data, "--data-binary": _data, "--data-urlencode": _encoded, "--json": _json,
    "-A": _named("User-Agent"), "--user-agent": _named("User-Agent"),
    "-e": _named("Referer"), "--referer": _named("Referer"),
    "-u": _user, "--user": _user,
    "-x": _set("proxy"), "--proxy": _set("proxy"),
}  # fmt: skip
"""The function for each option with a value."""


def _code(found: CurlRequest) -> str:
    """Return Python that makes the request."""
    arguments: dict[str, Any] = {}
    url, body = found.url, "&".join(found.data)
    if body and found.is_query:
        url += ("&" if "?" in url else "?") + body
        body = ""
    has_body = bool(found.data) and not found.is_query
    method = found.method.upper() or ("POST" if has_body else "GET")
    if method != "GET":
        arguments["method"] = method
    headers = _headers(found, has_body=has_body)
    if headers:
        names = {name.lower() for name, _ in headers}
        arguments["headers"] = dict(headers) if len(names) == len(headers) else headers
    if found.cookies:
        arguments["cookies"] = found.cookies
    if body:
        arguments["body"] = body
    if found.proxy:
        arguments["proxy"] = found.proxy if "://" in found.proxy else f"http://{found.proxy}"
    lines = [f"    {url!r},", *(f"    {name}={_literal(value)}," for name, value in arguments.items())]
    text = "from crawler import Request\n\n"
    if not arguments:
        return f"{text}Request({url!r})\n"
    return text + "Request(\n" + "\n".join(lines) + "\n)\n"


def _headers(found: CurlRequest, *, has_body: bool) -> list[tuple[str, str]]:
    """Return the header fields, with those that curl adds."""
    defaults = ({"Content-Type": FORM} if has_body else {}) | found.default_headers
    given = {name.lower() for name, _ in found.headers}
    return [*found.headers, *(pair for pair in defaults.items() if pair[0].lower() not in given)]


def _literal(value: Any) -> str:
    """Return a value as Python, a mapping or a list with one line per entry."""
    if isinstance(value, dict):
        entries = "".join(f"        {name!r}: {text!r},\n" for name, text in value.items())
        return f"{{\n{entries}    }}"
    if isinstance(value, list):
        entries = "".join(f"        {entry!r},\n" for entry in value)
        return f"[\n{entries}    ]"
    return repr(value)
