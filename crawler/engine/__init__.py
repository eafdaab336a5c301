"""The running system. `scheduler` has the picture of it; a request passes dispatcher, worker and writer."""

from __future__ import annotations

from crawler.engine.entry import ItemStream, run, stream
from crawler.engine.report import Report
from crawler.engine.scheduler import crawl

__all__ = ["ItemStream", "Report", "crawl", "run", "stream"]
