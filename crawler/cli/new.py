"""``crawler new``: create a spider from a template."""

from __future__ import annotations

import importlib.util
import keyword
import sys
from pathlib import Path
from typing import Annotated, Final

from crawler import urls
from crawler.cli.arguments import Argument
from crawler.cli.logs import say
from crawler.cli.target import check_url
from crawler.cli.templates import TEMPLATES, Template
from crawler.errors import ConfigError
from crawler.files import error_reason

__all__ = ["check_name", "class_name", "domain_of", "new", "start_page"]

TAKEN: Final = frozenset(
    {
        "Any", "ApiSpider", "CrawlSpider", "FakeSite", "FeedSpider", "Iterator", "MockClock", "Response", "Rule",
        "Settings", "Spider",
    }
)  # fmt: skip
"""Names that the templates import."""


def new(
    name: Annotated[str, Argument("Name of the spider; the file is NAME.py in the working directory.")],
    url: Annotated[str, Argument("The first page to crawl.")] = "https://example.com/",
    /,
    *,
    template: Annotated[
        Template,
        Argument(
            "The kind of spider: page (a method parses each page), crawl (rules choose the links), feed (reads "
            "files of records), api (reads an API page by page)."
        ),
    ] = "page",
) -> int:
    """Create a spider, NAME.py, or a project with spider and tests.

    A project is created by crawler new project NAME URL.

    Example: crawler new quotes https://quotes.example/
    """
    name = name.removesuffix(".py")
    path = Path(f"{name}.py")
    check_name(name, path)
    start = start_page(url)
    text = TEMPLATES[template].format(file=path, name=name, kind=class_name(name), url=start, domain=domain_of(start))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error_reason(error)}") from error
    say(f"wrote {path}; run it with: crawler run {path} -o {name}.jsonl\n")
    return 0


def class_name(name: str) -> str:
    """Return the name of the class for a spider: `QuietShelf` for ``quiet_shelf``."""
    words = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    return f"{words}Spider" if words in TAKEN else words


def start_page(url: str) -> str:
    """Return the URL of a first page in a form that source code can quote: without quotes and backslashes."""
    return urls.normalize(check_url(url)).replace("\\", "%5C")


def domain_of(url: str) -> str:
    """Return the entry of ``allowed_domains`` for a URL: its host, with a port that is not the default."""
    authority = urls.authority(url)
    return authority if ":" in authority else urls.host(url)


def check_name(name: str, path: Path) -> None:
    """Raise `ConfigError` if `name` cannot be the name of a spider that is written to `path`."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        if keyword.iskeyword(name):
            raise ConfigError(f"{name!r} is a keyword of Python, and cannot name a spider: choose another name")
        fixed = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")
        hint = f" (did you mean {fixed}?)" if fixed.isidentifier() and not keyword.iskeyword(fixed) else ""
        raise ConfigError(
            f"{name!r} cannot name a spider: use letters, digits and underscores, and do not start with a digit{hint}"
        )
    if path.exists():
        raise ConfigError(f"{path} exists already: choose another name")
    if name == "crawler" or name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise ConfigError(
            f"{path} would hide the module {name!r} from every program that is started here: choose another name"
        )
