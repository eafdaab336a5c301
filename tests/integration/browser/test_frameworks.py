"""Pages that React and Vue draw, with the builds of these libraries from npm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from crawler_plugins.browser import Browser
from integration.rate_limiters.packages import node_modules

from crawler import Request, Response, Settings, Spider, crawl
from crawler.testing import FakeSite, Page

JS = {"Content-Type": "text/javascript"}
REACT = """\
<!doctype html><title>React</title><div id=root></div>
<script src=/react.js></script><script src=/react-dom.js></script>
<script>
const {createElement: h, useEffect, useState} = React;
function Products() {
  const [products, setProducts] = useState(null);
  const [shown, setShown] = useState(2);
  useEffect(() => { fetch('/products').then(r => r.json()).then(setProducts) }, []);
  if (!products) return h('p', null, 'loading');
  return h('div', null,
    h('ul', null, products.slice(0, shown).map(({id, name}) => h('li', {key: id}, h('a', {href: '/p/' + id}, name)))),
    shown < products.length && h('button', {onClick: () => setShown(shown + 2)}, 'more'));
}
ReactDOM.createRoot(root).render(h(Products));
</script>
"""
VUE = """\
<!doctype html><title>Vue</title>
<div id=root><input v-model="word"><p v-if="!products">loading</p>
<ul><li v-for="{id, name} in found"><a :href="'/p/' + id">{{ name }}</a></li></ul></div>
<script src=/vue.js></script>
<script>
Vue.createApp({
  data: () => ({products: null, word: ''}),
  computed: { found() { return (this.products || []).filter(product => product.name.includes(this.word)) } },
  async mounted() { this.products = await (await fetch('/products')).json() },
}).mount(root);
</script>
"""
PRODUCTS = [{"id": number, "name": f"{kind} {number}"} for number, kind in enumerate(["pen", "ink", "cap"] * 2)]


@pytest.fixture(scope="module")
def site() -> FakeSite:
    folder = node_modules(source=Path(__file__).parent / "node")
    libraries = {
        "/react.js": "react/umd/react.production.min.js",
        "/react-dom.js": "react-dom/umd/react-dom.production.min.js",
        "/vue.js": "vue/dist/vue.global.prod.js",
    }
    scripts = {path: Page((folder / name).read_bytes(), headers=JS) for path, name in libraries.items()}
    return FakeSite({"/react": REACT, "/vue": VUE, "/products": Page(PRODUCTS), **scripts})


class Shop(Spider):
    """Keeps the names of the products of each page."""

    settings = Settings(attempts=1)

    def __init__(self, *requests: Request) -> None:
        super().__init__()
        self.requests = requests
        self.names: dict[str, list[str]] = {}
        self.links: list[str] = []

    def start(self) -> Iterator[Request]:
        yield from self.requests

    def parse(self, response: Response) -> None:
        self.names[response.url.rpartition("/")[2]] = response.css("li a::text").getall()
        self.links += response.hrefs()


async def test_rendered_pages_of_react_and_vue_have_their_visible_content(site: FakeSite) -> None:
    def to(path: str, *actions: str) -> Request:
        return Request(f"https://site.test/{path}", plugins={"browser": {"actions": list(actions)}})

    shop = Shop(to("react", "click button 10"), to("vue"), to("vue?search", "type input cap"))
    with trio.fail_after(60):
        report = await crawl(shop, plugins=[Browser(tabs=3)], transport=site.transport)
    everything = [product["name"] for product in PRODUCTS]
    assert report.failures == {}
    assert shop.names == {"react": everything, "vue": everything, "vue?search": ["cap 2", "cap 5"]}
    assert "https://site.test/p/5" in shop.links
