"""A plugin in ten lines, and a spider that uses it.

::

    python -m crawler run examples/plugin.py -o quotes.jsonl

To use the plugin with another spider, name it by module and class on the command line::

    cd examples
    python -m crawler run quotes.py -p plugin:Tidy -o quotes.jsonl
"""

from quotes import Quotes

from crawler import Drop, Item, Plugin, Response


class Tidy(Plugin):
    """Plugin that collapses white space in texts and drops short texts.

    Parameters:
        least: Minimum length of a text, in characters.
    """

    def __init__(self, least: int = 10) -> None:
        self.least = least

    async def refine(self, item: Item, response: Response) -> Item | Drop:
        """Clean an item before it is stored."""
        text = " ".join(item["text"].split())
        return item | {"text": text} if len(text) >= self.least else Drop("too short")


class TidyQuotes(Quotes):
    """Quotes, cleaned by the plugin."""

    plugins = [Tidy()]
