"""Send alerts of an API's quotas to a command while a client calls it.

::

    python examples/quota_alerts.py https://api.example/records "tee -a alerts.jsonl"
"""

import sys

import trio
from crawler_plugins.alerts import Alerts

from crawler import client


async def main(url: str, command: str) -> None:
    """Call an API ten times; the command gets each alert as JSON on standard input."""
    alerts = Alerts("api", command=command)
    async with alerts.running(), client(on_event=alerts.on_event) as http:
        for _ in range(10):
            (await http.get(url)).raise_for_status()


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
