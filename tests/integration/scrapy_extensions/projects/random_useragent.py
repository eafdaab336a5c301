from pathlib import Path

from shop import Shop

Path("agents.txt").write_text("Mozilla/5.0 (X11; Linux x86_64) First\nMozilla/5.0 (X11; Linux x86_64) Second\n")
USER_AGENT_LIST = "agents.txt"
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.useragent.UserAgentMiddleware": None,
    "random_useragent.RandomUserAgentMiddleware": 400,
}


class Spider(Shop):
    name = "random_useragent"
