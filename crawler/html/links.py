"""The links of a page: `hrefs` for a crawl that follows them, `links` for one that looks at them.

A link is what a browser would follow or load: ``<template>`` is inert and skipped (but for declarative shadow roots),
``<a>`` inside ``<svg>`` counts, also with its old ``xlink:href``.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from operator import itemgetter

import attrs
from turbohtml import Document, Element, Namespace

from crawler import urls

__all__ = ["Link", "base_url", "href_of", "hrefs", "links"]

_ATTRIBUTES = {"iframe": "src", "frame": "src", "img": "src", "script": "src", "source": "src", "video": "src", ...}
