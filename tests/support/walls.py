"""A challenge with status 200, as it comes in place of a page, a file or a stored response."""

from __future__ import annotations

from typing import Final

__all__ = ["CHALLENGE"]

CHALLENGE: Final = (
    "<!doctype html><html><head><title>Making sure you&#39;re not a bot!</title>"
    '<script id="anubis_challenge" type="application/json">{}</script></head><body><main>Loading...</main>'
    '<script type="module" src="/.within.website/x/cmd/anubis/static/js/main.mjs"></script></body></html>'
)
"""The marks of Anubis (TecharoHQ/anubis: web/index.templ)."""
