"""Synapse, the homeserver of Matrix, whose lookup of registration tokens is limited: ``synapse_app.py FD``.

FD is a listening socket. The homeserver is in the current folder, with a database of SQLite. A refusal is
``M_LIMIT_EXCEEDED`` with ``retry_after_ms`` and ``Retry-After``.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
import time
from pathlib import Path

from site_pages import log
from synapse.app import homeserver
from twisted.internet import reactor

CONFIG = {
    "server_name": "limited.test",
    "report_stats": False,
    "database": {"name": "sqlite3", "args": {"database": "homeserver.db"}},
    "media_store_path": "media",
    "signing_key": f"ed25519 a_test {'A' * 43}",
    "trusted_key_servers": [],
    "registration_shared_secret": "not secret",
    "macaroon_secret_key": "not secret",
    "form_secret": "not secret",
    "enable_registration": True,
    "registration_requires_token": True,
    "rc_registration_token_validity": {"per_second": 4, "burst_count": 20},
    "listeners": [{"port": 1, "type": "http", "bind_addresses": ["127.0.0.1"], "resources": [{"names": ["client"]}]}],
    "log_config": "log.yaml",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"hits": {"class": "synapse_app.Hits"}, "errors": {"class": "logging.StreamHandler"}},
    "loggers": {"synapse.access": {"handlers": ["hits"], "level": "INFO", "propagate": False}},
    "root": {"level": "ERROR", "handlers": ["errors"]},
}
PROCESSED = re.compile(r'Processed request: ([\d.]+)sec/.* (\d{3}) "\w+ (\S+) ')


class Hits(logging.Handler):
    """Writes the log line of each response that Synapse logs."""

    def emit(self, record: logging.LogRecord) -> None:
        if (found := PROCESSED.search(record.getMessage())) is not None:
            took, status, uri = found.groups()
            log(time.time() - float(took), uri, int(status))


def main() -> None:
    """Serve until the process is terminated."""
    # JSON is YAML.
    Path("homeserver.yaml").write_text(json.dumps(CONFIG))
    Path("log.yaml").write_text(json.dumps(LOGGING))
    fd = int(sys.argv[1])
    os.set_blocking(fd, False)

    def adopt(port, factory, backlog=50, interface=""):
        return reactor.adoptStreamPort(fd, socket.AF_INET, factory)

    reactor.listenTCP = adopt  # Synapse does not accept a socket that listens already
    sys.argv[1:] = ["--config-path=homeserver.yaml"]
    homeserver.main()


if __name__ == "__main__":
    main()
