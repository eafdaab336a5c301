"""A site of pages that need a browser, as a `FakeSite`: each page with what a person sees on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import httpx

from crawler.testing import FakeSite, Page

HOST = "https://shop.test"
OTHER = "https://other.test"
JS = {"Content-Type": "text/javascript"}


@attrs.frozen(kw_only=True)
class Seen:
    """What a person sees on a page."""

    texts: tuple[str, ...]
    """Texts that are on it."""
    links: tuple[str, ...] = ()
    """Paths of links on it."""
    options: Mapping[str, Any] = attrs.field(factory=dict)
    """How the page is to be rendered."""
    url: str = ""
    """The path where it is in the end; empty: where it was."""


def script(code: str, body: str = "<div id=app></div>") -> str:
    return f"<!doctype html><title>page</title>{body}<script>{code}</script>"


def items(request: httpx.Request) -> Page:
    """Return ten items of a list of thirty."""
    first = int(request.url.params.get("from", "0"))
    return Page([f"item {number}" for number in range(first, min(first + 10, 30))])


def login(request: httpx.Request) -> Page:
    is_right = b"user=alice" in request.content and b"password=s3cret" in request.content
    fields = [("Location", "/account"), ("Set-Cookie", "sid=alice; HttpOnly; Path=/")]
    return Page("", 303, headers=fields) if is_right else Page("wrong", 403)


def account(request: httpx.Request) -> str:
    name = "alice" if "sid=alice" in request.headers.get("cookie", "") else "nobody"
    return f"<p>hello {name}</p><a href=/orders>orders</a>"


def wall(request: httpx.Request) -> str:
    if "agreed=yes" in request.headers.get("cookie", ""):
        return "<p>behind the wall</p>"
    return script("document.cookie = 'agreed=yes; path=/'; location.reload()")


def cross(request: httpx.Request) -> Page:
    """Answer a request of another origin, after a preflight."""
    fields = {"Access-Control-Allow-Origin": HOST, "Access-Control-Allow-Headers": "content-type,x-token"}
    if request.method == "OPTIONS":
        return Page("", 204, headers=fields | {"Access-Control-Allow-Methods": "PUT"})
    return Page(f"put {request.content.decode()}", headers=fields)


SHOW = "const show = text => { const p = document.createElement('p'); p.textContent = text; app.append(p) };"
MORE = (
    f"{SHOW} let at = 0; const more = async () => {{ const found = await (await fetch('/items?from=' + at)).json();"
    " at += found.length; found.forEach(show); return found.length };"
)

PAGES: dict[str, Any] = {
    "/fetch": script(f"{SHOW} fetch('/items').then(r => r.json()).then(found => found.forEach(show))"),
    "/items": items,
    "/xhr": script(
        f"{SHOW} const x = new XMLHttpRequest(); x.open('GET', '/items?from=20');"
        " x.onload = () => JSON.parse(x.response).forEach(show); x.send()"
    ),
    "/write": "<script src=/write.js></script>",
    "/write.js": Page("document.write('<h1>written</h1><a href=/from-write>link</a>')", headers=JS),
    "/later": script(f"{SHOW} setTimeout(() => show('it is later'), 700)"),
    "/modules": "<div id=app></div><script type=module src=/main.js></script>",
    "/main.js": Page(
        "import {word} from './word.js'; app.textContent = word; import('./late.js').then(m => m.run())", headers=JS
    ),
    "/word.js": Page("export const word = 'imported '", headers=JS),
    "/late.js": Page("export const run = () => app.append('dynamically')", headers=JS),
    "/scroll": script(
        f"{MORE} const end = document.createElement('div'); end.textContent = 'end'; document.body.append(end);"
        " new IntersectionObserver(async seen => { if (seen[0].isIntersecting) await more() }).observe(end)",
        "<style>p { height: 300px }</style><div id=app></div>",
    ),
    "/more": script(
        f"{MORE} more(); button.onclick = async () => {{ if (!await more() || at >= 30) button.remove() }}",
        "<div id=app></div><button id=button>more</button>",
    ),
    "/lazy": script(
        "new IntersectionObserver((seen, all) => { for (const {isIntersecting, target} of seen) if (isIntersecting) {"
        " target.src = target.dataset.src; all.unobserve(target) } })"
        ".observe(document.querySelector('img'))",
        "<div style='height: 4000px'>top</div><img data-src=/lazy.jpg>",
    ),
    "/shadow": script(
        "card.attachShadow({mode: 'open'}).innerHTML ="
        " '<h2>in the shadow</h2><slot name=name></slot><a href=/shade>s</a>'",
        "<div id=card><b slot=name>slotted</b><i>hidden</i></div>",
    ),
    "/elements": script(
        "customElements.define('x-price', class extends HTMLElement { connectedCallback() {"
        " this.attachShadow({mode: 'open'}).innerHTML = '<x-sign></x-sign>' + this.getAttribute('value') } });"
        "customElements.define('x-sign', class extends HTMLElement { connectedCallback() {"
        " this.attachShadow({mode: 'open'}).textContent = 'EUR ' } })",
        "<x-price value=42></x-price>",
    ),
    "/frame": "<h1>outside</h1><iframe src=/inner></iframe>",
    "/inner": script("document.body.append('drawn inside')", "<a href=sub/inside>in</a>"),
    "/foreign-frame": f"<h1>outside</h1><iframe src={OTHER}/inner></iframe>",
    f"{OTHER}/inner": script("document.body.append('drawn elsewhere')", "<a href=/elsewhere>in</a>"),
    "/srcdoc": "<iframe srcdoc='<p>in the attribute</p>'></iframe>",
    "/moved": script("location.replace('/fetch')"),
    "/refresh": "<meta http-equiv=refresh content='0; url=/write'>",
    "/router": script(f"{SHOW} history.pushState(null, '', '/router/42'); show('route ' + location.pathname)"),
    "/hash": script(f"{SHOW} onhashchange = () => show('at ' + location.hash); location.hash = '#/cart'"),
    "/login": "<form method=post action=/session><input name=user><input name=password type=password>"
    "<button>go</button></form>",
    "/session": login,
    "/account": account,
    "/wall": wall,
    "/socket": script(
        f"{SHOW} const s = new WebSocket('wss://shop.test/live'); s.onmessage = m => show(m.data);"
        " s.onerror = () => show('no live prices')"
    ),
    "/endless": script(f"{SHOW} let n = 0; setInterval(() => show('line ' + n++), 20)"),
    "/polling": script(f"{SHOW} show('first'); setInterval(() => fetch('/items'), 150)"),
    "/dialogs": script(f"{SHOW} alert('a'); show('confirm ' + confirm('b')); show('prompt ' + prompt('c'))"),
    "/unload": script(f"{SHOW} onbeforeunload = event => event.preventDefault(); show('stay')"),
    "/worker": script(
        f"{SHOW} const w = new Worker('/worker.js'); w.onmessage = m => show('sum ' + m.data); w.postMessage(40)"
    ),
    "/worker.js": Page(
        "onmessage = async m => postMessage(m.data + (await (await fetch('/two')).json()))", headers=JS
    ),
    "/two": Page(2),
    "/chain": script(f"{SHOW} fetch('/step').then(r => show(new URL(r.url).pathname + ' ' + r.redirected))"),
    "/step": Page("", 302, headers={"Location": "/two"}),
    "/cross": script(
        f"{SHOW} fetch('{OTHER}/put', {{method: 'PUT', headers: {{'x-token': '1'}}, body: 'data'}})"
        ".then(r => r.text()).then(show)"
    ),
    f"{OTHER}/put": cross,
    "/no-cors": script(f"{SHOW} fetch('{OTHER}/inner').then(() => show('read')).catch(() => show('kept apart'))"),
    "/broken": script(f"{SHOW} show('before'); undefinedFunction(); show('after')"),
    "/template": script(
        "for (const n of [1, 2]) { const c = row.content.cloneNode(true); c.querySelector('a').href = '/row' + n;"
        " app.append(c) }",
        "<template id=row><li><a>row</a></template><ul id=app></ul>",
    ),
    "/storage": script(f"{SHOW} localStorage.setItem('n', '7'); show('stored ' + localStorage.getItem('n'))"),
    "/old": Page("<p>цена</p>".encode("cp1251"), headers={"Content-Type": "text/html; charset=windows-1251"}),
    "/service-worker": script(
        f"{SHOW} navigator.serviceWorker.register('/sw.js').then(() => show('yes'))"
        ".catch(() => show('no service worker'))"
    ),
    "/media": script(f"{SHOW} show(matchMedia('(min-width: 1000px)').matches ? 'wide' : 'narrow')"),
    "/image": script(f"{SHOW} const i = new Image(); i.onload = () => show('loaded'); i.onerror = () => show('broken');"
                     " i.src = '/a.jpg'"),
    "/popup": script(f"{SHOW} show('popup ' + window.open('/fetch'))"),
    "/search": "<form action=/results><input name=q></form>",
    "/results": lambda request: f"<p>found {request.url.params['q']}</p>",
    "/forbidden": script(f"{SHOW} fetch('/private/data').then(() => show('read')).catch(() => show('not allowed'))"),
    "/private/data": "secret",
    "/robots.txt": "User-agent: *\nDisallow: /private/",
    "/plain": "<h1>plain</h1><a href=/fetch>x</a>",
}  # fmt: skip
TEN, THIRTY = ("item 0", "item 9"), ("item 0", "item 15", "item 29")
SEEN: dict[str, Seen] = {
    "/fetch": Seen(texts=TEN),
    "/xhr": Seen(texts=("item 20", "item 29")),
    "/write": Seen(texts=("written",), links=("/from-write",)),
    "/later": Seen(texts=("it is later",), options={"wait": "p"}),
    "/modules": Seen(texts=("imported dynamically",)),
    "/scroll": Seen(texts=THIRTY, options={"actions": ["scroll"]}),
    "/more": Seen(texts=THIRTY, options={"actions": ["click #button 10"]}),
    "/lazy": Seen(texts=("top",), options={"actions": ["scroll", "wait img[src]"]}),
    "/shadow": Seen(texts=("in the shadow", "slotted"), links=("/shade",)),
    "/elements": Seen(texts=("EUR 42",)),
    "/frame": Seen(texts=("outside", "drawn inside"), links=("/sub/inside",)),
    "/foreign-frame": Seen(texts=("outside", "drawn elsewhere"), links=(f"{OTHER}/elsewhere",)),
    "/srcdoc": Seen(texts=("in the attribute",)),
    "/moved": Seen(texts=TEN, url="/fetch"),
    "/refresh": Seen(texts=("written",), url="/write"),
    "/router": Seen(texts=("route /router/42",), url="/router/42"),
    "/hash": Seen(texts=("at #/cart",)),
    "/login": Seen(
        texts=("hello alice",),
        links=("/orders",),
        options={"actions": [["type", "[name=user]", "alice"], "type [name=password] s3cret", "click button"]},
        url="/account",
    ),
    "/wall": Seen(texts=("behind the wall",)),
    "/socket": Seen(texts=("no live prices",)),
    "/endless": Seen(texts=("line 0",)),
    "/polling": Seen(texts=("first",), options={"wait": "load"}),
    "/dialogs": Seen(texts=("confirm true", "prompt null")),
    "/unload": Seen(texts=("stay",)),
    "/worker": Seen(texts=("sum 42",)),
    "/chain": Seen(texts=("/two true",)),
    "/cross": Seen(texts=("put data",)),
    "/no-cors": Seen(texts=("kept apart",)),
    "/broken": Seen(texts=("before",)),
    "/template": Seen(texts=("row",), links=("/row1", "/row2")),
    "/storage": Seen(texts=("stored 7",)),
    "/old": Seen(texts=("цена",)),
    "/service-worker": Seen(texts=("no service worker",)),
    "/media": Seen(texts=("wide",)),
    "/image": Seen(texts=("loaded",)),
    "/popup": Seen(texts=("popup null",)),
    "/search": Seen(
        texts=("found tea",), options={"actions": ["type [name=q] tea", "press Enter"]}, url="/results?q=tea"
    ),
    "/forbidden": Seen(texts=("not allowed",)),
    "/plain": Seen(texts=("plain",), links=("/fetch",)),
}  # fmt: skip


def site() -> FakeSite:
    return FakeSite(PAGES, host=HOST)
