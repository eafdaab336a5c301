"""A plugin in ten lines, and a spider that brings it along.

::

    python -m crawler run examples/plugin.py -o quotes.jsonl

Any other spider can have it from the command line, with or without its option::

    cd examples
    python -m crawler run quotes.py -p plugin:Tidy -P tidy.least=20 -o quotes.jsonl
"""

from quotes import Quotes

from crawler import Drop, Item, Plugin, Response


class Tidy(Plugin):
    """Folds white space in texts; those with fewer letters than `least` are dropped."""

    def __init__(self, least: int = 1) -> None:
        self.least = least

    async def refine(self, item: Item, response: Response) -> Item | Drop:
        """Sees every item before it is kept."""
        text = " ".join(item["text"].split())
        return item | {"text": text} if len(text) >= self.least else Drop("too short")


class TidyQuotes(Quotes):
    """The quotes, tidied."""

    plugins = [Tidy()]
