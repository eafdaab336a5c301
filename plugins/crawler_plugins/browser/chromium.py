"""`run_chromium`: a Chromium process that is driven over two pipes. It opens no port, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import IO, Final

import trio

from crawler import ConfigError, CrawlFailed
from crawler_plugins.browser.cdp import CommandFailed, Connection, PipeChannel

__all__ = ["Chromium", "find_executable", "run_chromium"]

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Names of Chromium and its relatives, in the order in which they are tried."""
FLAGS: Final = (
    "--headless=new", "--remote-debugging-pipe", "--block-new-web-contents", "--disable-background-networking",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-breakpad",
    "--disable-component-update", "--disable-crash-reporter", "--disable-default-apps", "--disable-dev-shm-usage",
    "--disable-extensions", "--disable-gpu", "--disable-ipc-flooding-protection", "--disable-quic",
    "--disable-renderer-backgrounding", "--disable-site-isolation-trials", "--disable-sync", "--hide-scrollbars",
    "--log-level=3", "--metrics-recording-only", "--mute-audio", "--no-default-browser-check", "--no-first-run",
    "--no-service-autorun", "--password-store=basic",
    "--disable-features=BackForwardCache,IsolateOrigins,MediaRouter,Prerender2,Translate,site-per-process",
)  # fmt: skip
"""Site isolation is off, so that the frames of a page belong to the session of its tab."""
NO_NETWORK: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=http://0.0.0.0:1", "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)  # fmt: skip
"""No name resolves, and the only proxy refuses: whatever the crawl does not answer fails, WebSockets and WebRTC too."""
SCRIPT: Final = '"$@" & exec 3<&- 4>&-; wait $!; rm -rf -- "$BROWSER_PROFILE"'
"""The shell outlives the browser, which ends when its pipe is closed, even by a kill of this process, and then deletes
the profile."""
START_SECONDS: Final = 30.0
"""Seconds in which a browser must start."""
END_SECONDS: Final = 3.0
"""Seconds in which a browser must end, or it is killed."""
log = logging.getLogger("crawler.plugins.browser")


class Chromium:
    """A running browser.

    Parameters:
        connection: The connection to it.
        pid: Number of its process group; 0: it runs elsewhere.
        version: Such as ``Chrome/140.0.7339.80``.
    """

    def __init__(self, connection: Connection, pid: int, version: str) -> None:
        self.connection = connection
        self.pid = pid
        self.version = version
        self.closing = trio.Event()
        """Set to end the browser."""


def find_executable(given: str) -> str:
    """Return the path of the browser.

    Parameters:
        given: A path or a name; empty: ``CRAWLER_BROWSER``, or the first of `NAMES` that is installed.

    Raises:
        ConfigError: There is no such program.
    """
    wanted = given or os.environ.get("CRAWLER_BROWSER", "")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            where = "executable" if given else "CRAWLER_BROWSER"
            raise ConfigError(f"browser: {where}: no such program: {wanted}")
        return found
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise ConfigError(
        "browser: no Chromium found: install one (apt install chromium), or name one with -P browser.executable=PATH"
    )


async def run_chromium(  # noqa: ASYNC114 - a task of a pool, not of a context manager
    executable: str,
    flags: Sequence[str] = (),
    *,
    task_status: trio.TaskStatus[Chromium] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a browser until its `closing` is set, it ends, or the task is cancelled.

    Parameters:
        executable: Its path.
        flags: Arguments in addition to `FLAGS`.
        task_status: Gets the browser when it has started.

    Raises:
        CrawlFailed: It did not start.
    """
    if not hasattr(os, "pidfd_open"):
        raise CrawlFailed("browser: Chromium is started on Linux only: start one yourself, and name it by browser.url")
    profile = tempfile.mkdtemp(prefix="crawler-browser-")
    with tempfile.TemporaryFile() as errors:
        pid, ended = 0, -1
        try:
            command = [executable, *FLAGS, *flags, f"--user-data-dir={profile}"]
            pid, commands, events = _spawn(command, profile, errors.fileno())
            ended = os.pidfd_open(pid)
            async with trio.lowlevel.FdStream(commands) as out, trio.lowlevel.FdStream(events) as into:
                connection = Connection(PipeChannel(out, into))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connection.run)
                    version = await _version(connection)
                    if version:
                        browser = Chromium(connection, pid, version)
                        log.debug("%s runs as process %d", version, pid)
                        task_status.started(browser)
                        await _wait_for_end(browser, ended)
                        connection.post("Browser.close")
                        with trio.move_on_after(END_SECONDS):
                            await trio.lowlevel.wait_readable(ended)
                    nursery.cancel_scope.cancel(reason="the browser has ended")
            if not version:  # raised in the nursery, it would be a group
                raise CrawlFailed(f"browser: Chromium did not start: {_last_line(errors)}")
        finally:
            with trio.CancelScope(shield=True):
                if pid:
                    await _end(pid, ended)
                await trio.to_thread.run_sync(shutil.rmtree, profile, True)


async def _version(connection: Connection) -> str:
    """Return the version of a browser that was started; an empty string if it does not say it in time."""
    with trio.move_on_after(START_SECONDS), suppress(CommandFailed):
        return str((await connection.call("Browser.getVersion"))["product"])
    return ""


async def _wait_for_end(browser: Chromium, ended: int) -> None:
    """Wait until a browser is to end, or has ended."""
    async with trio.open_nursery() as nursery:

        async def wait_for_process() -> None:
            await trio.lowlevel.wait_readable(ended)
            browser.closing.set()

        nursery.start_soon(wait_for_process)
        await browser.closing.wait()
        nursery.cancel_scope.cancel(reason="the browser is to end")


def _spawn(command: Sequence[str], profile: str, errors: int) -> tuple[int, int, int]:
    """Start a browser in a process group of its own. Return its number, and the pipes of commands and events.

    Parameters:
        command: The program and its arguments.
        profile: The folder that the shell deletes when the browser has ended.
        errors: The file descriptor of its standard error.
    """
    with ExitStack() as stack:
        theirs_in, commands = os.pipe()
        events, theirs_out = os.pipe()
        for descriptor in (theirs_in, theirs_out):
            stack.callback(os.close, descriptor)
        # Numbers from 10 on cannot be overwritten while 3 and 4 are set.
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10) for descriptor in (theirs_in, theirs_out)]
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in (*high, null):
            stack.callback(os.close, descriptor)
        places = ((null, 0), (null, 1), (errors, 2), (high[0], 3), (high[1], 4))
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", SCRIPT, "sh", *command],
            {**os.environ, "BROWSER_PROFILE": profile},
            file_actions=[(os.POSIX_SPAWN_DUP2, here, there) for here, there in places],
            setpgroup=0,
        )
    return pid, commands, events


async def _end(pid: int, ended: int) -> None:
    """Kill the process group of a browser, and wait for its first process."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if ended >= 0:
        await trio.lowlevel.wait_readable(ended)
        os.close(ended)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it has ended


def _last_line(errors: IO[bytes]) -> str:
    """Return the last line that a browser has written to its standard error."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else f"no answer within {START_SECONDS:.0f} s"
