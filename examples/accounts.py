"""Log in with a token, in several steps, and with several accounts.

::

    API_PASSWORD=secret python -m crawler run examples/accounts.py:Tokens -o items.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Login, Request, Response, Spider


class Tokens(Spider):
    """Gets a token for an API."""

    site: str = "https://api.example"

    @property
    def login(self) -> Login:
        """Log in by JSON, and send the token with all further requests."""
        return Login(
            f"{self.site}/token",
            json={"user": "ada", "password": "env:API_PASSWORD"},
            headers=lambda response: {"Authorization": f"Bearer {response.json()['token']}"},
        )

    def start(self) -> Iterator[Request]:
        """Ask for the orders."""
        yield Request(f"{self.site}/orders")

    def parse(self, response: Response) -> Iterator[object]:
        """Yield the orders."""
        yield from response.json()


class Bank(Spider):
    """Logs in with two forms."""

    site: str = "https://bank.example"

    async def sign_in(self, session: str) -> Response:
        """Submit the user, then the number."""
        page = await self.crawl.fetch(Request(f"{self.site}/user", session=session))
        page = await self.crawl.fetch(page.form(fields=["user"]).submit({"user": "ada"}, session=session))
        return await self.crawl.fetch(page.form(fields=["pin"]).submit({"pin": "1234"}, session=session))

    @property
    def login(self) -> Login:
        """Name the method, and the page to which the site redirects visitors."""
        return Login(self.sign_in, url=f"{self.site}/user")

    def start(self) -> Iterator[Request]:
        """Ask for the accounts."""
        yield Request(f"{self.site}/accounts")

    def parse(self, response: Response) -> Iterator[object]:
        """Yield an item for the page."""
        yield {"text": response.text}


class Club(Spider):
    """Is logged in with two accounts at once."""

    site: str = "https://club.example"
    users = ("ada", "bob")

    @property
    def login(self) -> list[Login]:
        """Give each account a session of its own."""
        passwords = {user: f"env:{user.upper()}_PASSWORD" for user in self.users}
        page = f"{self.site}/login"
        return [Login(page, {"user": user, "password": passwords[user]}, session=user) for user in self.users]

    def start(self) -> Iterator[Request]:
        """Ask for the same page with each account."""
        for user in self.users:
            yield Request(f"{self.site}/home", session=user, dont_filter=True)

    def parse(self, response: Response) -> Iterator[object]:
        """Yield an item for each account."""
        yield {"user": response.request.session, "text": response.text}
