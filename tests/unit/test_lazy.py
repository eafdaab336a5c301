"""Packages whose names are imported at first use."""

from __future__ import annotations

import sys
from decimal import Decimal
from types import ModuleType

import pytest

from crawler.lazy import lazy_names, places


@pytest.fixture
def package(monkeypatch):
    """Return a package whose names are imported lazily."""
    module = ModuleType("lazy_package")
    monkeypatch.setitem(sys.modules, "lazy_package", module)
    names = places({"decimal": "Decimal getcontext", "fractions": "Fraction"})
    module.__getattr__, module.__dir__ = lazy_names("lazy_package", names)
    return module


def test_each_name_has_its_module():
    assert places({"a.b": "One two", "c": "three"}) == {"One": "a.b", "two": "a.b", "three": "c"}
    assert places({}) == {}


def test_a_name_is_imported_at_first_use_and_cached(package):
    assert "Decimal" not in vars(package)
    assert package.Decimal is Decimal
    assert vars(package)["Decimal"] is Decimal


def test_the_names_are_listed_in_order(package):
    assert dir(package) == ["Decimal", "Fraction", "getcontext"]


def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="^module 'lazy_package' has no attribute 'Decimals'$"):
        getattr(package, "Decimals")  # noqa: B009
    assert not hasattr(package, "__path__")
