"""``crawler bench``: every figure is there and consistent; the speed is not tested."""

from __future__ import annotations

import json

import pytest

from crawler.testing.bench import LINKS


def test_bench_crawls_every_page_once_and_shows_the_figures(command, tmp_path):
    code, out, err = command("bench", "--pages", "40")
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first == f"finished: 40 of 40 pages, 20 kB with {LINKS} links each"
    assert [line.split()[0] for line in lines] == ["speed", "cpu", "memory", "server", "machine"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [[], ["--job"]])
def test_json_is_for_other_programs(command, more):
    code, out, err = command("bench", "--pages", "20", "--json", *more)
    assert (code, err) == (0, "")
    figures = json.loads(out)
    assert (figures["finished"], figures["pages"], figures["items"], figures["requests"]) == ("finished", 20, 20, 21)
    assert figures["pages_per_second"] == pytest.approx(20 / figures["seconds"], rel=0.1)
    assert all(figures[name] > 0 for name in ("cpu_seconds", "server_cpu_seconds", "peak_rss", "bytes"))
