"""`S3Handler`: the download handler of ``s3`` URLs, which the crawl fetches over https."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from scrapy.exceptions import NotSupported
from scrapy.utils.boto import is_botocore_available

__all__ = ["S3Handler"]


class S3Handler:
    """Signs requests with the settings that Scrapy's own handler takes.

    Parameters:
        settings: The `scrapy.settings.Settings`.
        fetch: Fetches a web request of Scrapy, and returns its response.
    """

    def __init__(self, settings: Any, fetch: Callable[[Any], Awaitable[Any]]) -> None:
        self._key = settings.get("AWS_ACCESS_KEY_ID")
        self._secret = settings.get("AWS_SECRET_ACCESS_KEY")
        self._token = settings.get("AWS_SESSION_TOKEN")
        self._fetch = fetch

    async def download_request(self, request: Any) -> Any:
        """Return the response of Scrapy to a request for an object, signed if there are credentials.

        Parameters:
            request: The request of Scrapy.

        Raises:
            NotSupported: The package botocore is not installed, which Scrapy needs, too.
            Exception: What the request fails with.
        """
        if not is_botocore_available():
            raise NotSupported("Unsupported URL scheme 's3': missing botocore library")
        parts = urlsplit(request.url)
        scheme = "http" if request.meta.get("is_secure") is False else "https"
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        url = f"{scheme}://{parts.hostname}.s3.amazonaws.com{path}"
        if not (self._key or self._secret):
            return await self._fetch(request.replace(url=url))
        fields = self._signed_fields(request, f"{scheme}://s3.amazonaws.com/{parts.hostname}{path}")
        return await self._fetch(request.replace(url=url, headers=fields))

    def _signed_fields(self, request: Any, url: str) -> list[tuple[str, str]]:
        """Return the header fields of a request with its signature.

        Parameters:
            request: The request of Scrapy.
            url: The URL that is signed.
        """
        from botocore.auth import AUTH_TYPE_MAPS  # noqa: PLC0415 - few projects use it
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        fields = request.headers.to_unicode_dict()
        signed = AWSRequest(method=request.method, url=url, headers=fields, data=request.body)
        AUTH_TYPE_MAPS["s3"](Credentials(self._key, self._secret, self._token)).add_auth(signed)
        return list(signed.headers.items())
