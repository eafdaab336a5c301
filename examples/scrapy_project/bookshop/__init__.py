"""A Scrapy project, as it may have been for years."""
