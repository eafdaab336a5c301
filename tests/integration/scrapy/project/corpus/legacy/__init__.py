"""Spiders of some years ago. Each does the same as the spider of `corpus.spiders` that has its name."""
