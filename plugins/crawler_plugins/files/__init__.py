"""`Files` and `Images`: download what items point to."""

from __future__ import annotations

from crawler_plugins.files.files_plugin import Files
from crawler_plugins.files.images import Images

__all__ = ["Files", "Images"]
