"""Pydantic is imported when a project imports it, and its models are items then."""

from __future__ import annotations

import subprocess
import sys

MODELS = """
import sys
import crawler_plugins.scrapy
from itemadapter import ItemAdapter, is_item
from itemadapter.utils import get_field_meta_from_class

print("pydantic" in sys.modules, is_item({}), is_item(object()))
{imports}

class Model(pydantic.BaseModel):
    a: int = 1

print(is_item(Model()), dict(ItemAdapter(Model())), get_field_meta_from_class(Model, "a")["default"])

class Old(v1.BaseModel):
    b: int = 2

print(is_item(Old()), dict(ItemAdapter(Old())), is_item(object()))
print(type(pydantic.__spec__.loader).__module__, pydantic.__loader__ is pydantic.__spec__.loader)
"""


def output(code: str) -> list[str]:
    """What a program prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_models_are_items_as_soon_as_a_project_imports_them():
    for imports in (
        "import pydantic; from pydantic import v1",
        "import pydantic.v1 as v1; pydantic = sys.modules['pydantic']",
    ):
        assert output(MODELS.replace("{imports}", imports)) == [
            "False True False",
            "True {'a': 1} 1",
            "True {'b': 2} False",
            "_frozen_importlib_external True",
        ]


def test_a_project_may_have_imported_it_before():
    assert output("import pydantic\n" + MODELS.replace("{imports}", "from pydantic import v1"))[:2] == [
        "True True False",
        "True {'a': 1} 1",
    ]


def test_a_project_may_do_without_itemadapter():
    code = "import sys\nfrom crawler_plugins.scrapy import lazy_modules\nsys.modules.pop('itemadapter._imports')\n"
    assert output(f"{code}import pydantic\nprint(pydantic.BaseModel.__name__)") == ["BaseModel"]
