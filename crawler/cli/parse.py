"""``crawler parse``: print what a callback yields for one page."""

from __future__ import annotations

from typing import Annotated

import msgspec

from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration, parse_pairs
from crawler.cli.logs import log_to_stderr, plural, say
from crawler.cli.one_callback import run_callback
from crawler.cli.options import ArgumentTexts, LogLevel, SettingTexts, Url
from crawler.cli.standard_streams import show, write
from crawler.cli.target import check_url, make_spider
from crawler.errors import ConfigError
from crawler.messages import Request
from crawler.settings import Settings
from crawler.suggest import did_you_mean

__all__ = ["parse"]


def parse(
    url: Url,
    /,
    *,
    spider: Annotated[str, Argument("The spider: FILE.py, FILE.py:Class or MODULE:Class.", metavar="TARGET")],
    callback: Annotated[
        str, Argument("The method that handles the page.", "-c", "--callback", metavar="NAME")
    ] = "parse",
    json: Annotated[bool, Argument('Print a JSON object per line: {"item": …} or {"request": …}.')] = False,
    argument: ArgumentTexts = (),
    setting: SettingTexts = (),
    log_level: LogLevel = "error",
) -> int:
    """Fetch a page, and print what a callback of a spider yields.

    Example: crawler parse https://quotes.example/ --spider quotes.py
    """
    log_to_stderr(log_level)
    configuration = Configuration.load(settings=setting, arguments=parse_pairs(argument, "-a"))
    request = Request(check_url(url))
    made = make_spider(spider, configuration.arguments)
    if not callable(getattr(made, callback, None)):
        methods = [name for name in dir(type(made)) if callable(getattr(type(made), name)) and not name.startswith("_")]
        raise ConfigError(f"{spider} has no method {callback!r}{did_you_mean(callback, methods)}")
    outcome = run_callback(
        made,
        request.replace(callback=callback),
        settings=Settings(grace=0.0, outage_patience=0.0) | configuration.settings,
        plugins=configuration.plugins,
    )
    if outcome.failure is not None:
        raise outcome.failure.error
    if json:
        lines = [{"item": item} for item in outcome.items]
        lines += [_described(made_request) for made_request in outcome.requests]
        write("".join(msgspec.json.encode(line).decode() + "\n" for line in lines))
        return 0
    write("".join(f"item     {msgspec.json.encode(item).decode()}\n" for item in outcome.items))
    show(f"request  {made_request.url}  {made_request.callback or 'parse'}" for made_request in outcome.requests)
    say(f"{plural(len(outcome.items), 'item')} and {plural(len(outcome.requests), 'request')} from {callback}\n")
    return 0


def _described(request: Request) -> dict[str, dict[str, str]]:
    return {"request": {"url": request.url, "method": request.method, "callback": str(request.callback or "parse")}}
