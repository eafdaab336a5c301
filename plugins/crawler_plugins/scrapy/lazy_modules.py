"""`install`: modules that Scrapy imports, and that few projects use, are executed at their first use.

Most belong to Twisted's networking, which a crawl here does not need. The modules are the installed ones, and complete
as soon as one of their names is read. Three others are loaded in ways of their own: see `late_mail`,
`late_mime_types` and `late_pydantic`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

from crawler_plugins.scrapy import late_mail, late_mime_types, late_pydantic
from crawler_plugins.scrapy.delegating_loader import DelegatingLoader

__all__ = ["CALLED", "MODULES", "install"]

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "backports.zstd": (),
    "charset_normalizer": ("from_bytes",),
    "compression.zstd": (),
    "configparser": (),
    "jmespath": (),
    "logging.config": ("dictConfig",),
    "pickle": (),
    "scrapy.utils.curl": ("curl_to_request_kwargs",),
    "scrapy.utils.display": ("_tty_supports_color", "pformat", "pprint"),  # it imports packaging
    "scrapy.utils.versions": ("get_versions", "scrapy_components_versions"),  # it imports OpenSSL
    "twisted.internet.asyncioreactor": (),
    "twisted.internet.base": (),
    "twisted.internet.threads": ("deferToThread",),
    "twisted.web.client": (),
    "twisted.web.http": (),
    "webbrowser": (),
    "xmlrpc.server": (),
}
"""The modules, with their functions that other modules import by name: the module is executed when one is called."""
CALLED: Final = {
    ("configparser", "ConfigParser"): "scrapy.utils.conf",
    ("twisted.internet.base", "DelayedCall"): "twisted.internet.task",
}
"""Classes that one other module imports by name and only calls, and that module: until then it gets a function."""
LOADERS: Final = late_mail.LOADERS | late_mime_types.LOADERS | late_pydantic.LOADERS
"""Modules that are loaded in another way, and how."""


def install() -> None:
    """Let the modules wait, unless they are imported already. Further calls have no effect."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds the modules as the other finders do, with a loader that waits."""

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of one of the modules; `None` for any other module."""
        kind = _Waiting if fullname in MODULES else LOADERS.get(fullname)
        if kind is None or fullname in self._asked:
            return None
        self._asked.add(fullname)  # once: a module that is imported again is imported as usual
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = kind(spec.loader)
        return spec


class _Waiting(DelegatingLoader):
    """Executes a module when one of its names is read."""

    def exec_module(self, module: ModuleType) -> None:
        """Let the module wait."""
        self._restore(module)
        module.__class__ = _LazyModule


class _LazyModule(ModuleType):
    """A module that has not been executed."""

    def __getattr__(self, name: str) -> Any:
        """Execute the module, and return the value of a name; of some functions, one that does so when it is called."""
        if name.startswith("__") and name != "__version__":  # the import system asks for some
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        importer = CALLED.get((self.__name__, name))
        if name in MODULES[self.__name__] or (importer and sys._getframe(1).f_globals["__name__"] == importer):  # noqa: SLF001
            return partial(_call, self, name)
        self.execute()
        return getattr(self, name)

    def execute(self) -> None:
        """Execute the module. It is an ordinary one then, and keeps the names that were set before."""
        self.__class__ = ModuleType  # type: ignore[assignment]
        loader: Any = self.__loader__
        before = dict(vars(self))
        loader.exec_module(self)
        vars(self).update((name, value) for name, value in before.items() if not name.startswith("__"))
        for (module, name), importer in CALLED.items():
            if module == self.__name__ and importer in sys.modules:
                setattr(sys.modules[importer], name, getattr(self, name))


def _call(module: ModuleType, name: str, *args: Any, **kw: Any) -> Any:
    """Call a function of a module that waits."""
    if isinstance(module, _LazyModule):
        module.execute()
    return getattr(module, name)(*args, **kw)
