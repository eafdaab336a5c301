"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

from crawler.cli.arguments import Argument
from crawler.cli.logs import Level

__all__ = ["ArgumentTexts", "BrowserFlag", "LogLevel", "PluginOptions", "SettingTexts", "Url"]

Url = Annotated[str, Argument("An absolute http or https URL.")]
SettingTexts = Annotated[
    tuple[str, ...], Argument("A setting, such as -s delay=1. Repeatable.", "-s", "--setting", metavar="NAME=VALUE")
]
ArgumentTexts = Annotated[
    tuple[str, ...], Argument("An argument of the spider. Repeatable.", "-a", "--argument", metavar="NAME=VALUE")
]
PluginOptions = Annotated[
    tuple[str, ...],
    Argument("An option of a plugin. Repeatable.", "-P", "--plugin-option", metavar="PLUGIN.OPTION=VALUE"),
]
BrowserFlag = Annotated[
    bool, Argument("Render pages in Chromium, as people see them (plugin browser; -P browser.wait=SELECTOR).")
]
LogLevel = Annotated[Level, Argument("The least level of log messages; debug shows every request.", metavar="LEVEL")]
