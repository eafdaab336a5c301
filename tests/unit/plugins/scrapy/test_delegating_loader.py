"""A `DelegatingLoader` executes the module, which has its own loader then."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location

from crawler_plugins.scrapy.delegating_loader import DelegatingLoader


def test_a_module_is_executed_and_has_its_own_loader(tmp_path):
    (tmp_path / "some.py").write_text("value = 7\nseen = __loader__\n")
    spec = spec_from_file_location("some", tmp_path / "some.py")
    own, spec.loader = spec.loader, DelegatingLoader(spec.loader)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert isinstance(own, SourceFileLoader)
    assert module.value == 7
    assert module.seen is module.__loader__ is module.__spec__.loader is own
