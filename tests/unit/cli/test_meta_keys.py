"""``crawler check`` finds options of other programs in `meta` without running the spider."""

from __future__ import annotations

MISPLACED = """\
from crawler import Request, Spider

class Books(Spider):
    def start(self):
        meta = {"shelf": 1, "proxy": "http://p.test"}
        yield Request("http://nowhere.test/", meta=meta)
        yield Request("http://nowhere.test/1", meta={**meta, "cookiejar": 1, "depth": {"proxy": 1}})
        yield Request("http://nowhere.test/2", meta=dict(download_timeout=5))

    def parse(self, response):
        request = response.follow("/3", meta=response.meta | {"dont_redirect": True})
        request.meta["dont_retry"] = request.meta["proxy"]
        request.meta.update({"download_slot": "a"})
        request.meta |= {"bindaddress": "::1"}
        yield request
"""


def test_options_in_meta_are_found_without_running_the_spider(command, tmp_path):
    (tmp_path / "books.py").write_text(MISPLACED)
    code, out, err = command("check", "books.py")
    assert (code, err) == (1, "0 callbacks checked, 0 failed\n")
    lines = {5: "proxy", 7: "cookiejar", 8: "download_timeout", 11: "dont_redirect", 12: "dont_retry"}
    lines |= {13: "download_slot", 14: "bindaddress"}
    assert [line.partition(" has no effect here: ")[0] for line in out.splitlines()] == [
        f"FAILED  books.py:{line}: meta['{key}']" for line, key in lines.items()
    ]
    assert "write proxy=…" in out.splitlines()[0]
