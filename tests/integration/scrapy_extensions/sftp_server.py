"""A server of SFTP on the loopback for the files of a folder; it writes its port:

python sftp_server.py FOLDER
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import paramiko

FOLDER = Path(sys.argv[1])


class Login(paramiko.ServerInterface):
    """Lets everybody in."""

    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED


class Files(paramiko.SFTPServerInterface):
    """The files."""

    def stat(self, path):
        try:
            return paramiko.SFTPAttributes.from_stat(self._place(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def mkdir(self, path, attr):
        self._place(path).mkdir()
        return paramiko.SFTP_OK

    def open(self, path, flags, attr):
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = handle.writefile = os.fdopen(os.open(self._place(path), flags, 0o600), "r+b")
        return handle

    def _place(self, path):
        return FOLDER / path.lstrip("/")


def serve(connection, key):
    transport = paramiko.Transport(connection)
    transport.add_server_key(key)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    transport.start_server(server=Login())


if __name__ == "__main__":
    key = paramiko.RSAKey.generate(2048)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            threading.Thread(target=serve, args=(listening.accept()[0], key)).start()
