"""``crawler sitemap``: the pages that a site lists."""

from __future__ import annotations

import json

import pytest
from support.localsite import local_site

HEAD = "<?xml version='1.0'?>"


@pytest.fixture
def listed():
    with local_site({}) as site:
        urls = "".join(f"<url><loc>{site.url}{n}</loc><lastmod>2026-01-0{n}</lastmod></url>" for n in (1, 2))
        site.pages["/sitemap.xml"] = (
            f"{HEAD}<sitemapindex><sitemap><loc>{site.url}part.xml</loc></sitemap></sitemapindex>"
        )
        site.pages["/part.xml"] = f"{HEAD}<urlset>{urls}</urlset>"
        yield site


@pytest.mark.parametrize("path", ["", "sitemap.xml", "part.xml", "some/page.html"])
def test_the_pages_of_a_site(command, listed, path):
    code, out, err = command("sitemap", f"{listed.url}{path}")
    assert (code, out.split()) == (0, [f"{listed.url}1", f"{listed.url}2"])
    assert err.startswith("2 pages in ")


def test_all_fields_as_json(command, listed):
    code, out, _ = command("sitemap", listed.url, "--json")
    assert code == 0
    assert json.loads(out.splitlines()[0]) == {
        "url": f"{listed.url}1", "kind": "page", "lastmod": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def test_a_site_without_a_sitemap(command):
    with local_site({"/": "x"}) as site:
        code, out, err = command("sitemap", site.url)
    assert (code, out) == (4, "")
    assert f"crawler: no sitemap of {site.url} lists any page\n" in err
