from inline_requests import inline_requests as inline
from shop import Shop


class Spider(Shop):
    name = "inline_requests"

    @inline
    def parse_item(self, response):
        stock = yield response.follow(response.css("a")[0])
        yield {"name": response.css("h1::text").get(), "stock": stock.json()["stock"]}
