"""A Scrapy project whose spiders use, together, every name of Scrapy that public projects use."""
