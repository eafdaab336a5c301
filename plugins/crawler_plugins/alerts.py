"""`Alerts`: sends alerts about events to a command and a webhook, in a crawl or a client."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import attrs
import msgspec
import trio

from crawler import ConfigError, QuotaEvent, Request, client

__all__ = ["Alert", "Alerts"]

MAX_WAITING: Final = 100
"""Number of alerts that may wait to be sent. Further ones are only logged."""
COMMAND_TIMEOUT: Final = 30.0
"""Seconds after which a command is terminated."""
WEBHOOK_TIMEOUT: Final = 120.0
"""Seconds for one alert to the webhook, with all its attempts."""
AT_END: Final = 10.0
"""Seconds for the alerts that still wait when the crawl ends."""
EVENTS: Final = {
    "forecast": "will be used up before it resets",
    "low": "is low",
    "critical": "will be used up by the requests in flight",
    "policy_changed": "was changed by the server",
}
"""How a text describes the events of a quota."""
log = logging.getLogger("crawler.quota")


@attrs.frozen(kw_only=True)
class Alert:
    """One event, as commands and webhooks get it: a JSON object of the fields that are known."""

    text: str
    """The event in one line. Slack, Mattermost and others show this field."""
    event: str
    """Kind of the event: ``low``, ``forecast``, ``critical``, ``recovered``, ``policy_changed``."""
    scope: str
    """The lane or budget."""
    policy: str = ""
    """Name of the policy; empty if the event concerns the lane or budget as a whole."""
    limit: float | None = None
    """Units per window."""
    remaining: float | None = None
    """Units left."""
    reset_at: float | None = None
    """When the quota is restored, in seconds since the epoch."""
    breach_at: float | None = None
    """When the quota will be used up at the current rate, in seconds since the epoch."""
    spider: str = ""
    """The name of the spider; empty for a client."""

    def payload(self) -> dict[str, Any]:
        """Return the fields that are known."""
        return attrs.asdict(self, filter=lambda _, value: value not in (None, ""))


class Alerts:
    """Sends alerts one after the other, in a task of its own: neither the crawl nor its limits wait for them.

    A command gets the alert as JSON on standard input. A webhook gets it as the JSON body of a POST, from a client with
    limits of its own: one request per second at most, repeated up to five times with backoff. Its URL is a secret and
    is never logged.

    Parameters:
        owner: How errors name the owner: ``quota``.
        command: A command with its arguments; no shell interprets it. Empty: none.
        shell: Whether ``/bin/sh`` runs the command.
        webhook: A URL. Empty: none.
        transport: The httpx transport of the webhook; `None` means libcurl.

    Raises:
        ConfigError: The command does not exist, or the webhook is not a URL.
    """

    def __init__(
        self, owner: str, *, command: str = "", shell: bool = False, webhook: str = "", transport: Any = None
    ) -> None:
        self._owner = owner
        self._command = _arguments(owner, command, shell=shell)
        self._webhook, self._host = _url_and_host(owner, webhook) if webhook else ("", "")
        self._transport = transport
        self._waiting: trio.MemorySendChannel[Alert] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send alerts while the block runs. At its end, those that wait have 10 seconds."""
        if not self._command and not self._webhook:
            yield
            return
        self._waiting, alerts = trio.open_memory_channel[Alert](MAX_WAITING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver, alerts)
            try:
                yield
            finally:
                self._waiting.close()
                self._waiting = None
                nursery.cancel_scope.deadline = trio.current_time() + AT_END
        if nursery.cancel_scope.cancelled_caught:
            log.warning("%s: some alerts were not sent within %g s", self._owner, AT_END)

    def send(self, alert: Alert) -> None:
        """Log an alert, and send it soon."""
        log.warning("%s", alert.text)
        if self._waiting is not None:
            try:
                self._waiting.send_nowait(alert)
            except trio.WouldBlock:
                log.warning("%s: %d alerts wait to be sent, so this one is only logged", self._owner, MAX_WAITING)

    def on_event(self, event: QuotaEvent) -> None:
        """Send an alert for an event of a `crawler.client`: ``client(on_event=alerts.on_event)``."""
        if event.kind in EVENTS or event.kind == "recovered":
            self.send(alert_of(event, event.scope))

    async def _deliver(self, alerts: trio.MemoryReceiveChannel[Alert]) -> None:
        if not self._webhook:
            async for alert in alerts:
                await self._run_command(alert)
            return
        quiet = _Quiet(self._webhook)  # httpx logs the URL of each request
        logging.getLogger("httpx").addFilter(quiet)
        try:
            async with client(rate="1/s", attempts=5, transport=self._transport) as http:
                async for alert in alerts:
                    if self._command:
                        await self._run_command(alert)
                    await self._post(http, alert)
        finally:
            logging.getLogger("httpx").removeFilter(quiet)

    async def _run_command(self, alert: Alert) -> None:
        data = msgspec.json.encode(alert.payload()) + b"\n"
        name = self._command[0]
        with trio.move_on_after(COMMAND_TIMEOUT) as scope:  # noqa: ASYNC912 - `run_process` waits
            try:
                done = await trio.run_process(
                    self._command, stdin=data, stdout=subprocess.DEVNULL, capture_stderr=True, check=False
                )
            except OSError as error:
                log.warning("%s: the command %s cannot be run: %s", self._owner, name, error.strerror)
                return
            if done.returncode:
                last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
                log.warning("%s: the command %s ended with code %d: %s", self._owner, name, done.returncode, last)
        if scope.cancelled_caught:
            log.warning("%s: the command %s was ended after %g s", self._owner, name, COMMAND_TIMEOUT)

    async def _post(self, http: Any, alert: Alert) -> None:
        import httpx  # noqa: PLC0415 - the client has imported it

        problem = f"did not answer within {WEBHOOK_TIMEOUT:g} s"
        with trio.move_on_after(WEBHOOK_TIMEOUT):  # noqa: ASYNC912 - `post` waits
            try:
                # The key says that the request may be repeated although it is a POST.
                headers = {"Idempotency-Key": uuid.uuid4().hex}
                response = await http.post(self._webhook, json=alert.payload(), headers=headers)
                problem = "" if response.is_success else f"answered with status {response.status_code}"
            except httpx.HTTPError as error:  # its message may contain the URL
                problem = f"failed: {type(error).__name__}"
        if problem:
            log.warning("%s: the webhook at %s %s", self._owner, self._host, problem)


class _Quiet(logging.Filter):
    """Leaves out the records of httpx that show the URL of a webhook."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record may be shown."""
        return not any(str(value) == self._url for value in record.args or ())


def alert_of(event: QuotaEvent, scope: str, spider: str = "") -> Alert:
    """Return the alert for an event of a quota."""
    return Alert(
        text=_text(event, scope),
        event=event.kind,
        scope=scope,
        policy=event.policy,
        limit=event.limit,
        remaining=event.remaining,
        reset_at=event.reset_at,
        breach_at=event.breach_at,
        spider=spider,
    )


def _text(event: QuotaEvent, scope: str) -> str:
    if event.kind == "recovered":
        return f"{scope} accepts requests again"
    limit = f" of {event.limit:g}" if event.limit is not None else ""
    left = f", {event.remaining:g} left" if event.remaining is not None else ""
    share = f" ({event.remaining / event.limit:.0%})" if event.remaining is not None and event.limit else ""
    breach = f", used up at {_clock(event.breach_at)}" if event.breach_at is not None else ""
    reset = f", resets at {_clock(event.reset_at)}" if event.reset_at is not None else ""
    return f"{scope}: quota {event.policy}{limit} {EVENTS.get(event.kind, event.kind)}{left}{share}{breach}{reset}"


def _clock(at: float) -> str:
    """Return a time of day in the local time zone, with the date unless it is near."""
    day = time.strftime("%Y-%m-%d ", time.localtime(at)) if abs(at - time.time()) > 43_200 else ""
    return day + time.strftime("%H:%M:%S", time.localtime(at))


def _arguments(owner: str, command: str, *, shell: bool) -> list[str]:
    """Return a command as a list of arguments; empty if there is none."""
    if shell:
        return ["/bin/sh", "-c", command] if command else []
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"{owner}: command cannot be split into arguments: {str(error).lower()}") from None
    if arguments and shutil.which(arguments[0]) is None:
        raise ConfigError(f"{owner}: command: no such program: {arguments[0]}")
    return arguments


def _url_and_host(owner: str, webhook: str) -> tuple[str, str]:
    """Return the URL of a webhook as httpx writes it, and its host, which may be shown."""
    import httpx  # noqa: PLC0415 - only a webhook needs it

    with suppress(httpx.InvalidURL, ValueError):
        url = httpx.URL(Request(webhook).url)
        if url.scheme in ("http", "https") and url.host:
            return str(url), url.host
    raise ConfigError(f"{owner}: webhook must be an http or https URL") from None
