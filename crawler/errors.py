"""Every error of the framework, as one tree.

::

    CrawlerError
    ├─ ConfigError        settings or command line; nothing was started           exit 2
    ├─ PluginError        a plugin broke its contract; nothing was started        exit 2
    ├─ JobError           the job directory is not ours, is in use, does not fit  exit 2
    ├─ CrawlFailed        the crawl could not go on; raised from the group        exit 1
    └─ RequestError       one request; the crawl goes on
       ├─ FetchError
       │  ├─ ConnectFailed    no connection: refused, unreachable, name, TLS      retryable
       │  ├─ FetchTimeout     a deadline passed                                   retryable
       │  └─ BrokenExchange   the peer broke off or spoke no HTTP                 retryable
       ├─ BodyTooLarge        the decoded body passed its cap
       ├─ BadStatus           a status that was not accepted (.status)
       │  └─ BadRedirect      a redirect that leads nowhere
       ├─ Refused             we did not ask (.by: robots, scope, depth, quota, network)
       ├─ WouldExceedDeadline a wait longer than the caller's deadline
       └─ HookError           a callback or a hook raised (.plugin .hook)

A `RequestError` never leaves a worker: it becomes a `Failure`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.messages import Request

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
    "JobError",
    "PluginError",
    "Refused",
    "RequestError",
    "WouldExceedDeadline",
]


class CrawlerError(Exception):
    """The root of every error that the framework raises."""


class ConfigError(CrawlerError):
    """A setting, an option or an argument is wrong. Nothing was started."""


class PluginError(CrawlerError):
    """A plugin broke the contract of its hooks, or cannot be loaded. Nothing was started."""


class JobError(CrawlerError):
    """A job directory is not one of ours, is in use, or does not fit this crawl."""


class CrawlFailed(CrawlerError):
    """The crawl could not go on. Raised from the exception group that ended it."""


class RequestError(CrawlerError):
    """One request could not be answered. The crawl goes on.

    Parameters:
        message: what happened, one line.
        request: the request it is about; filled in by whoever knows it.
        retry_after: seconds to wait before the next attempt, when the server said so.
    """

    retryable: bool = False
    """Whether another attempt may help."""

    kind: str = ""
    """What exactly, in one word, where that is known: ``refused``, ``tls_expired``; the report counts it too."""

    def __init__(self, message: str = "", *, request: Request | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.request = request
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        """The kind of failure, as it is counted in the report."""
        return _snake(type(self).__name__)

    @property
    def full_reason(self) -> str:
        """`reason` and, behind a dot, the finer `kind` where there is one: ``connect_failed.refused``."""
        return f"{self.reason}.{self.kind}" if self.kind else self.reason


class FetchError(RequestError):
    """The exchange with the server failed."""

    retryable = True


class ConnectFailed(FetchError):
    """No connection: the name is unknown, the port is closed, TLS was refused.

    Kinds:

    * ``dns``: the host name has no address; final where the answer is that there is no such name;
    * ``refused``, ``unreachable``, ``reset``: nobody listens, there is no way, it broke off;
    * ``proxy``: the proxy has no address, or declined;
    * ``tls_expired``, ``tls_host``, ``tls_untrusted``: the certificate does not hold (any more, or yet), is that of
      another host, or nobody who is trusted has signed it; final;
    * ``tls_version``: no version or cipher of TLS in common; final;
    * ``tls``: the handshake failed in another way.
    """


class FetchTimeout(FetchError):
    """The connection or the whole exchange took longer than it may.

    Kinds: ``dns`` (the look-up of the name), ``connect`` (connection and TLS handshake), ``deadline`` (the whole
    exchange), ``read`` and ``write`` (a pause, where the transport has such a limit).
    """


class BrokenExchange(FetchError):
    """The peer broke off in the middle, or what it sent is not HTTP.

    Kinds:

    * ``closed``, ``reset``: the connection ended before the answer did, in peace or by RST;
    * ``stale``: a kept connection that the server had closed meanwhile; asked again at once, which is no attempt;
    * ``no_http``: what came begins with no status line;
    * ``bad_header``: a header line that cannot be read, such as two different ``Content-Length``; final;
    * ``headers_too_large``: more header lines than `max_headers` allows; final;
    * ``bad_chunk``: a chunked body whose sizes are wrong;
    * ``bad_coding``: a compressed body that cannot be decoded; final.
    """


class BodyTooLarge(RequestError):
    """The decoded body is larger than `max_body` bytes; the rest was not read.

    Kind: ``bomb``, where a little unpacks to far too much.
    """


class BadStatus(RequestError):
    """A status that the callback does not accept.

    Parameters:
        message: what happened, one line.
        status: the HTTP status code.
    """

    def __init__(
        self, message: str = "", *, status: int, request: Request | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, request=request, retry_after=retry_after)
        self.status = status

    @property
    def reason(self) -> str:
        """The status, as it is counted in the report: ``status_503``."""
        return f"status_{self.status}"


class BadRedirect(BadStatus):
    """A redirect that leads nowhere: in a circle, on and on, or to what is no web URL.

    Parameters:
        message: what happened, one line.
        status: the HTTP status code.
        reason: the kind of failure: ``redirect_loop``, ``too_many_redirects`` or ``bad_redirect``.
    """

    def __init__(
        self, message: str = "", *, status: int, reason: str = "bad_redirect", request: Request | None = None
    ) -> None:
        super().__init__(message, status=status, request=request)
        self._reason = reason

    @property
    def reason(self) -> str:
        """The kind of failure, as it is counted in the report."""
        return self._reason


class Refused(RequestError):
    """The framework did not send the request.

    Parameters:
        message: what happened, one line.
        by: who refused: ``robots``, ``scope``, ``depth``, ``quota``, ``network`` or a plugin's name.
    """

    def __init__(self, message: str = "", *, by: str, request: Request | None = None) -> None:
        super().__init__(message, request=request)
        self.by = self.kind = by


class WouldExceedDeadline(RequestError):
    """Waiting for a turn would take longer than the deadline of the caller's cancel scope.

    Parameters:
        message: what happened, one line.
        retry_at: seconds since the epoch at which the request may start.
        scope: the lane or budget that has to be waited for.
    """

    def __init__(self, message: str = "", *, retry_at: float, scope: str, request: Request | None = None) -> None:
        super().__init__(message, request=request)
        self.retry_at = retry_at
        self.scope = scope


class HookError(RequestError):
    """A callback, or a hook of a plugin, raised while it handled this request.

    Parameters:
        message: what happened, one line.
        plugin: the name of the spider or plugin.
        hook: the name of the callback or hook.
    """

    def __init__(self, message: str = "", *, plugin: str, hook: str, request: Request | None = None) -> None:
        super().__init__(message, request=request)
        self.plugin = plugin
        self.hook = hook


def _snake(name: str) -> str:
    """`ConnectFailed` as ``connect_failed``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
