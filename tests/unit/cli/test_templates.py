"""The templates of ``crawler new``: complete, short-lined Python. `test_new.py` runs the spiders that they become."""

from __future__ import annotations

import ast
from typing import get_args

import pytest

from crawler.cli.templates import TEMPLATES, Template

VALUES = {"file": "shop.py", "name": "shop", "kind": "Shop", "url": "https://shop.example/", "domain": "shop.example"}
BASES = {"page": "Spider", "crawl": "CrawlSpider", "feed": "FeedSpider", "api": "ApiSpider"}


def test_every_kind_has_a_template():
    assert set(get_args(Template)) == set(TEMPLATES) == set(BASES)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_is_a_module_with_one_documented_spider(kind):
    text = TEMPLATES[kind].format(**VALUES)
    module = ast.parse(text)
    [spider] = [node for node in module.body if isinstance(node, ast.ClassDef)]
    assert spider.name == "Shop"
    assert [ast.unparse(base) for base in spider.bases] == [BASES[kind]]
    assert "crawler run shop.py -o shop.jsonl" in ast.get_docstring(module)
    methods = [node for node in spider.body if isinstance(node, ast.FunctionDef)]
    assert all(ast.get_docstring(method) for method in methods)
    for method in methods:
        assert method.returns is not None
        assert all(argument.annotation for argument in method.args.args[1:])
    assert "https://shop.example/" in text
    assert max(map(len, text.splitlines())) <= 120
