"""Duplicate filters and fingerprinters."""

from __future__ import annotations

import hashlib

from scrapy.dupefilters import RFPDupeFilter
from scrapy.utils.request import fingerprint

from corpus.recorder import note


class Thrice:
    """Lets each URL pass three times."""

    def __init__(self):
        self.seen = []

    @classmethod
    def from_crawler(cls, crawler):
        return cls()

    def request_seen(self, request):
        self.seen.append(request.url)
        return self.seen.count(request.url) > 3

    def open(self):
        self.seen.clear()

    def close(self, reason):
        self.seen.append(reason)

    def log(self, request, spider):
        note(spider, "seen", request.url)


class ByField(RFPDupeFilter):
    """Tells requests apart by a header field."""

    def request_seen(self, request):
        digest = fingerprint(request, include_headers=["X-Id"])
        if digest in self.digests:
            return True
        self.digests.append(digest)
        return False

    def open(self):
        self.digests = []


class ByPath:
    """Does not look at queries, and takes a fingerprint from `meta`."""

    def fingerprint(self, request):
        given = request.meta.get("fingerprint") or request.url.partition("?")[0]
        return hashlib.sha1(given.encode()).digest()
