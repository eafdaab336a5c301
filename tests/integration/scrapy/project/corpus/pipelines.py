"""Item pipelines: with and without a spider, with Deferreds, as coroutines, that drop, fail and download."""

from __future__ import annotations

import json

import scrapy
from itemadapter import ItemAdapter
from scrapy.exceptions import DropItem, NotConfigured
from scrapy.pipelines.files import FilesPipeline
from scrapy.pipelines.images import ImagesPipeline
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet import defer

from corpus.recorder import note


class Stamp:
    """Adds a field; the oldest form, with a spider."""

    def process_item(self, item, spider):
        ItemAdapter(item)["stamp"] = spider.name
        return item


class WithoutSpider:
    """The form of Scrapy 2.14 and later."""

    def process_item(self, item):
        item["seen_by"] = [*item.get("seen_by", []), type(self).__name__]
        return item


class Lifecycle:
    """Opens, closes, and knows the crawler."""

    def __init__(self, answer, crawler):
        self.answer, self.crawler, self.count = answer, crawler, 0

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler.settings["CORPUS_ANSWER"], crawler)

    def open_spider(self, spider):
        note(spider, "open", spider.name)

    def close_spider(self, spider):
        note(spider, "close", self.count)
        self.crawler.stats.set_value("corpus/counted", self.count)

    def process_item(self, item, spider):
        self.count += 1
        item["answer"] = self.answer
        return item


class Deferring:
    """Returns a Deferred that fires later, and opens with one."""

    def open_spider(self, spider):
        deferred = self.later("opened")
        deferred.addCallback(lambda word: note(spider, word))
        return deferred

    def close_spider(self, spider):
        return self.later("closed").addCallback(lambda word: note(spider, word))

    def process_item(self, item, spider):
        return self.later(item).addCallback(self.changed)

    def changed(self, item):
        item["deferred"] = True
        return item

    def later(self, value):
        from twisted.internet import reactor

        deferred = defer.Deferred()
        reactor.callLater(0.001, deferred.callback, value)
        return deferred


class Yielding:
    """`inlineCallbacks`, as templates of some years ago have it."""

    @defer.inlineCallbacks
    def process_item(self, item, spider):
        value = yield defer.succeed(3)
        item["yielded"] = value
        defer.returnValue(item)


class Coroutine:
    """An async pipeline that awaits a Deferred."""

    async def process_item(self, item, spider):
        item["awaited"] = await maybe_deferred_to_future(defer.succeed("yes"))
        return item


class Dropping:
    """Drops every second item, and fails for one."""

    def process_item(self, item, spider):
        if item["number"] % 2:
            raise DropItem(f"odd: {item['number']}")
        if item["number"] == 4:
            raise ValueError("four")
        return item


class DroppingLater:
    """Drops by a Deferred that fails."""

    def process_item(self, item, spider):
        return defer.fail(DropItem("by a Deferred")) if item["number"] == 2 else defer.succeed(item)


class Downloading:
    """Makes a request for each item."""

    def __init__(self, crawler):
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    async def process_item(self, item, spider):
        request = scrapy.Request(f"https://api.test/echo?item={item['number']}", headers={"X-Test": "pipeline"})
        engine = self.crawler.engine
        if hasattr(engine, "download_async"):
            response = await engine.download_async(request)
        else:
            response = await maybe_deferred_to_future(engine.download(request))
        item["echo"] = response.json()["query"]
        return item


class NotWanted:
    """Is not configured, and is therefore left out."""

    @classmethod
    def from_crawler(cls, crawler):
        raise NotConfigured("not wanted")


class Writing:
    """Writes items to a file, as the tutorial does."""

    def open_spider(self, spider):
        self.lines = []

    def close_spider(self, spider):
        note(spider, "written", sorted(self.lines))

    def process_item(self, item, spider):
        self.lines.append(json.dumps(ItemAdapter(item).asdict(), sort_keys=True))
        return item


class Replacing:
    """Returns another object than it was given."""

    def process_item(self, item, spider):
        return {"replaced": dict(item), "kind": type(item).__name__}


class Files(FilesPipeline):
    """Names files itself."""

    def get_media_requests(self, item, info):
        for url in item["file_urls"]:
            yield scrapy.Request(url, meta={"number": item["number"]})

    def file_path(self, request, response=None, info=None, *, item=None):
        return f"{request.meta['number']}-{request.url.rpartition('/')[2]}"

    def item_completed(self, results, item, info):
        item["results"] = [value["path"] if ok else value.type.__name__ for ok, value in results]
        return super().item_completed(results, item, info)


class Images(ImagesPipeline):
    """Has a field of its own."""

    IMAGES_URLS_FIELD = "pictures"
    IMAGES_RESULT_FIELD = "found"
