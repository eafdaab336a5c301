"""Read an API with digest authentication, and files on another host that requires a bearer token.

::

    export API_PASSWORD=secret FILES_TOKEN=t7
    python -m crawler run examples/authentication.py -a api=https://api.example/ -o files.jsonl

The credentials of an origin are never sent to another one, whatever links and redirects say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx

from crawler import Request, Response, Spider


class Files(Spider):
    """Files that an API lists, with their sizes."""

    api: str = "https://api.example/"
    files: str = "https://files.example/"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.auth = {
            self.api: httpx.DigestAuth("ada", os.environ["API_PASSWORD"]),
            self.files: f"Bearer {os.environ['FILES_TOKEN']}",
        }

    def start(self) -> Iterator[Request]:
        """Request the list of files."""
        yield Request(f"{self.api}list")

    def parse(self, response: Response) -> Iterator[Request]:
        """Request each file of the list."""
        for url in response.json():
            yield Request(url, self.parse_file)

    def parse_file(self, response: Response) -> Iterator[object]:
        """Yield the URL and the size of a file."""
        yield {"file": response.url, "bytes": len(response.body)}
