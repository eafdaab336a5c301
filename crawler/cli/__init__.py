"""The command line: one file per command or pair of commands, assembled by `app_of`."""

from __future__ import annotations

from crawler.cli.app import app_of, main

__all__ = ["app_of", "main"]
