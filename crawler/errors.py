"""Every exception of the framework, as one tree.

::

    CrawlerError
    ├─ ConfigError        settings, arguments or command line; nothing was started    exit 2
    ├─ PluginError        a plugin breaks its contract; nothing was started           exit 2
    ├─ JobError           the job folder is foreign, in use, or does not fit          exit 2
    ├─ CrawlFailed        the crawl had to end; its cause is an exception group       exit 1
    │  ├─ LeaseLost       other workers have the requests of this one                 exit 1
    │  └─ JobLost         the job that workers share no longer exists                 exit 1
    └─ RequestError       one request failed; the crawl continues
       ├─ FetchError
       │  ├─ ConnectFailed    no connection: DNS, refused, unreachable, TLS           retryable
       │  ├─ FetchTimeout     a deadline passed                                       retryable
       │  └─ BrokenExchange   the peer closed the connection, or sent no valid HTTP   retryable
       │     └─ IncompleteBody  the response was whole, but the file in it stops in the middle
       ├─ BodyTooLarge        the decoded body exceeds its limit
       ├─ BadStatus           a status that was not accepted (.status)
       │  └─ BadRedirect      a redirect that cannot be followed
       ├─ Walled              a wall came in place of the page (.kind: challenge, login, …)
       ├─ Refused             the request was not sent (.by: robots, scope, depth, quota, network)
       ├─ LoggedOut           the page came back logged out, also after a new login
       ├─ WouldExceedDeadline the wait would exceed the caller's deadline
       └─ HookError           a callback or a hook raised (.plugin .hook .is_callback)

During a crawl a `RequestError` ends one request only. The errback of that request gets it as `Failure.error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crawler.printable import printable
from crawler.redaction import redact

if TYPE_CHECKING:
    from crawler.engine.report import Report
    from crawler.messages import Request, Response
    from crawler.outages.failed_attempt import Outage

__all__ = [
    "BadRedirect",
    "BadStatus",
    "BodyTooLarge",
    "BrokenExchange",
    "ConfigError",
    "ConnectFailed",
    "CrawlFailed",
    "CrawlerError",
    "FetchError",
    "FetchTimeout",
    "HookError",
    "IncompleteBody",
    "JobError",
    "JobLost",
    "LeaseLost",
    "LoggedOut",
    "PluginError",
    "Refused",
    "RequestError",
    "Walled",
    "WouldExceedDeadline",
]


class CrawlerError(Exception):
    """Base class of all exceptions that the framework raises.

    Parameters:
        args: What happened, in one line. Passwords, tokens and cookies in a text are hidden.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(redact(part)) if isinstance(part, str) else part for part in args))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


class ConfigError(CrawlerError):
    """A setting, an option or an argument is invalid. Nothing was started."""


class PluginError(CrawlerError):
    """A plugin breaks the contract of its hooks, or cannot be loaded. Nothing was started."""


class JobError(CrawlerError):
    """A job folder belongs to another program, is in use, or does not fit this crawl."""


class CrawlFailed(CrawlerError):
    """The crawl had to end. ``__cause__`` is the exception group that ended it."""

    report: Report | None = None
    """The report of the crawl until then; `None` if it had not begun."""


class LeaseLost(CrawlFailed):
    """A worker has lost its requests: it did not reach the store for too long, or the store has lost its commits."""

    @classmethod
    def after(cls, lease: float) -> LeaseLost:
        """Return the error of a worker whose lease, of so many seconds, has ended."""
        return cls(
            f"this worker did not reach the store of the job for {lease:g} s, so other workers have its requests"
        )

    @classmethod
    def with_commits(cls, shown: str) -> LeaseLost:
        """Return the error of a worker whose commits the server has lost.

        Parameters:
            shown: The job, as it may be shown.
        """
        return cls(
            f"{shown} has lost commits of this worker that it had acknowledged, as after a crash, or a failover to a "
            "server that had not received them: their pages are fetched again"
        )


class JobLost(CrawlFailed):
    """The job that workers share no longer exists: its server has lost all data of it, or somebody has deleted it."""

    @classmethod
    def at(cls, shown: str) -> JobLost:
        """Return the error of a worker of a job.

        Parameters:
            shown: The job, as it may be shown.
        """
        return cls(
            f"{shown} no longer exists: its server has lost the data, or the job was deleted. A worker that starts now "
            "begins a new crawl: let it write to other outputs, or use --overwrite"
        )


class RequestError(CrawlerError):
    """One request failed. The crawl continues.

    Parameters:
        message: What happened, in one line.
        request: The request that failed; `None` if the code that raises does not know it.
        retry_after: Seconds to wait before the next attempt, as the server asked; `None` if it did not ask.
    """

    retryable: bool = False
    """Whether another attempt may succeed."""

    kind: str = ""
    """The exact cause in one word, such as ``refused`` or ``tls_expired``; empty if unknown. The report counts it,
    too."""

    def __init__(self, message: str = "", *, request: Request | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.request = request
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        """The class of failure as the report counts it: ``connect_failed``."""
        return _snake(type(self).__name__)

    @property
    def full_reason(self) -> str:
        """`reason`, with `kind` after a dot if there is one: ``connect_failed.refused``."""
        return f"{self.reason}.{self.kind}" if self.kind else self.reason


class FetchError(RequestError):
    """The exchange with the server failed."""

    retryable = True

    has_response: bool = False
    """Whether the header section of a response had arrived."""

    @property
    def is_refusal(self) -> bool:
        """Whether the server refused the request because of too many requests, as HTTP/2 can without a response."""
        return self.kind == "enhance_your_calm"

    partial: Response | None = None
    """The response with what came of its body, if that was cut and the setting ``incomplete`` keeps it."""

    outage: Outage | None = None
    """The known outage of the host; `None` if the failure counts as an attempt."""


class ConnectFailed(FetchError):
    """No connection was made: the host name has no address, the port is closed, or TLS failed.

    Kinds:

    * ``dns``: the host name has no address; final if the name does not exist;
    * ``refused``, ``unreachable``, ``reset``: the port is closed, there is no route, or the peer reset the connection;
    * ``proxy``: the proxy has no address, or declined;
    * ``tls_expired``, ``tls_host``, ``tls_untrusted``: the certificate is outside its validity period, belongs to
      another host, or is not signed by a trusted authority; final;
    * ``tls_version``: the peers share no TLS version or cipher; final;
    * ``tls``: the handshake failed in another way.
    """


class FetchTimeout(FetchError):
    """Connecting, or the whole exchange, took too long.

    Kinds: ``dns`` (name resolution), ``connect`` (connection and TLS handshake), ``deadline`` (the whole exchange),
    ``read`` and ``write`` (a pause, with transports that limit pauses).
    """


class BrokenExchange(FetchError):
    """The peer closed the connection before the response was complete, or what it sent is not valid HTTP.

    Kinds:

    * ``closed``, ``reset``: the connection ended before the response did, by FIN or by RST;
    * ``incomplete``: the response began, but its body was cut, as its framing or the end of its content coding shows;
    * ``stale``: the server had closed a kept-alive connection, or had sent bytes on it that belong to no response; sent
      again at once, which does not count as an attempt;
    * ``no_http``: the response does not begin with a status line;
    * ``bad_header``: a header line is invalid, such as two different ``Content-Length``; final;
    * ``headers_too_large``: the header section exceeds `max_headers`; final;
    * ``bad_chunk``: the chunk sizes of a chunked body are invalid;
    * ``enhance_your_calm``: the server refused the request by this error code of HTTP/2; a refusal like status 429;
    * ``endless``: framing without content and without end: chunk extensions, empty compressed blocks, empty frames;
    * ``bad_coding``: the compressed body cannot be decoded.
    """


class IncompleteBody(BrokenExchange, ValueError):
    """The file in a response stops in the middle, although the response itself came whole.

    A callback that raises it says that its own page was cut. The page is then fetched again, and after the last attempt
    it fails as ``broken_exchange.incomplete``, or is handled with `Response.complete` false if the setting `incomplete`
    keeps it. `FeedSpider`, `SitemapSpider`, `Response.feed` and `Response.json` raise it, and readers of your own may.
    """

    kind = "incomplete"

    @property
    def reason(self) -> str:
        """The reason of its class: ``broken_exchange``."""
        return "broken_exchange"


class BodyTooLarge(RequestError):
    """The decoded body is larger than `max_body` bytes. The rest was not read.

    Kind: ``bomb``, if a small body decompresses to an excessive size.
    """


class BadStatus(RequestError):
    """The callback does not accept the status of the response.

    Parameters:
        message: What happened, in one line.
        status: The HTTP status code.
        request: The request that failed.
        retry_after: Seconds to wait before the next attempt, as the server asked.
    """

    def __init__(
        self, message: str = "", *, status: int, request: Request | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, request=request, retry_after=retry_after)
        self.status = status

    @property
    def reason(self) -> str:
        """The status as the report counts it: ``status_503``."""
        return f"status_{self.status}"


class BadRedirect(BadStatus):
    """A redirect cannot be followed: it loops, exceeds the limit of redirects, or does not lead to a web URL.

    Parameters:
        message: What happened, in one line.
        status: The HTTP status code.
        reason: ``redirect_loop``, ``too_many_redirects`` or ``bad_redirect``.
        request: The request that failed.
    """

    def __init__(
        self, message: str = "", *, status: int, reason: str = "bad_redirect", request: Request | None = None
    ) -> None:
        super().__init__(message, status=status, request=request)
        self._reason = reason

    @property
    def reason(self) -> str:
        """The class of failure as the report counts it."""
        return self._reason


class Walled(RequestError):
    """A wall came in place of the page: it is not handled, and not asked for again.

    Kinds: ``challenge``, ``login``, ``consent``, ``javascript``, ``parked``; see `Response.wall`.

    Parameters:
        message: What happened, in one line.
        kind: The kind of the wall.
        request: The request that met it.
    """

    def __init__(self, message: str = "", *, kind: str, request: Request | None = None) -> None:
        super().__init__(message, request=request)
        self.kind = kind

    @property
    def reason(self) -> str:
        """The class of failure as the report counts it: ``wall``."""
        return "wall"


class Refused(RequestError):
    """The framework did not send the request.

    Parameters:
        message: What happened, in one line.
        by: What refused it: ``robots``, ``scope``, ``depth``, ``quota``, ``network`` or the name of a plugin.
        request: The request that was refused.
    """

    def __init__(self, message: str = "", *, by: str, request: Request | None = None) -> None:
        super().__init__(message, request=request)
        self.by = self.kind = by


class LoggedOut(RequestError):
    """The page came back logged out, and a new login did not help: the account may not have it. See `Login`."""

    renewed: bool = False
    """Whether the session was renewed meanwhile: the response says nothing about the new one."""


class WouldExceedDeadline(RequestError):
    """The request would have to wait longer than the deadline of the caller's cancel scope allows.

    Parameters:
        message: What happened, in one line.
        retry_at: The earliest start of the request, in seconds since the epoch.
        scope: The lane or budget whose limit causes the wait.
        request: The request that did not start.
    """

    def __init__(self, message: str = "", *, retry_at: float, scope: str, request: Request | None = None) -> None:
        super().__init__(message, request=request)
        self.retry_at = retry_at
        self.scope = scope


class HookError(RequestError):
    """A callback, or a hook of a plugin, raised while it handled a request. ``__cause__`` is what it raised.

    The report counts a callback or errback as ``callback_error``, with the name of the method as its kind, and a hook
    as ``hook_error``.

    Parameters:
        message: What happened, in one line.
        plugin: The name of the spider or plugin.
        hook: The name of the callback or hook.
        request: The request that was being handled.
        is_callback: Whether it is a callback or errback of the spider.
    """

    def __init__(
        self, message: str = "", *, plugin: str, hook: str, request: Request | None = None, is_callback: bool = False
    ) -> None:
        super().__init__(message, request=request)
        self.plugin = plugin
        self.hook = hook
        self.is_callback = is_callback
        if is_callback:
            self.kind = hook

    @property
    def reason(self) -> str:
        """The class of failure as the report counts it: ``callback_error`` or ``hook_error``."""
        return "callback_error" if self.is_callback else "hook_error"


def _snake(name: str) -> str:
    """Convert a class name to snake case: ``ConnectFailed`` to ``connect_failed``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _restore(kind: type[CrawlerError], args: tuple[object, ...], attributes: dict[str, Any]) -> CrawlerError:
    """Return a copy of an error, for `pickle`: the constructors take other arguments than `args`."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error
