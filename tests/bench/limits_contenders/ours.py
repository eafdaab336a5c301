"""This framework, with its defaults."""

from __future__ import annotations

from job import arguments, got, urls

from crawler import Response, Spider, run


class Numbered(Spider):
    """Fetches the pages by number."""

    start_urls = urls(arguments().front)

    def parse(self, response: Response) -> None:
        """Report the page."""
        got(response.url)


if __name__ == "__main__":
    run(Numbered())
