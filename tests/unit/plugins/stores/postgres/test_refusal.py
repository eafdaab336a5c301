from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from crawler_plugins.stores.postgres.connection import Connection
from crawler_plugins.stores.postgres.refusal import sqlstate_of_refusal
from crawler_plugins.stores.postgres.server import is_passing

ENCRYPTION = {80877103, 80877104}
"""What a client sends first to ask for TLS or GSSAPI."""


@contextmanager
def refusing(sqlstate: str) -> Iterator[str]:
    """Serve connections that are refused in German, and return the conninfo."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener is closed
                while True:
                    refuse(listener.accept()[0], sqlstate)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"host=127.0.0.1 port={listener.getsockname()[1]} user=a password=b dbname=c"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def refuse(connection: socket.socket, sqlstate: str) -> None:
    """Answer the first message of a client with an error."""
    with connection:
        while struct.unpack("!4xi", connection.recv(8, socket.MSG_PEEK))[0] in ENCRYPTION:
            connection.recv(8)
            connection.sendall(b"N")
        connection.recv(1 << 16)
        fields = ("SKRITISCH", "VFATAL", f"C{sqlstate}", "MAnmeldung verweigert", "")
        body = b"".join(field.encode() + b"\0" for field in fields)
        connection.sendall(b"E" + struct.pack("!i", len(body) + 4) + body)


@pytest.mark.parametrize(
    ("sqlstate", "passes"), [("28P01", False), ("28000", False), ("3D000", False), ("57P03", True)]
)
async def test_a_refusal_in_any_language_is_recognised_by_its_sqlstate(sqlstate: str, passes: bool) -> None:
    with refusing(sqlstate) as conninfo, pytest.raises(psycopg.OperationalError) as caught:
        await Connection.open(conninfo)
    assert caught.value.sqlstate == sqlstate
    assert is_passing(caught.value) is passes


def test_a_server_that_cannot_be_reached_has_no_sqlstate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert sqlstate_of_refusal(f"host=127.0.0.1 port={port} user=a dbname=c") is None
