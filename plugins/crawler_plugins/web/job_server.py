"""`JobServer`: starts, stops and resumes the crawls of jobs, each in a process of its own."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import trio

from crawler import ConfigError, Settings
from crawler.cli import FoundSpider, compared, did_you_mean, export_items, find_spiders
from crawler.store import inspect_job, runs_of
from crawler_plugins.web.child import Child
from crawler_plugins.web.job_folders import JobEntry, JobFolders, JobSource, State

__all__ = ["JobServer"]

FAILED: Final = (1, 2)
"""Exit codes of a crawl that failed or could not begin."""
log = logging.getLogger("crawler.plugins.web")


class JobServer:
    """Runs the crawls of the jobs in some folders, so many at once. They end with `run`, and can be resumed."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        spiders: Path,
        max_running: int = 1,
        host: str = "127.0.0.1",
        start: Callable[[Sequence[str], Path, Path], Awaitable[Child]] = Child.start,
    ) -> None:
        if not spiders.is_dir():
            raise ConfigError(f"no such folder: {spiders}")
        self.folders = JobFolders(folders)
        self.project = spiders.resolve().name or "default"
        """The name of the folder with the spiders."""
        self._spiders = spiders.resolve()
        self._max_running = max_running
        self._page = f"[{host}]:0" if ":" in host else f"{host}:0"
        self._start = start
        self._running: dict[Path, Child | None] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run crawls until cancelled, beginning with those that an earlier server left pending."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._start_pending()
            task_status.started()
            await trio.sleep_forever()

    # ---- what is known -----------------------------------------------------------------------------------------------

    def spiders(self) -> dict[str, FoundSpider]:
        """Return the spiders by name."""
        return {spider.name: spider for spider in find_spiders(self._spiders)}

    def jobs(self) -> list[JobEntry]:
        """Return all jobs, the latest first."""
        return self.folders.entries(self._numbers())

    def job(self, name: str) -> dict[str, Any]:
        """Return the details of one job: its state, its arguments, its runs, its failures and its last messages."""
        folder = self.folders.folder(name)
        entry = self.folders.entry(name, folder, self._numbers())
        found: dict[str, Any] = {"job": entry, "log": self.folders.log(folder), "arguments": {}, "failures": {}}
        if not entry.runs:
            return found | {"runs": []}
        state = inspect_job(folder)
        known = {"arguments": state.arguments, "failures": state.failed_by_reason, "waiting": state.waiting_by_lane}
        return found | known | {"runs": list(compared(runs_of(folder)))}

    def page(self, name: str) -> str:
        """Return the address of the web page of a crawl that runs, with its token."""
        return self.folders.page(name, self._numbers())

    async def export(self, name: str, ending: str) -> tuple[Path, TemporaryDirectory[str]]:
        """Write the items of a job to a new file. Return it, and the folder to remove when it has been read."""
        folder = self.folders.folder(name)
        if "/" in ending or "%" in ending:
            raise ConfigError(f"no output for the file ending .{ending}")
        made = TemporaryDirectory(prefix="crawler-export-")
        try:
            path = Path(made.name) / f"{folder.name}.{ending}"
            await export_items(folder, str(path), overwrite=False)
        except BaseException:
            made.cleanup()
            raise
        return path, made

    # ---- what is done ------------------------------------------------------------------------------------------------

    def schedule(
        self, spider: str, arguments: Mapping[str, str], settings: Mapping[str, str], name: str | None = None
    ) -> str:
        """Schedule a new job, and return its name."""
        Settings.from_strings(dict(settings))
        for argument, value in arguments.items():
            if not argument or "=" in argument or "\0" in argument + value:
                raise ConfigError(
                    f"not an argument: {argument!r} (its name must not contain =, nor its value a NUL character)"
                )
        found = self._spider(spider)
        if name is None:
            at = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
            name = (
                f"{''.join(c if c.isalnum() and c.isascii() else '-' for c in spider)[:60]}-{at}-{secrets.token_hex(2)}"
            )
        source = JobSource(target=found.target, spider=spider, arguments={**arguments}, settings={**settings})
        self._put(self.folders.new(name), source)
        return name

    def resume(self, name: str) -> None:
        """Run a job again, which continues it."""
        folder = self.folders.folder(name)
        entry = self.folders.entry(name, folder, self._numbers())
        if entry.state in ("running", "pending"):
            raise ConfigError(f"{name} is {entry.state} already")
        source = self.folders.source(folder)
        if source is None:
            target = self._spider(entry.spider).target
            source = JobSource(target=target, spider=entry.spider, arguments=self.folders.arguments(folder))
        self._put(folder, source)

    def stop(self, name: str) -> State | None:
        """Stop a job that runs or waits, and return its state before; `None` if it does neither.

        Requests in flight finish, unless it is stopped again. The job can be resumed.
        """
        folder = self.folders.folder(name)
        state = self.folders.entry(name, folder, self._numbers()).state
        if state == "pending":
            source = self.folders.source(folder)
            if source is None or not folder.exists():
                self.folders.drop(folder)
            else:
                self.folders.keep(folder, msgspec.structs.replace(source, is_pending=False))
            return state
        if state != "running":
            return None
        child = self._running.get(folder)
        if child is None:
            raise ConfigError(f"{name} was started elsewhere: stop it there, or on its own web page")
        child.stop()
        return state

    # ---- processes ---------------------------------------------------------------------------------------------------

    def _numbers(self) -> dict[Path, int | None]:
        return {folder: None if child is None else child.number for folder, child in self._running.items()}

    def _spider(self, name: str) -> FoundSpider:
        spiders = self.spiders()
        if name not in spiders:
            raise ConfigError(f"no spider named {name!r} in {self._spiders}{did_you_mean(name, spiders)}")
        return spiders[name]

    def _put(self, folder: Path, source: JobSource) -> None:
        """Queue a job, and start it at once if one more crawl may run."""
        waiting = msgspec.structs.replace(source, scheduled=time.time(), is_pending=True, message="")
        self.folders.keep(folder, waiting)
        self._start_pending()

    def _pending(self) -> Iterator[tuple[Path, JobSource]]:
        """Yield the jobs that wait, in the order in which they were scheduled."""
        sources = [(folder, self.folders.source(folder)) for folder in self.folders.names().values()]
        waiting = [(folder, source) for folder, source in sources if source is not None and source.is_pending]
        yield from sorted(waiting, key=lambda found: found[1].scheduled)

    def _start_pending(self) -> None:
        """Start the crawls that wait, as many as may run."""
        if self._nursery is None:
            return
        for folder, source in self._pending():
            if len(self._running) >= self._max_running:
                break
            if folder not in self._running:
                self._running[folder] = None
                self._note(folder, source)
                self._nursery.start_soon(self._crawl, folder, source)

    async def _crawl(self, folder: Path, source: JobSource) -> None:
        """Run one crawl to its end."""
        message = ""
        try:
            message = await self._run_child(folder, source)
        finally:
            del self._running[folder]
            self._note(folder, source, message)
        self._start_pending()

    def _note(self, folder: Path, source: JobSource, message: str = "") -> None:
        """Record that a job is no longer pending, and why it failed. Crawls continue if that cannot be written."""
        try:
            self.folders.keep(folder, msgspec.structs.replace(source, is_pending=False, message=message))
        except ConfigError as error:
            log.error("%s", error)

    async def _run_child(self, folder: Path, source: JobSource) -> str:
        """Run a process to its end, and return why it failed; empty if it did not."""
        log = self.folders.log_path(folder)
        try:
            child = await self._start(self._command(folder, source), self._spiders, log)
        except (OSError, ValueError) as error:  # ValueError: an argument is not one that a process can have
            return f"cannot start a process: {(getattr(error, 'strerror', None) or str(error)).lower()}"
        self._running[folder] = child
        try:
            code = await child.wait()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await child.end()
            raise
        lines = self.folders.log(folder).splitlines() if code in FAILED else []
        return lines[-1].removeprefix("crawler: ") if lines else ""

    def _command(self, folder: Path, source: JobSource) -> list[str]:
        """Return the arguments of the command that runs or continues a job."""
        arguments = ["run", source.target, "--job", str(folder), "--ui", self._page, "--quiet"]
        arguments += ["-p", "crawler_plugins.web.child:EndsWithParent"]
        arguments += [word for name, value in source.arguments.items() for word in ("-a", f"{name}={value}")]
        return arguments + [word for name, value in source.settings.items() for word in ("-s", f"{name}={value}")]
