"""The content as HTML: an allowlist of elements and attributes."""

from __future__ import annotations

from crawler import Response


def html(page: str) -> str:
    return Response("https://site.example/d/p", 200, {"content-type": "text/html"}, page).article().html


def test_handlers_styles_classes_and_foreign_elements_are_removed():
    page = '<main class=c onclick=x style="color:red"><my-x>a</my-x><p id=i onload=y>b<font color=red>c</font></main>'
    assert html(page) == '<main>a<p id="i">bc</p></main>'


def test_links_and_images_are_absolute():
    page = "<main><a href=x ping=y target=z>l</a><img src=i srcset='j 2x' alt=a onerror=k></main>"
    assert (
        html(page)
        == '<main><a href="https://site.example/d/x">l</a><img src="https://site.example/d/i" alt="a"></main>'
    )


def test_tables_stay():
    assert "<td>2</td>" in html("<table><tr><td>1<td>2</table>")
    assert html("") == ""
