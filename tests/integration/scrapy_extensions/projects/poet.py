import attrs
from shop import Shop
from web_poet import WebPage, field

ADDONS = {"scrapy_poet.Addon": 300}


@attrs.define
class Product:
    name: str
    price: str


class ProductPage(WebPage[Product]):
    @field
    def name(self):
        return self.css("h1::text").get()

    @field
    def price(self):
        return self.css("p.price::text").get()


class Spider(Shop):
    name = "poet"

    async def parse_item(self, response, page: ProductPage):
        yield await page.to_item()
