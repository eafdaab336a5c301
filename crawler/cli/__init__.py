"""The command line: a file for each group of commands, put together by `app_of`."""

from __future__ import annotations

from crawler.cli.app import app_of, main

__all__ = ["app_of", "main"]
