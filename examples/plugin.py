"""A plugin in ten lines, and a spider that brings it along.

::

    python -m crawler run examples/plugin.py -o quotes.jsonl

Any other spider can have it from the command line, where it is named by module and class::

    cd examples
    python -m crawler run quotes.py -p plugin:Tidy -o quotes.jsonl
"""

from quotes import Quotes

from crawler import Drop, Item, Plugin, Response


class Tidy(Plugin):
    """Folds white space in texts; those of less than ten letters are dropped."""

    async def refine(self, item: Item, response: Response) -> Item | Drop:
        """Sees every item before it is kept."""
        text = " ".join(item["text"].split())
        return item | {"text": text} if len(text) >= 10 else Drop("too short")


class TidyQuotes(Quotes):
    """The quotes, tidied."""

    plugins = [Tidy()]
