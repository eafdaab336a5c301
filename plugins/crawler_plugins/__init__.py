"""First-party plugins, one file each. Like any plugin, they import the public API of `crawler` only."""
