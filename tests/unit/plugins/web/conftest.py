"""The fixtures of the command line, for the commands of this plugin."""

from __future__ import annotations

from unit.cli.conftest import command, in_process, levels, refused, start

__all__ = ["command", "in_process", "levels", "refused", "start"]
