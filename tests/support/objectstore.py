"""A server of S3 for tests: moto, in threads of this process.

::

    with S3() as server:
        server.variables  # the environment of a crawl that writes to `s3://bucket/`
        server.stop()     # as by an outage: it keeps its objects
        server.start()
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

import httpx
from moto.moto_server.threaded_moto_server import DomainDispatcherApplication, create_backend_app, make_server

__all__ = ["S3", "GoogleStorage"]

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, Signature=x"}


class S3:
    """A server that can be stopped and started again with its objects. It begins with an empty bucket, ``bucket``."""

    def __init__(self) -> None:
        self.port = 0
        self.start()
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables of its clients."""
        return {
            "AWS_ACCESS_KEY_ID": "KEY",
            "AWS_SECRET_ACCESS_KEY": "geheim",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ENDPOINT_URL": self.url,
        }

    def start(self) -> None:
        """Start the server on the port that it had."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
        self._server = make_server("127.0.0.1", self.port, self.application(), threaded=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def application(self) -> Callable[..., Iterable[bytes]]:
        """Return what answers the requests."""
        application: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)
        return application

    def reset(self) -> None:
        """Delete everything, and create the bucket."""
        httpx.post(f"{self.url}/moto-api/reset").raise_for_status()
        httpx.put(f"{self.url}/bucket", headers=SIGNED, content=b"").raise_for_status()

    def refuse_keys(self, *, after: str) -> None:
        """Refuse all keys after a number of requests, as text: ``0``, or ``Infinity``."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content=after.encode()).raise_for_status()


class GoogleStorage(S3):
    """The same server for clients of Google Cloud Storage, whose XML interface is that of S3 but for the signatures."""

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables of its clients."""
        key = {"gcs_base_url": self.url, "disable_oauth": True, "client_email": "", "private_key": "",
               "private_key_id": ""}  # fmt: skip
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key), "GOOGLE_ALLOW_HTTP": "true"}

    def application(self) -> Callable[..., Iterable[bytes]]:
        """Return what answers the requests: those of Google get the credentials of S3."""
        inner = super().application()

        def outer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            environ |= {"HTTP_AUTHORIZATION": SIGNED["Authorization"]}
            return inner(environ, start)

        return outer
