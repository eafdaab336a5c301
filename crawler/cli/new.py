"""``crawler new``: a spider to begin with."""

from __future__ import annotations

import importlib.util
import keyword
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from crawler import urls
from crawler.cli.logs import say
from crawler.cli.target import web_url
from crawler.errors import ConfigError

__all__ = ["new"]

TEMPLATE: Final = '''\
"""A spider. Run it:  crawler run {file} -o {name}.jsonl"""

from crawler import Response, Settings, Spider


class {kind}(Spider):
    start_urls = ["{url}"]
    allowed_domains = ["{domain}"]  # links that lead elsewhere are not followed

    # What this spider needs. The command line goes over it: -s max_pages=5
    settings = Settings(
        max_pages=50,  # a limit while you try things out; delete it when you are done
        delay=0.5,  # seconds between two requests to the same host
    )

    def parse(self, response: Response):
        """Gets every page. What it yields is an item, which goes to the output, or a request for another page."""
        yield {{
            "url": response.url,
            "title": response.css("title::text").get(),
            "headings": response.css("h1::text, h2::text").getall(),
        }}

        # Every link of the page. Pages that are known already are not fetched again.
        yield from response.follow_all("a[href]")

        # Pages of another kind get a method of their own:
        # yield from response.follow_all("article h3 a", self.parse_article)

    # def parse_article(self, response: Response):
    #     yield {{"title": response.css("h1::text").get(), "price": response.css(".price::text").get()}}
'''
TAKEN: Final = frozenset({"Response", "Settings", "Spider"})
"""Names that the template imports."""


def new(
    name: Annotated[str, Parameter(help="Name of the spider; the file is NAME.py in the working directory.")],
    url: Annotated[str, Parameter(help="The page to start with.")] = "https://example.com/",
    /,
) -> int:
    """Write a spider to begin with: NAME.py, ready to run."""
    name = name.removesuffix(".py")
    path = Path(f"{name}.py")
    _check(name, path)
    start = urls.normal(web_url(url))
    words = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    kind = f"{words}Spider" if words in TAKEN else words
    authority, host = urls.authority(start), urls.host(start)
    text = TEMPLATE.format(file=path, name=name, kind=kind, url=start, domain=authority if ":" in authority else host)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    say(f"wrote {path}; run it: crawler run {path} -o {name}.jsonl\n")
    return 0


def _check(name: str, path: Path) -> None:
    """Raises `ConfigError` if `name` cannot be the name of a spider here."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        fixed = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")
        hint = f" (did you mean {fixed}?)" if fixed.isidentifier() and not keyword.iskeyword(fixed) else ""
        raise ConfigError(f"{name!r} cannot name a spider: letters, digits and underscores, no digit first{hint}")
    if path.exists():
        raise ConfigError(f"{path} exists already")
    if name == "crawler" or name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise ConfigError(f"{path} would take the place of the module {name!r} for every program that is started here")
