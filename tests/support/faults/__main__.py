"""``python -m support.faults [--port N]``: run the fault server until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys

import trio
from support.faults.server import fault_server

from crawler.files import error_reason


async def serve(port: int) -> None:
    """Print the URL of the server, and serve until SIGINT or SIGTERM.

    Parameters:
        port: The port of the page that links to all cases; 0 means any free port.
    """
    async with fault_server(port=port) as server:
        sys.stdout.write(f"{server.origin}\n")
        sys.stdout.flush()
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await anext(signals)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m support.faults", description="Run the fault server until it is interrupted."
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the page that links to all cases (default: any free port)"
    )
    port = parser.parse_args().port
    try:
        trio.run(serve, port)
    except OSError as error:
        sys.exit(f"cannot listen on port {port}: {error_reason(error)}")
    sys.exit(130)


main()
