"""Call an API within its quota, without a crawl: an httpx client that never exceeds what the API allows.

::

    python examples/quota_client.py https://api.example/ quotas.json

Run it as often as you like, for example from cron: the remaining daily quota is stored in the file.
"""

from __future__ import annotations

import sys

import httpx
import trio

from crawler import Pace, QuotaEvent, client
from crawler.api_client import QuotaTimeout


def on_event(event: QuotaEvent) -> None:
    """Print a quota event."""
    print(f"{event.scope}: {event.kind} {event.policy}", file=sys.stderr)


async def main(api: str, state: str) -> None:
    """Print the users of the API and the size of their posts."""
    pacing = {"key:*": Pace(rate="600/min", burst=10)}
    async with client(base_url=api, pacing=pacing, state=state, on_event=on_event) as http:
        extensions = {"quotas": {"key:mine": 1}}
        users = (await http.get("users", extensions=extensions)).raise_for_status().json()
        print(len(users), "users")

        posts = [f"users/{user['id']}/posts" for user in users]
        async with http.map(posts, extensions=extensions) as responses:
            async for response in responses:
                print(response.url.path, response.status_code, len(response.content))

        try:
            with trio.fail_after(5):
                report = await http.post("report", json={"days": 30}, extensions={"quotas": {"key:mine": 10}})
                print("report", report.status_code)
        except QuotaTimeout as error:
            print("quota exhausted:", error)
        except (httpx.HTTPError, trio.TooSlowError) as error:
            print("no report:", error)

        for scope, policies in http.usage().items():
            for name, policy in policies.items():
                print(scope, name, policy.get("remaining"), "of", policy.get("limit"))


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
