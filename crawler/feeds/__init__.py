"""Documents that list other documents: sitemaps, RSS, Atom and JSON feeds."""
