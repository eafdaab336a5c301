"""The command line: a file for each group of commands, put together in `app`."""

from __future__ import annotations

from crawler.cli.app import app, main

__all__ = ["app", "main"]
