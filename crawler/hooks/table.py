"""The hook table: who is to be asked at each hook, checked before anything starts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from crawler.errors import PluginError
from crawler.hooks.plugin import Plugin
from crawler.settings import did_you_mean

__all__ = ["HOOKS", "Hook", "HookTable"]

HOOKS: Final = ("lifespan", "admit", "answer", "fetch", "parse", "refine", "persist", "measure", "failed")
KINDS: Final = {
    "admit": "sync", "measure": "sync", "parse": "any", "lifespan": "context",
    "answer": "async", "fetch": "async", "refine": "async", "persist": "async", "failed": "produces",
}  # fmt: skip
ARGUMENTS: Final = {"fetch": 2, "refine": 2}
log = logging.getLogger("crawler.hooks")


@attrs.frozen
class Hook:
    """One plugin's method for one hook."""

    plugin: Plugin
    """Whose it is."""
    call: Callable[..., Any]
    """The bound method."""


@attrs.frozen(kw_only=True)
class HookTable:
    """For each hook the plugins that override it, in order. Built once; an empty hook costs nothing."""

    lifespan: tuple[Hook, ...]
    admit: tuple[Hook, ...]
    answer: tuple[Hook, ...]
    fetch: tuple[Hook, ...]
    parse: tuple[Hook, ...]
    """Without the spider's own `parse`, which is the default callback."""
    refine: tuple[Hook, ...]
    persist: tuple[Hook, ...]
    measure: tuple[Hook, ...]
    failed: tuple[Hook, ...]

    @classmethod
    def build(cls, plugins: Sequence[Plugin]) -> HookTable:
        """The table of the spider and its plugins.

        Parameters:
            plugins: the spider first, then the others in their order.

        Raises:
            PluginError: a plugin breaks the contract of its hooks, or two have the same name.
        """
        names: dict[str, Plugin] = {}
        for plugin in plugins:
            if not isinstance(plugin, Plugin):
                what = "a class, not an instance of it" if isinstance(plugin, type) else "no Plugin"
                raise PluginError(f"{plugin!r} is {what}")
            other = names.setdefault(plugin.name, plugin)
            if other is not plugin:
                raise PluginError(
                    f"two plugins are called {plugin.name!r}: {type(other).__name__} and {type(plugin).__name__}"
                )
            check(plugin, lenient=plugin is plugins[0])
        table = {
            hook: tuple(
                Hook(plugin, getattr(plugin, hook))
                for plugin in plugins
                if getattr(type(plugin), hook) is not getattr(Plugin, hook)
                and not (hook == "parse" and plugin is plugins[0])
            )
            for hook in HOOKS
        }
        return cls(**table)


def check(plugin: Plugin, *, lenient: bool = False) -> None:
    """Whether the methods of `plugin` are what the hooks ask for.

    Parameters:
        plugin: an instance.
        lenient: it is a spider, where methods of other names are normal: a misspelt hook is only warned of.

    Raises:
        PluginError: one is not; the message names it.
    """
    kind = type(plugin)
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if name in HOOKS:
            if method is not getattr(Plugin, name):
                _check_hook(kind, name, method)
        elif not name.startswith("_") and not hasattr(Plugin, name) and _defined_by_user(kind, name):
            hint = did_you_mean(name, HOOKS, form="{}()", cutoff=0.8)
            if hint and lenient:
                log.warning("%s.%s() is no hook%s", kind.__name__, name, hint)
            elif hint:
                raise PluginError(f"{kind.__name__}.{name}() is no hook{hint}")


def _defined_by_user(kind: type, name: str) -> bool:
    """Whether a class outside of this package defines the method."""
    owner = next(base for base in kind.__mro__ if name in vars(base))
    return owner.__module__.partition(".")[0] != "crawler"


def _check_hook(kind: type, name: str, method: Callable[..., Any]) -> None:
    """Raises `PluginError` if `method` cannot be called as the hook `name` is."""
    where = f"{kind.__name__}.{name}()"
    wanted = KINDS[name]
    is_generator = inspect.isasyncgenfunction(method)
    is_async = inspect.iscoroutinefunction(method)
    if wanted == "sync" and (is_async or is_generator):
        raise PluginError(f"{where} must not be async: it is called where nothing may wait")
    if wanted == "async" and not is_async:
        raise PluginError(f"{where} must be `async def`" + (" without yield" if is_generator else ""))
    if wanted == "produces" and not (is_async or is_generator):
        raise PluginError(f"{where} must be `async def`")
    if wanted == "context" and (is_generator or is_async):
        raise PluginError(f"{where} must be an async context manager: decorate it with @asynccontextmanager")
    if wanted == "sync" and inspect.isgeneratorfunction(method):
        raise PluginError(f"{where} must return its answer, not yield it")
    try:
        inspect.signature(method).bind(*[None] * (1 + ARGUMENTS.get(name, 1)))
    except TypeError as error:
        raise PluginError(f"{where} cannot be called: {error}") from None
