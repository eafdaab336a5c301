"""The spiders, by what they use."""
