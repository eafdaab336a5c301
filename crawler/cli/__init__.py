"""The command line: one file per command or pair of commands, listed in `commands`.

`app.main` runs a command, `arguments` reads its words, `target` and `configuration` turn them into a spider and
settings, and `run` runs the crawl. This is the topmost room; no other room imports it.
"""

from __future__ import annotations

from crawler.cli.app import main

__all__ = ["main"]
