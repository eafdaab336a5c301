"""Item pipelines."""

from scrapy.exceptions import DropItem


class NoDuplicates:
    """Drops the second line of an author."""

    def open_spider(self, spider):
        self.authors = set()

    def process_item(self, item, spider):
        if item["author"] in self.authors:
            raise DropItem(f"one more of {item['author']}")
        self.authors.add(item["author"])
        return item
