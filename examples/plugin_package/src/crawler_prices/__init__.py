"""Prices as numbers, and items as single files."""
