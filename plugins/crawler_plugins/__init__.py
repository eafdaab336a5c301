"""First-party plugins, one file each. They import the public API of `crawler` only, as any plugin does."""
