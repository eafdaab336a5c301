"""The names of a series of files, and the files that have such names."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import ConfigError
from crawler.sinks.names import Names, part_of


def test_a_name_has_the_number_the_type_the_spider_and_the_time():
    names = Names("out/%(spider)s-%(time)s-%(type)s-%(n)05d.jsonl")
    names.begin("my quotes/2", 1_700_000_000.9)
    assert str(names.path(7, "Quote")) == "out/my-quotes-2-20231114T221320Z-Quote-00007.jsonl"
    assert str(names.path(7)).endswith("-item-00007.jsonl")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("%(m)d.csv", r"no field 'm' in names: use %\(spider\)s, %\(time\)s, %\(n\)05d, %\(type\)s"),
        ("%(typ)s.csv", r"did you mean type\?"),
        ("%(n)q.csv", "unsupported format"),
        ("%(n)d-50%.csv", "%% stands for a percent sign"),
        ("%(n.csv", "%% stands for a percent sign"),
    ],
)
def test_a_wrong_template_is_refused(template, message):
    with pytest.raises(ConfigError, match=message):
        Names(template)


def test_files_of_the_series_are_found_and_others_are_not(tmp_path):
    names = Names(f"{tmp_path}/[a] 5%%-%(type)s-%(n)03d.csv")
    for name in ("[a] 5%-Quote-001.csv", "[a] 5%-Quote-1000.csv", "[a] 5%-item-002.csv"):
        (tmp_path / name).touch()
    for name in ("[a] 5%-Quote-x.csv", "a 5%-Quote-001.csv", "[a] 5%-Quote-001.csv.gz", "[a] 5-item-001.csv"):
        (tmp_path / name).touch()
    found = sorted((kind, n, path.name) for kind, n, path in names.existing())
    assert found == [
        ("Quote", 1, "[a] 5%-Quote-001.csv"),
        ("Quote", 1000, "[a] 5%-Quote-1000.csv"),
        ("item", 2, "[a] 5%-item-002.csv"),
    ]


def test_a_field_may_occur_twice(tmp_path):
    names = Names(f"{tmp_path}/%(type)s/%(type)s-%(n)d.csv")
    for name in ("A/A-1.csv", "A/B-1.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for _, _, path in names.existing()] == ["A-1.csv"]


def test_files_of_other_crawls_have_other_names(tmp_path):
    names = Names(f"{tmp_path}/%(spider)s-%(time)s.csv")
    names.begin("quotes", 0)
    for name in ("quotes-19700101T000000Z.csv", "quotes-19700101T000001Z.csv", "others-19700101T000000Z.csv"):
        (tmp_path / name).touch()
    assert [path.name for _, _, path in names.existing()] == ["quotes-19700101T000000Z.csv"]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("out/items.jsonl", "out/items-00012.jsonl"),
        ("items.jsonl.gz", "items-00012.jsonl.gz"),
        ("items", "items-00012"),
        ("%(type)s-%(n)05d.csv", "%(type)s-%(n)05d-00012.csv"),
    ],
)
def test_the_number_of_a_part_precedes_the_ending(name, part):
    assert str(part_of(Path(name), 12)) == part
