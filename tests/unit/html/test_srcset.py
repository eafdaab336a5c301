"""Images and media of a page: candidates of ``srcset`` as browsers choose them, and all other attributes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Response
from crawler.html.srcset import parse_srcset


@each(
    ("value", "urls"),
    [
        ("", []),
        ("a.jpg", ["a.jpg"]),
        ("a.jpg 1x, b.jpg 2x", ["a.jpg", "b.jpg"]),
        ("a.jpg 100w,\n b.jpg 200w", ["a.jpg", "b.jpg"]),
        ("a.jpg, b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg,b.jpg 2x", ["a.jpg,b.jpg"]),  # a comma inside of a URL is a part of it
        ("a.jpg,,, b.jpg", ["a.jpg", "b.jpg"]),
        (",, a.jpg", ["a.jpg"]),
        ("data:image/png;base64,AA== 1x, b 2x", ["data:image/png;base64,AA==", "b"]),
        ("a 100w 50h, b 100h", ["a"]),
        ("a 1x 2x, b 1w 2w, c 1x 1w, d", ["d"]),
        ("a 0w, b -1w, c 1.5w, d 1.5x, e 0x, f -1x, g 1e2x", ["d", "e", "g"]),
        ("a x, b w, c 1q, d 2x", ["d"]),
        ("a (1x, 2x), b 1x", ["b"]),
        ("a (never closed, b 1x", []),
        ("a 1x(", []),
    ],
)
def test_candidates(value, urls):
    assert parse_srcset(value) == urls


@given(st.text(alphabet=st.sampled_from("ab ,()1xwh.-\t\n\ud800"), max_size=60) | st.text(max_size=60))
def test_no_value_raises_and_urls_stand_in_it(value):
    for url in parse_srcset(value):
        assert url in value
        assert url
        assert not url.endswith(",")


def test_every_place_in_the_order_of_the_page():
    response = Response(
        "https://site.test/x/",
        body="""<!doctype html><base href="/m/"><link rel=preload as=image imagesrcset="pre.jpg 1x, pre2.jpg 2x">
        <img src=1.jpg srcset="1.jpg 1x, 2.jpg 2x"><img srcset="//cdn.test/3.jpg 300w"><img>
        <picture><source srcset="4.webp, 4b.webp 2x"><img src=4.jpg></picture>
        <video src=v.mp4 poster=p.jpg><source src=v.webm></video><audio src=a.mp3></audio>
        <input type=IMAGE src=i.png><input type=text src=no.png><template><img src=no.jpg></template>
        <img src="data:image/png;base64,AA=="><img src=""><script src=no.js></script><iframe src=no></iframe>""",
    )
    names = ["pre", "pre2", "1", "2", "3", "4.webp", "4b", "4.jpg", "v.mp4", "p", "v.webm", "a", "i"]
    found = response.media()
    assert found[:4] == [f"https://site.test/m/{name}.jpg" for name in names[:4]]
    assert found[4] == "https://cdn.test/3.jpg"
    assert [url.rpartition("/")[2].startswith(name) for url, name in zip(found, names, strict=True)] == [True] * 13


def test_a_text_that_is_not_a_page_has_no_srcset():
    assert Response("https://site.test/", headers={"Content-Type": "text/plain"}, body="<img src=x>").media() == []
    assert Response("https://site.test/", body="<!doctype html><p>x").media() == []


def test_of_very_many_candidates_the_first_ones_are_read(monkeypatch):
    monkeypatch.setattr("crawler.html.srcset.MAX_CANDIDATES", 3)
    body = "<!doctype html><img srcset='a 1x, b 2x, c 3x, d 4x' src=e><img srcset='f 1x' src=g>"
    page = Response("https://a.test/", body=body)
    assert [url[-1] for url in page.media()] == ["e", "a", "b", "c", "g"]
    monkeypatch.setattr("crawler.html.srcset.MAX_MEDIA", 2)
    assert [url[-1] for url in page.media()] == ["e", "a", "b", "c"]
