"""The settings of Scrapy: those that become settings of the crawl, those that its own objects read, and the others."""

from __future__ import annotations

from typing import Final

__all__ = ["CHANGE_REQUESTS", "IGNORED", "READ", "TAKEN"]

TAKEN: Final = {
    "AUTOTHROTTLE_ENABLED": "slow_start",
    "AUTOTHROTTLE_MAX_DELAY": "backoff_max",
    "AUTOTHROTTLE_START_DELAY": "slow_start",
    "AUTOTHROTTLE_TARGET_CONCURRENCY": "per_host",
    "CONCURRENT_REQUESTS": "workers",
    "CONCURRENT_REQUESTS_PER_DOMAIN": "per_host",
    "CONCURRENT_REQUESTS_PER_IP": "per_host",
    "COOKIES_ENABLED": "cookies",
    "DEFAULT_REQUEST_HEADERS": "headers",
    "DEPTH_PRIORITY": "Request.priority",
    "DOWNLOAD_DELAY": "delay",
    "DOWNLOAD_DELAY_JITTER": "jitter",
    "DOWNLOAD_FAIL_ON_DATALOSS": "incomplete",
    "DOWNLOAD_MAXSIZE": "max_body",
    "DOWNLOAD_SLOTS": "pacing",
    "DOWNLOAD_TIMEOUT": "request_deadline",
    "DOWNLOAD_VERIFY_CERTIFICATES": "tls_verify",
    "HTTPAUTH_DOMAIN": "Request.auth",
    "HTTPAUTH_PASS": "Request.auth",
    "HTTPAUTH_USER": "Request.auth",
    "HTTPCACHE_ALWAYS_STORE": "the plugin cache",
    "HTTPCACHE_DIR": "the plugin cache",
    "HTTPCACHE_ENABLED": "the plugin cache",
    "HTTPCACHE_EXPIRATION_SECS": "the plugin cache",
    "HTTPCACHE_IGNORE_HTTP_CODES": "the plugin cache",
    "HTTPCACHE_POLICY": "the plugin cache",
    "HTTPPROXY_ENABLED": "proxy_env",
    "JOBDIR": "--job",
    "RANDOMIZE_DOWNLOAD_DELAY": "jitter",
    "RETRY_ENABLED": "attempts",
    "RETRY_HTTP_CODES": "attempts",
    "RETRY_PRIORITY_ADJUST": "Request.priority",
    "RETRY_TIMES": "attempts",
    "ROBOTSTXT_OBEY": "obey_robots",
    "SCRAPER_SLOT_MAX_ACTIVE_SIZE": "max_active_size",
    "URLLENGTH_LIMIT": "max_url_length",
    "USER_AGENT": "user_agent",
}
"""Settings that become a setting of the crawl."""

READ: Final = frozenset(
    """
    ADDONS AWS_ACCESS_KEY_ID AWS_ENDPOINT_URL AWS_MAX_POOL_CONNECTIONS AWS_REGION_NAME AWS_SECRET_ACCESS_KEY
    AWS_SESSION_TOKEN AWS_USE_SSL AWS_VERIFY BOT_NAME CLOSESPIDER_ERRORCOUNT CLOSESPIDER_ITEMCOUNT
    CLOSESPIDER_PAGECOUNT CLOSESPIDER_PAGECOUNT_NO_ITEM CLOSESPIDER_TIMEOUT CLOSESPIDER_TIMEOUT_NO_ITEM
    CRAWLSPIDER_FOLLOW_LINKS DEFAULT_DROPITEM_LOG_LEVEL DEFAULT_ITEM_CLASS DEPTH_LIMIT DEPTH_STATS_VERBOSE
    DOWNLOADER_MIDDLEWARES DOWNLOADER_MIDDLEWARES_BASE DOWNLOADER_STATS DOWNLOAD_HANDLERS DOWNLOAD_HANDLERS_BASE
    DUPEFILTER_CLASS EXTENSIONS EXTENSIONS_BASE FEEDS FEED_EXPORTERS FEED_EXPORTERS_BASE
    FEED_EXPORT_BATCH_ITEM_COUNT FEED_EXPORT_ENCODING FEED_EXPORT_FIELDS FEED_EXPORT_INDENT FEED_FORMAT
    FEED_STORAGES FEED_STORAGES_BASE FEED_STORAGE_FTP_ACTIVE FEED_STORAGE_GCS_ACL FEED_STORAGE_S3_ACL
    FEED_STORE_EMPTY FEED_TEMPDIR FEED_URI FEED_URI_PARAMS FILES_EXPIRES FILES_RESULT_FIELD FILES_STORE
    FILES_STORE_GCS_ACL FILES_STORE_S3_ACL FILES_URLS_FIELD FTP_PASSIVE_MODE FTP_PASSWORD FTP_USER GCS_PROJECT_ID
    HTTPERROR_ALLOWED_CODES HTTPERROR_ALLOW_ALL IMAGES_EXPIRES IMAGES_MIN_HEIGHT IMAGES_MIN_WIDTH
    IMAGES_RESULT_FIELD IMAGES_STORE IMAGES_STORE_GCS_ACL IMAGES_STORE_S3_ACL IMAGES_THUMBS IMAGES_URLS_FIELD
    ITEM_PIPELINES ITEM_PIPELINES_BASE ITEM_PROCESSOR LOGSTATS_INTERVAL LOG_FORMATTER LOG_LEVEL MAIL_FROM MAIL_HOST
    MAIL_PASS MAIL_PORT MAIL_SSL MAIL_TLS MAIL_USER MEDIA_ALLOW_REDIRECTS MEMDEBUG_ENABLED
    MEMUSAGE_CHECK_INTERVAL_SECONDS MEMUSAGE_ENABLED MEMUSAGE_LIMIT_MB MEMUSAGE_NOTIFY_MAIL MEMUSAGE_WARNING_MB
    METAREFRESH_ENABLED METAREFRESH_IGNORE_TAGS METAREFRESH_MAXDELAY NEWSPIDER_MODULE PERIODIC_LOG_DELTA
    PERIODIC_LOG_STATS PERIODIC_LOG_TIMING_ENABLED REDIRECT_ENABLED REDIRECT_MAX_TIMES REDIRECT_PRIORITY_ADJUST
    REFERER_ENABLED REFERRER_POLICIES REFERRER_POLICY REQUEST_FINGERPRINTER_CLASS RETRY_EXCEPTIONS
    RETRY_GIVE_UP_LOG_LEVEL SPIDER_LOADER_CLASS SPIDER_LOADER_WARN_ONLY SPIDER_MIDDLEWARES SPIDER_MIDDLEWARES_BASE
    SPIDER_MODULES STATSMAILER_RCPTS STATS_CLASS STATS_DUMP
    """.split()  # noqa: SIM905 - one name a line is too long to read
)
"""Settings that the objects of Scrapy and of the project read, as before."""

_LOOP: Final = "the crawl has an event loop of its own"
_LOGS: Final = "logs go to standard error: --log-level, --log-json"
_DNS: Final = "names are resolved by the system"
_QUEUE: Final = "the frontier of the crawl orders requests, and --job keeps them"
_TLS: Final = "certificates are verified: -s tls_verify=false"
IGNORED: Final = {
    "AJAXCRAWL_ENABLED": "pages with a hash bang are pages like others",
    "ASYNCIO_EVENT_LOOP": _LOOP,
    "AUTOTHROTTLE_DEBUG": "crawler limits URL shows what a server declares",
    "COMMANDS_MODULE": "commands of a project run with Scrapy",
    "COMPRESSION_ENABLED": "compressed bodies are always decoded",
    "CONCURRENT_ITEMS": "the items of a page pass the pipelines in their order",
    "COOKIES_DEBUG": _LOGS,
    "DNSCACHE_ENABLED": _DNS,
    "DNSCACHE_SIZE": _DNS,
    "DNS_RESOLVER": _DNS,
    "DNS_TIMEOUT": _DNS,
    "DOWNLOAD_BIND_ADDRESS": "the system chooses the local address",
    "DOWNLOADER": "the crawl has a downloader of its own",
    "DOWNLOADER_CLIENTCONTEXTFACTORY": _TLS,
    "DOWNLOADER_CLIENT_TLS_CIPHERS": _TLS,
    "DOWNLOADER_CLIENT_TLS_METHOD": _TLS,
    "DOWNLOADER_CLIENT_TLS_VERBOSE_LOGGING": _TLS,
    "DOWNLOADER_HTTPCLIENTFACTORY": "the crawl has a downloader of its own",
    "DOWNLOAD_TLS_MAX_VERSION": _TLS,
    "DOWNLOAD_TLS_MIN_VERSION": _TLS,
    "DOWNLOAD_WARNSIZE": "-s max_body is the only limit",
    "DUPEFILTER_DEBUG": _LOGS,
    "EDITOR": "the crawl edits no files",
    "FORCE_CRAWLER_PROCESS": _LOOP,
    "HTTP2_MAX_FRAME_SIZE": "HTTP/2 is negotiated",
    "HTTPCACHE_DBM_MODULE": "the cache is an SQLite file",
    "HTTPCACHE_GZIP": "the cache is an SQLite file",
    "HTTPCACHE_IGNORE_MISSING": "a page that is not in the cache is fetched",
    "HTTPCACHE_IGNORE_RESPONSE_CACHE_CONTROLS": "the cache keeps every response",
    "HTTPCACHE_IGNORE_SCHEMES": "only http and https are fetched",
    "HTTPCACHE_STORAGE": "the cache is an SQLite file",
    "HTTPPROXY_AUTH_ENCODING": "user and password of a proxy are sent as UTF-8",
    "HTTPX_HTTP2_ENABLED": "HTTP/2 is negotiated",
    "LOG_COLOR": _LOGS,
    "LOG_DATEFORMAT": _LOGS,
    "LOG_ENABLED": _LOGS,
    "LOG_ENCODING": _LOGS,
    "LOG_FILE": _LOGS,
    "LOG_FILE_APPEND": _LOGS,
    "LOG_FORMAT": _LOGS,
    "LOG_INSTALL_ROOT_HANDLER": _LOGS,
    "LOG_SHORT_NAMES": _LOGS,
    "LOG_STDOUT": _LOGS,
    "LOG_VERSIONS": _LOGS,
    "MEMDEBUG_NOTIFY": "the report has peak_rss",
    "REACTOR_THREADPOOL_MAXSIZE": _LOOP,
    "REMOTE_CONTROL_ENABLED": "crawler job DIR and --ui show a running crawl",
    "REMOTE_CONTROL_JOBS_DIR": "crawler job DIR and --ui show a running crawl",
    "REMOTE_CONTROL_OUTPUT_MAX_BYTES": "crawler job DIR and --ui show a running crawl",
    "REMOTE_CONTROL_TIMEOUT_DEFAULT": "crawler job DIR and --ui show a running crawl",
    "REMOTE_CONTROL_TIMEOUT_MAX": "crawler job DIR and --ui show a running crawl",
    "REMOTE_CONTROL_TRACEBACK_MAX_BYTES": "crawler job DIR and --ui show a running crawl",
    "REQUEST_FINGERPRINTER_IMPLEMENTATION": _QUEUE,
    "ROBOTSTXT_PARSER": "robots.txt is read by RFC 9309",
    "ROBOTSTXT_USER_AGENT": "the product token of USER_AGENT selects the group",
    "SCHEDULER": _QUEUE,
    "SCHEDULER_DEBUG": _LOGS,
    "SCHEDULER_DISK_QUEUE": _QUEUE,
    "SCHEDULER_MEMORY_QUEUE": _QUEUE,
    "SCHEDULER_PRIORITY_QUEUE": _QUEUE,
    "SCHEDULER_START_DISK_QUEUE": _QUEUE,
    "SCHEDULER_START_MEMORY_QUEUE": _QUEUE,
    "SPIDER_CONTRACTS": "scrapy check runs contracts",
    "SPIDER_CONTRACTS_BASE": "scrapy check runs contracts",
    "TELNETCONSOLE_ENABLED": "crawler job DIR and --ui show a running crawl",
    "TELNETCONSOLE_HOST": "crawler job DIR and --ui show a running crawl",
    "TELNETCONSOLE_PASSWORD": "crawler job DIR and --ui show a running crawl",
    "TELNETCONSOLE_PORT": "crawler job DIR and --ui show a running crawl",
    "TELNETCONSOLE_USERNAME": "crawler job DIR and --ui show a running crawl",
    "TEMPLATES_DIR": "scrapy startproject and genspider read it",
    "TWISTED_DNS_RESOLVER": _DNS,
    "TWISTED_REACTOR": _LOOP,
    "TWISTED_REACTOR_ENABLED": _LOOP,
    "WARN_ON_GENERATOR_RETURN_VALUE": _LOGS,
}
"""Settings without effect, with the reason or what to use instead."""

CHANGE_REQUESTS: Final = frozenset(
    """
    DNS_RESOLVER DOWNLOADER DOWNLOADER_CLIENTCONTEXTFACTORY DOWNLOADER_CLIENT_TLS_CIPHERS DOWNLOADER_CLIENT_TLS_METHOD
    DOWNLOADER_HTTPCLIENTFACTORY DOWNLOAD_BIND_ADDRESS DOWNLOAD_TLS_MAX_VERSION DOWNLOAD_TLS_MIN_VERSION
    HTTPCACHE_IGNORE_MISSING HTTPCACHE_IGNORE_SCHEMES ROBOTSTXT_USER_AGENT TWISTED_DNS_RESOLVER
    """.split()  # noqa: SIM905 - one name a line is too long to read
)
"""Those of them without which other requests are sent, or from elsewhere: the log warns of each."""
