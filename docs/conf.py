"""How the manual is built: ``sphinx-build -W -n --keep-going -b html docs docs/_build/html``."""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "trio-crawler"
author = "the trio-crawler team"
project_copyright = author
version = release = version_of("trio-crawler")

extensions = [
    "markdown_pages",
    "myst_parser",
    "reference",
    "sphinxcontrib_trio",
]
exclude_patterns = ["_build", "_ext", "changes"]
nitpicky = True
smartquotes_action = "qe"  # quotes and ellipses; `--job` keeps its hyphens

# A name in single backticks is a link where the manual has it, and plain code where it does not.
default_role = "py:obj"
nitpick_ignore_regex = [
    (r"py:obj", r".*"),
    (r"py:.*", r"(?!crawler\.).*"),  # types of other libraries have no page here,
    (r"py:.*", r"crawler\.[a-z_]+\..*"),  # nor have those of our rooms that are not public
]

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_use_legacy_class_based = True  # what sphinxcontrib-trio extends
maximum_signature_line_length = 100
python_use_unqualified_type_names = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_baseurl = os.environ.get("MANUAL_URL", "")  # where the manual will be published: ends with a slash
html_title = f"trio-crawler {version}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]

# A kind of pages may have none yet but its index: an empty glob in a toctree is no warning.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: "toctree glob pattern" not in str(record.msg)
)
