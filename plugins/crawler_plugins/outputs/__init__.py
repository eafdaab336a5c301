"""First-party outputs, one file each, chosen by ``-o`` through the entry-point group ``crawler.outputs``."""
