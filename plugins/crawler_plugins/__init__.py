"""First-party plugins, a file or a folder each. Like any plugin, they import the public names of `crawler` only."""
