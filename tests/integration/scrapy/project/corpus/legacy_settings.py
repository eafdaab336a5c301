"""Settings of the spiders that use names which Scrapy has removed."""

from corpus.settings import *  # noqa: F403 - as projects do it

SPIDER_MODULES = ["corpus.legacy"]
