"""Plugins: `plugin` is the page for their authors, `table` checks the hooks, `load` finds and creates plugins."""
