"""Modules that Scrapy imports are executed when one of their names is read."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from crawler_plugins.scrapy import lazy_modules

SOURCE = """
print("executed")
NUMBER = 1

def double(n):
    return n * 2
"""


@pytest.fixture
def name(tmp_path, monkeypatch):
    """A module that waits, with a function that others import by its name."""
    (tmp_path / "waits.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(lazy_modules.MODULES, "waits", ("double",))
    monkeypatch.setattr(
        sys, "meta_path", [one for one in sys.meta_path if type(one).__module__ != lazy_modules.__name__]
    )
    lazy_modules.install()
    yield "waits"
    sys.modules.pop("waits", None)


def test_a_module_waits_until_one_of_its_names_is_read(name, capsys):
    module = importlib.import_module(name)
    assert (module.__name__, module.__file__.rpartition("/")[2], capsys.readouterr().out) == (name, "waits.py", "")
    assert (module.NUMBER, module.double(2), capsys.readouterr().out) == (1, 4, "executed\n")
    assert type(module) is type(sys)
    with pytest.raises(AttributeError, match="module 'waits' has no attribute 'other'"):
        _ = module.other


def test_a_function_of_it_may_be_imported_by_name_before(name, capsys):
    double = importlib.import_module(name).double
    assert capsys.readouterr().out == ""
    assert (double(3), double(4), capsys.readouterr().out) == (6, 8, "executed\n")


def test_a_lazy_module_can_be_imported_again(name, capsys):
    importlib.import_module(name)
    del sys.modules[name]
    importlib.import_module(name)
    assert capsys.readouterr().out == "executed\n"


def test_others_are_imported_as_usual_and_it_is_installed_once(name):
    before = list(sys.meta_path)
    lazy_modules.install()
    assert sys.meta_path == before
    assert sys.meta_path[0].find_spec("json") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("waits.no")


def test_the_names_of_a_module_of_twisted_are_its_own():
    module = importlib.import_module("twisted.internet.asyncioreactor")
    assert module.AsyncioSelectorReactor.__module__ == "twisted.internet.asyncioreactor"
    assert issubclass(importlib.import_module("twisted.web.client").ResponseFailed, Exception)


def test_the_version_of_a_module_may_be_read_first(name, tmp_path, capsys):
    (tmp_path / "waits.py").write_text(f'__version__ = "1.2"\n{SOURCE}')
    assert (importlib.import_module(name).__version__, capsys.readouterr().out) == ("1.2", "executed\n")


def test_attributes_that_were_set_before_execution_stay(name, capsys):
    module = importlib.import_module(name)
    module.double = module.other = len
    assert (module.double([1]), capsys.readouterr().out) == (1, "")
    assert (module.NUMBER, module.double([1]), module.other([1])) == (1, 1, 1)


def test_a_class_that_one_module_only_calls_may_be_imported_by_it_before(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "waits.py").write_text(f"{SOURCE}\nclass Made: ...\n")
    (tmp_path / "calls.py").write_text("from waits import Made\ndef make():\n    return Made()\n")
    monkeypatch.setitem(lazy_modules.CALLED, (name, "Made"), "calls")
    calls = importlib.import_module("calls")
    monkeypatch.delitem(sys.modules, "calls")
    monkeypatch.setitem(sys.modules, "calls", calls)
    assert capsys.readouterr().out == ""
    made = calls.make()
    assert (capsys.readouterr().out, type(made).__name__, calls.Made) == ("executed\n", "Made", type(made))


def test_any_other_module_gets_the_class(name, tmp_path, monkeypatch):
    (tmp_path / "waits.py").write_text(f"{SOURCE}\nclass Made: ...\n")
    monkeypatch.setitem(lazy_modules.CALLED, (name, "Made"), "calls")
    assert isinstance(importlib.import_module(name).Made, type)


CODE = """
import sys
import crawler_plugins.scrapy
waiting = [name for name in ("twisted.internet._signals", "twisted.internet._resolver", "pydoc") if name in sys.modules]
from twisted.internet import task
clock = task.Clock()
clock.callLater(1, print, "called")
clock.advance(2)
from twisted.internet.base import DelayedCall
from twisted.internet import base
print(waiting, task.DelayedCall is DelayedCall is base.DelayedCall)
import xmlrpc.client
import xmlrpc.server
import scrapy.http
print(xmlrpc.server.gzip_decode.__module__, xmlrpc.server.SimpleXMLRPCServer.__module__)
request = scrapy.http.XmlRpcRequest("http://a.test", params=(1,), methodname="m")
print(xmlrpc.server.gzip_decode.__module__, request.method)
"""


def test_timers_and_xml_rpc_are_those_of_the_installed_modules():
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "called", "[] True", "defusedxml.xmlrpc xmlrpc.server", "defusedxml.xmlrpc POST",
    ]  # fmt: skip
