"""The command line: one file per command or pair of commands, assembled by `commands.app_of`."""

from __future__ import annotations

from crawler.cli.app import main

__all__ = ["main"]
