"""``python -m crawler.testing.faults [--port N]``: the fault server, until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys

import trio

from crawler.testing.faults.server import FAULT_CASES, fault_server


async def serve(port: int) -> None:
    """Serves until a signal comes; says where.

    Parameters:
        port: of the page with all cases; 0: anywhere.
    """
    async with fault_server(port=port) as server:
        sys.stdout.write(f"{server.origin}\n")
        sys.stdout.flush()
        missing = len(FAULT_CASES) - len(server.cases)
        if missing:
            sys.stderr.write(
                f"{missing} cases need certificates, and are left out: pip install 'trio-crawler[faults]'\n"
            )
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await anext(signals)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m crawler.testing.faults", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where the page with all cases is; 0: anywhere")
    port = parser.parse_args().port
    try:
        trio.run(serve, port)
    except OSError as error:
        sys.exit(f"port {port} cannot be had: {error.strerror or error}")
    sys.exit(130)


main()
