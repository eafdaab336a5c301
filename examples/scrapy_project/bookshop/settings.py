"""Settings of the project."""

BOT_NAME = "bookshop"
SPIDER_MODULES = ["bookshop.spiders"]
ROBOTSTXT_OBEY = True
ITEM_PIPELINES = {"bookshop.pipelines.NoDuplicates": 300}
CONCURRENT_ITEMS = 50
