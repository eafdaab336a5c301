"""Scrapy's tables of media types are read when it looks for one."""

from __future__ import annotations

import io
import mimetypes
import subprocess
import sys

import pytest
from crawler_plugins.scrapy.late_mime_types import _LateMimeTypes

CODE = """
{imports}
import mimetypes
from scrapy import responsetypes as module
from scrapy.responsetypes import responsetypes

print(type(responsetypes.mimetypes) is mimetypes.MimeTypes, module.MimeTypes is mimetypes.MimeTypes)
print(responsetypes.from_content_type("text/html; charset=utf-8"))
names = ["a.html", "a.rss", "a.atom", "a.json", "a.js", "a.txt", "a.png", "a.gz", "a", "http://b.test/c.xml?d=e.html"]
for name in names:
    print(name, responsetypes.from_filename(name), responsetypes.mimetypes.guess_type(name))
print(sorted(map(len, vars(responsetypes.mimetypes).values())), type(responsetypes.mimetypes))
"""


def output(imports: str) -> list[str]:
    """What the program prints in a process of its own."""
    code = CODE.replace("{imports}", imports)
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()


def test_late_mime_types_equal_the_usual_ones():
    theirs, ours = output(""), output("import crawler_plugins.scrapy")
    assert (theirs[0], ours[0]) == ("True True", "False True")
    assert ours[1:] == theirs[1:]


def test_tables_are_added_in_their_order():
    late, plain = _LateMimeTypes(), mimetypes.MimeTypes()
    for one in (late, plain):
        one.readfp(io.StringIO("x/a aaa bbb\n"))
        one.readfp(io.StringIO("x/b bbb\n"), False)
    assert not isinstance(late, mimetypes.MimeTypes)
    assert late.guess_type("f.bbb", strict=False) == plain.guess_type("f.bbb", strict=False) == ("x/a", None)
    assert isinstance(late, mimetypes.MimeTypes)
    assert vars(late) == vars(plain)
    with pytest.raises(AttributeError):
        _ = late.nothing
