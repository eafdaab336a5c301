"""A generated web: each page is a function of its URL and a seed, so the expected result of a crawl can be computed.

::

    web = Web(seed=7, hosts=8, pages=1200, port=8080)
    web.page(web.start)          # an `Answer`
    web.reachable()              # {URL: number of the page}: the items of a crawl that follows everything in scope

Its hosts are 127.0.0.2, 127.0.0.3 and so on, on one port. Its resources are numbered; the seed determines the host and
the kind of each: a page, a redirect, a page that is gone, or a page that fails at first and then recovers. A page links
to three children (3n+1 to 3n+3) and to some random pages, to some of them twice and in several spellings, to pages that
robots.txt disallows and to hosts out of scope. `support.webserver` serves the web.

The first host also has lists of all resources, for spiders that follow no links: a sitemap index, the pages of an API,
and files of records. Each page has a file, which no page links to: spiders name it in their items.
"""

from __future__ import annotations

import json
import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

__all__ = ["Answer", "Web"]

BLOCK = 5
"""Size of a block of numbers. Redirects lead to a later number of the same block, and the last number of a block is
never a redirect, so a chain has at most four redirects."""
PLACE = re.compile(r"http://(127\.0\.0\.\d+):(\d+)/(page|private)/(\d+)(\?twin)?\Z")
LIST = re.compile(r"http://(127\.0\.0\.2):(\d+)/list/(sitemap|api|records)/(\d+|index)\Z")
FILE = re.compile(r"http://(127\.0\.0\.\d+):(\d+)/file/(\d+)\.bin\Z")
PER_LIST = 5
"""Resources in one list."""
ROBOTS = b"User-agent: *\nDisallow: /private/\n"
WORDS = [
    "the",
    "crawler",
    "goes",
    "from",
    "link",
    "to",
    "link",
    "and",
    "keeps",
    "what",
    "it",
    "has",
    "found",
    "for",
    "good",
    "or",
    "until",
    "somebody",
    "ends",
    "it",
]


@dataclass(frozen=True)
class Answer:
    """The response of the web to one URL."""

    status: int
    """HTTP status after its failures."""
    body: bytes = b""
    """The body."""
    location: str = ""
    """The target of a redirect."""
    number: int = -1
    """The number of the page; -1 if the response is not a page."""
    etag: str = ""
    """The validator of a file, which the server can continue anywhere; empty if it cannot."""
    links: tuple[str, ...] = ()
    """The absolute URLs of a page's links, without fragments, each once."""
    delay: float = 0.0
    """Seconds until the response begins."""
    ailments: tuple[str, ...] = ()
    """The failures of its first requests, one per request: ``503``; ``429``, with a ``Retry-After``; ``close``, the
    connection is closed without a response; ``cut``, it is closed in the middle of the body."""


@dataclass(frozen=True)
class Web:
    """A generated web. Two webs with the same arguments are equal."""

    seed: int
    """Determines all pages."""
    hosts: int
    """Number of hosts, from 127.0.0.2 on."""
    pages: int
    """Number of resources. Not all of them are reachable, and some have a twin: the same page under a query."""
    port: int
    """The port of all hosts."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the hosts."""
        return tuple(f"127.0.0.{2 + number}" for number in range(self.hosts))

    @property
    def start(self) -> str:
        """Return the URL of page 0."""
        return self.url(0)

    def url(self, number: int) -> str:
        """Return the URL of a resource."""
        return f"http://{self.names[self._host(number)]}:{self.port}/page/{number}"

    def page(self, url: str) -> Answer:
        """Return the response to an absolute URL without a fragment."""
        if url.endswith("/robots.txt"):
            return Answer(200, ROBOTS)
        if listed := LIST.match(url):
            return self._list(listed[3], listed[4])
        if file := FILE.match(url):
            return self._file(int(file[3]))
        place = PLACE.match(url)
        if place is None or place[3] == "private":
            return Answer(404, b"There is no such page.")
        number, twin = int(place[4]), bool(place[5])
        if number >= self.pages or url.removesuffix("?twin") != self.url(number) or (twin and not self._twin(number)):
            return Answer(404, b"There is no such page.")
        return self._number(number, twin=twin)

    def reachable(self, start: str | None = None) -> dict[str, int]:
        """Return the number of each page that is reachable from `start`, by URL."""
        return self._pages([self.start if start is None else start], follows=True)

    def gone(self) -> int:
        """Return the number of missing pages that a crawl from the start asks for."""
        asked = self._asked([self.start], follows=True)
        return sum(answer.status in (404, 410) for answer in asked.values())

    def listed(self) -> dict[str, int]:
        """Return the number of each page that the lists name, by URL; redirects are followed."""
        return self._pages([self.url(number) for number in range(self.pages)], follows=False)

    def lists(self, kind: str) -> list[str]:
        """Return the URLs of the lists of one kind: ``sitemap``, ``api`` or ``records``."""
        return [self.list_url(kind, number) for number in range(-(-self.pages // PER_LIST))]

    def list_url(self, kind: str, name: int | str) -> str:
        """Return the URL of one list; the name of the sitemap index is ``index``."""
        return f"http://{self.names[0]}:{self.port}/list/{kind}/{name}"

    def files(self) -> list[str]:
        """Return the URLs of the files of the reachable pages."""
        return [self.file_url(url, number) for url, number in self.reachable().items()]

    @staticmethod
    def file_url(page: str, number: int) -> str:
        """Return the URL of the file of a page, which is on its host."""
        return f"{page.partition('/page/')[0]}/file/{number}.bin"

    def _pages(self, first: list[str], *, follows: bool) -> dict[str, int]:
        """Return the number of each page by URL, from some URLs on."""
        asked = self._asked(first, follows=follows)
        return {url: answer.number for url, answer in asked.items() if answer.status == 200}

    def _asked(self, first: list[str], *, follows: bool) -> dict[str, Answer]:
        """Return the response to each request of a crawl, from some URLs on."""
        asked = dict.fromkeys(first, Answer(0))
        waiting = deque(first)
        while waiting:
            url = waiting.popleft()
            answer = asked[url] = self.page(url)
            for link in (*(answer.links if follows else ()), *([answer.location] if answer.location else ())):
                if link not in asked and self.allows(link):
                    asked[link] = answer
                    waiting.append(link)
        return asked

    def allows(self, url: str) -> bool:
        """Return whether a URL is in scope and allowed by robots.txt."""
        if LIST.match(url) or FILE.match(url):
            return True
        place = PLACE.match(url)
        return place is not None and place[1] in self.names and int(place[2]) == self.port and place[3] == "page"

    def healthy_after(self, url: str) -> int:
        """Return the number of requests that a crawl needs for a URL."""
        return 1 + len(self.page(url).ailments)

    # The lists

    def _list(self, kind: str, name: str) -> Answer:
        """Return one list of resources, or the sitemap index."""
        if name == "index":
            return Answer(200, _sitemap("sitemapindex", "sitemap", self.lists("sitemap")))
        number = int(name)
        last = number == len(self.lists(kind)) - 1
        numbers = range(number * PER_LIST, min((number + 1) * PER_LIST, self.pages))
        chance = self._random(number, kind)
        ailments = ("503",) if chance.random() < 0.1 else ("cut",) if chance.random() < 0.1 else ()
        records = [{"url": self.url(each), "n": each} for each in numbers]
        if not records:
            return Answer(404, b"There is no such list.")
        if kind == "sitemap":
            body = _sitemap("urlset", "url", [self.url(each) for each in numbers])
        elif kind == "api":
            following = None if last else self.list_url(kind, number + 1)
            body = json.dumps({"data": records, "next": following}).encode()
        else:
            body = "".join(json.dumps(record) + "\n" for record in records).encode()
        return Answer(200, body, ailments=ailments)

    # The files

    def _file(self, number: int) -> Answer:
        """Return a file. Some files are equal, and some transfers break off at first."""
        content = number - number % 4 if number % 4 == 1 else number
        chance = self._random(content, "file")
        body = chance.randbytes(chance.choice((0, 1, 100, 10_000, 10_000, 400_000)))
        broken = self._random(number, "broken").random() < 0.2
        return Answer(200, body, etag=f'"{self.seed}-{content}"', ailments=("cut",) if broken and len(body) > 1 else ())

    # The resources

    def _random(self, number: int, what: str) -> random.Random:
        return random.Random(f"{self.seed} {number} {what}")

    def _host(self, number: int) -> int:
        return 0 if number == 0 else _host(self.seed, self.hosts, number)

    def _twin(self, number: int) -> bool:
        return number % 11 == 7

    def _kind(self, number: int) -> str:
        if number == 0:
            return "page"
        dice = self._random(number, "kind").random()
        if dice < 0.10 and number % BLOCK < BLOCK - 1 and number + 1 < self.pages:
            return "redirect"
        if dice < 0.14:
            return "gone"
        return "ill" if dice < 0.20 else "page"

    def _number(self, number: int, *, twin: bool) -> Answer:
        kind, chance = self._kind(number), self._random(number, "answer")
        delay = chance.uniform(0.05, 0.15) if chance.random() < 0.05 else chance.uniform(0.0, 0.01)
        if kind == "redirect":
            last = min(number - number % BLOCK + BLOCK, self.pages) - 1
            location = self.url(chance.randint(number + 1, last))
            return Answer(301 if chance.random() < 0.5 else 302, b"It has moved.", location, delay=delay)
        if kind == "gone":
            return Answer(chance.choice((404, 404, 410)), b"It is gone.", delay=delay)
        hrefs, links = self._links(number, self._random(number, "links"))
        ailments = self._ailments(number) if kind == "ill" and not twin else ()
        body = _html(number, hrefs, chance)
        return Answer(200, body, number=number, links=links, delay=delay, ailments=ailments)

    def _ailments(self, number: int) -> tuple[str, ...]:
        chance = self._random(number, "ailments")
        dice = chance.random()
        return ("429",) if dice < 0.04 else tuple(chance.choices(("503", "close", "cut"), k=1 if dice < 0.7 else 2))

    def _links(self, number: int, chance: random.Random) -> tuple[list[str], tuple[str, ...]]:
        """Return the links of a page as written, and as absolute URLs."""
        targets = [child for child in range(3 * number + 1, 3 * number + 4) if child < self.pages]
        targets += [chance.randrange(self.pages) for _ in range(chance.randrange(12))]
        targets += chance.choices(targets, k=2) if targets else []
        here = self.url(number).rpartition("/page/")[0]
        hrefs: list[str] = []
        links: list[str] = []
        for target in targets:
            url = self.url(target)
            if self._twin(target) and chance.random() < 0.5:
                url += "?twin"
            links.append(url)
            hrefs.append(self._spelled(url, here, chance))
        strangers = [f"http://127.0.0.1:{self.port}/page/{number}", f"http://else.invalid/{number}", "mailto:a@b.test"]
        if chance.random() < 0.3:
            hrefs.append(chance.choice(strangers))
        if chance.random() < 0.2:
            hrefs.append(f"/private/{number}")
            links.append(f"{here}/private/{number}")
        return hrefs, tuple(dict.fromkeys(links))

    @staticmethod
    def _spelled(url: str, here: str, chance: random.Random) -> str:
        """Return a random spelling of a link to `url` on a page of the host `here`."""
        path = url.removeprefix(here)
        ways: list[str] = [url, f"{url}#part{chance.randrange(9)}"]
        if path != url:
            ways += [path, f"..{path}", f"/page/..{path}", path.removeprefix("/page/"), f"{path}#top"]
        return chance.choice(ways)


@cache
def _host(seed: int, hosts: int, number: int) -> int:
    """Return the index of the host of a resource; the first hosts have more pages than the last ones."""
    chance = random.Random(f"{seed} {number} host")
    return min(chance.randrange(hosts), chance.randrange(hosts))


def _sitemap(root: str, element: str, urls: list[str]) -> bytes:
    entries = "".join(f"<{element}><loc>{url}</loc></{element}>" for url in urls)
    return f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{root}>'.encode()


def _html(number: int, hrefs: list[str], chance: random.Random) -> bytes:
    size = chance.choice((0, 100, 1_000, 1_000, 5_000, 20_000))
    text = " ".join(_words(chance, size // 5))
    anchors = "".join(f'<li><a href="{href}">link {index}</a>\n' for index, href in enumerate(hrefs))
    return f"<!doctype html><title>Page {number}</title><h1>{number}</h1><ul>{anchors}</ul><p>{text}</p>".encode()


def _words(chance: random.Random, n: int) -> Iterator[str]:
    first = chance.randrange(len(WORDS))
    return (WORDS[(first + index) % len(WORDS)] for index in range(n))
