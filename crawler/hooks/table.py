"""`HookTable`: the plugins that each hook calls, in order, checked before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from crawler.errors import PluginError
from crawler.hooks.plugin import Plugin
from crawler.hooks.requirements import require
from crawler.logs import get_logger
from crawler.other_names import OTHER_NAMES
from crawler.suggest import did_you_mean

__all__ = ["HOOKS", "Hook", "HookTable"]

HOOKS: Final = ("lifespan", "admit", "answer", "fetch", "parse", "refine", "persist", "measure", "failed")
KINDS: Final = {
    "admit": "sync", "measure": "sync", "parse": "any", "lifespan": "context",
    "answer": "async", "fetch": "async", "refine": "async", "persist": "task", "failed": "produces",
}  # fmt: skip
ARGUMENTS: Final = {"fetch": 2, "refine": 2}
log = get_logger("crawler.hooks")


class Hook(Struct, frozen=True):
    """The method of one plugin for one hook."""

    plugin: Plugin
    """The plugin."""
    call: Callable[..., Any]
    """The bound method."""


class HookTable(Struct, frozen=True, kw_only=True):
    """For each hook the plugins that override it, in order. Built once; a hook without plugins costs nothing."""

    lifespan: tuple[Hook, ...]
    admit: tuple[Hook, ...]
    answer: tuple[Hook, ...]
    fetch: tuple[Hook, ...]
    parse: tuple[Hook, ...]
    """The spider's own `parse` is not among them: it is the default callback."""
    refine: tuple[Hook, ...]
    persist: tuple[Hook, ...]
    measure: tuple[Hook, ...]
    failed: tuple[Hook, ...]

    @classmethod
    def build(cls, plugins: Sequence[Plugin]) -> HookTable:
        """Build the table for a spider and its plugins."""
        names: dict[str, Plugin] = {}
        for plugin in plugins:
            if not isinstance(plugin, Plugin):
                if isinstance(plugin, type):
                    raise PluginError(f"{plugin!r} is a class: pass an instance, {plugin.__name__}()")
                raise PluginError(f"{plugin!r} is not a Plugin{_class_named(plugin)}")
            other = names.get(plugin.name)
            if other is plugin:
                raise PluginError(f"the plugin {plugin.name!r} is listed twice")
            if other is not None:
                raise PluginError(
                    f"two plugins have the name {plugin.name!r}: {type(other).__name__} and {type(plugin).__name__}"
                )
            names[plugin.name] = plugin
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
    """Check that the methods of a plugin can be called as hooks."""
    kind = type(plugin)
    require(f"plugin {plugin.name}", kind.requires)
    for name in HOOKS:
        if name in vars(plugin):
            raise PluginError(
                f"{kind.__name__}.{name}() must be a method of the class, not an attribute of the instance"
            )
        if getattr(kind, name) is not getattr(Plugin, name):
            is_callback = lenient and name == "parse"
            _check_hook(f"{kind.__name__}.{name}()", name, getattr(plugin, name), is_callback=is_callback)
    for name, meant in OTHER_NAMES["definition"].items():
        if hasattr(kind, name) and _defined_by_user(kind, name):
            log.warning("%s.%s has a meaning in Scrapy only (did you mean %s?)", kind.__name__, name, meant)
    for name, _ in inspect.getmembers(kind, inspect.isfunction):
        if name.startswith("_") or hasattr(Plugin, name) or not _defined_by_user(kind, name):
            continue
        hint = did_you_mean(name, HOOKS, form="{}()", cutoff=0.8)
        if hint and lenient:
            log.warning("%s.%s() is not a hook%s", kind.__name__, name, hint)
        elif hint:
            raise PluginError(f"{kind.__name__}.{name}() is not a hook{hint}")


def _defined_by_user(kind: type, name: str) -> bool:
    """Return whether a class outside this package defines the method."""
    owner = next(base for base in kind.__mro__ if name in vars(base))
    return owner.__module__.partition(".")[0] != "crawler"


def _check_hook(where: str, name: str, method: Any, *, is_callback: bool = False) -> None:
    """Raise `PluginError` if the bound `method` cannot be called as the hook `name`; a callback may take more."""
    if not callable(method):
        raise PluginError(f"{where} must be a method, not {method!r}")
    wrong = _wrong_kind(KINDS[name], method)
    if wrong:
        raise PluginError(f"{where} {wrong}")
    try:
        signature = inspect.signature(method)
        bind = signature.bind_partial if is_callback else signature.bind
        bind(*[None] * ARGUMENTS.get(name, 1))
    except (TypeError, ValueError) as error:
        parameters = ", ".join(inspect.signature(getattr(Plugin, name)).parameters)
        kind = "" if KINDS[name] in ("sync", "any", "task", "context") else "async "
        raise PluginError(f"{where} cannot be called: {error}; write {kind}def {name}({parameters})") from None


def _class_named(name: object) -> str:
    """Return the class of the installed plugin of a name, to end a message; empty if there is none."""
    from crawler.hooks.load import installed  # noqa: PLC0415 - only for a mistake

    if not isinstance(name, str) or name not in installed():
        return ""
    module, _, kind = installed()[name].value.partition(":")
    return f": pass an instance, {kind}() of {module}"


def _wrong_kind(wanted: str, method: Callable[..., Any]) -> str:
    """Return what is wrong with the kind of a function; an empty string if nothing is."""
    is_async, yields_async = inspect.iscoroutinefunction(method), inspect.isasyncgenfunction(method)
    yields = inspect.isgeneratorfunction(method)
    if wanted == "context":
        wrapped_sync = inspect.isgeneratorfunction(inspect.unwrap(method))  # by @contextmanager
        managed = not (is_async or yields_async or yields or wrapped_sync)
        return "" if managed else "must be an async context manager: decorate it with @asynccontextmanager"
    if wanted == "sync":
        if is_async or yields_async:
            return "must not be async: the crawl does not wait for this hook"
        return "must return its result, not yield it" if yields else ""
    if wanted == "task":  # a plain function runs in a worker thread
        return "must not yield: it returns the position to resume from" if yields or yields_async else ""
    if wanted == "async" and not is_async:
        return "must be `async def`" + (" without yield" if yields_async else "")
    return "must be `async def`" if wanted == "produces" and not (is_async or yields_async) else ""
