"""Download handlers of schemes that are not on the web."""

from __future__ import annotations

from scrapy.http import TextResponse


class Memo:
    """Answers requests with their own URL."""

    lazy = True

    async def download_request(self, request):
        if "fails" in request.url:
            raise ValueError("no such memo")
        return TextResponse(request.url, body=request.url.encode(), headers={"X-Memo": "1"}, encoding="utf-8")

    async def close(self):
        return None
