"""This framework, with its defaults."""

from __future__ import annotations

from job import arguments, got, urls

from crawler import Response, Spider, run


class Numbered(Spider):
    """The pages by their number."""

    start_urls = urls(arguments().front)

    def parse(self, response: Response) -> None:
        """Only that it is there."""
        got(response.url)


if __name__ == "__main__":
    run(Numbered())
