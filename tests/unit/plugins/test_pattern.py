"""`PathPattern`: the path of a file."""

from __future__ import annotations

import pytest
from crawler_plugins.files.names import folders, safe_name
from crawler_plugins.files.pattern import FIELDS, PathPattern
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import ConfigError

VALUES = {"digest": "abcdef", "dir": "x/y", "ext": ".pdf", "host": "site.test", "name": "a.pdf", "stem": "a"}


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{host}/{digest:2}/{digest}{ext}", "site.test/ab/abcdef.pdf"),
        ("{dir}/{name}", "x/y/a.pdf"),
        ("all/{stem}-{digest:4}{ext}", "all/a-abcd.pdf"),
        ("{{{stem}}}", "{a}"),
    ],
)
def test_fields_are_filled_in(pattern, path):
    assert PathPattern(pattern, "path").path(VALUES) == path


def test_an_empty_field_leaves_no_empty_folder():
    assert PathPattern("{dir}/{name}", "path").path(VALUES | {"dir": ""}) == "a.pdf"


@each(
    ("pattern", "words"),
    [
        ("{digets}", "{digets} in '{digets}' is unknown; a pattern may contain {digest}"),
        ("{}", "is unknown"),
        ("{digest!r}", "may only have a width"),
        ("{digest:x}", "may only have a width"),
        ("{digest:0}", "may only have a width"),
        ("{digest", "is not a pattern"),
        ("{name.__class__}", "is unknown"),
        ("/{name}", "not a relative path"),
        ("../{name}", "not a relative path"),
        ("a//{name}", "not a relative path"),
        ("{name}/", "not a relative path"),
        (".hidden/{name}", "not a relative path"),
        ("con/{name}", "not a relative path"),
        ("a\\{name}", "not a relative path"),
        ("", "not a relative path"),
        ("all.pdf", "has no field"),
    ],
)
def test_a_bad_pattern_is_refused(pattern, words):
    with pytest.raises(ConfigError) as info:
        PathPattern(pattern, "files: path")
    assert str(info.value).startswith("files: path: ")
    assert words in str(info.value)


@given(st.fixed_dictionaries({field: st.text(st.characters(categories=None), max_size=80) for field in FIELDS}))
def test_no_value_leads_out_of_the_folder(values):
    values["dir"] = "/".join(folders(f"https://site.test/{values['dir']}/"))
    for pattern in ("{host}/{dir}/{stem}{ext}", "{name}/{digest:2}{ext}", "x{dir}/{name}"):
        parts = PathPattern(pattern, "path").path(values).split("/")
        assert all(part and safe_name(part) == part for part in parts)
