"""The running system. `scheduler` has the picture of it; a request passes dispatcher, worker and writer."""

from __future__ import annotations

from crawler.engine.entry import ItemStream, crawl, run, stream
from crawler.engine.job import Job
from crawler.engine.report import Report
from crawler.engine.retries import RetryPolicy

__all__ = ["ItemStream", "Job", "Report", "RetryPolicy", "crawl", "run", "stream"]
