"""`JobFolders`: the jobs in some folders, as other processes see them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import Struct

from crawler import ConfigError, JobError
from crawler.cli import did_you_mean
from crawler.monitor import printable_line, redact
from crawler.store import DATABASE, JobState, inspect_job, owner_of, runs_of

__all__ = ["JobEntry", "JobFolders", "JobSource", "State"]

RECORD: Final = ".serve.json"
"""The end of the name of a job's record, a file next to the folder of the job."""
LOG: Final = ".serve.log"
"""The end of the name of the file to which a crawl writes its messages."""
PAGE: Final = "web-page"
"""The file in the folder of a running job with the number of its process and the address of its web page."""
HIDDEN: Final = "***"
"""What `JobState` has in place of a secret."""
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""A name of a new job: it becomes the name of a folder."""
State: TypeAlias = Literal["pending", "running", "finished", "stopped", "failed"]
"""``pending``: waits for its turn; ``stopped``: can be resumed; ``failed``: has never begun."""


class JobSource(Struct, kw_only=True):
    """The arguments of a crawl, stored in a file next to the folder of its job."""

    target: str
    """TARGET of ``crawler run``."""
    spider: str
    """Name of the spider."""
    arguments: dict[str, str] = {}
    """Arguments of the spider, as text."""
    settings: dict[str, str] = {}
    """Settings, as text."""
    scheduled: float = 0.0
    """When it was scheduled, in seconds since the epoch."""
    is_pending: bool = False
    """Whether it waits for its turn."""
    message: str = ""
    """Why the last process failed; empty if it did not."""


class JobEntry(Struct, frozen=True, kw_only=True):
    """A job. All values are JSON values; text is safe to be shown."""

    name: str
    """The name of its folder, preceded by that of the parent folder if several jobs have the same name."""
    folder: str
    """Its folder."""
    state: State
    """Its state."""
    spider: str = ""
    """Name of the spider."""
    pages: int = 0
    """Responses whose callback succeeded, in all runs."""
    items: int = 0
    """Items that were committed, in all runs."""
    failed: int = 0
    """Requests and pages that failed."""
    waiting: int = 0
    """Requests that wait."""
    runs: int = 0
    """Number of runs."""
    began: float | None = None
    """When the last run began, or when it was scheduled; in seconds since the epoch."""
    ended: float | None = None
    """When the last run ended, in seconds since the epoch; `None` if it runs or was killed."""
    process: int | None = None
    """Number of its process; `None` if it does not run."""
    page: str = ""
    """Path of its own web page, which this server passes on; empty if it has none."""
    message: str = ""
    """Why it could not begin or be read; empty otherwise."""


class JobFolders:
    """The jobs in some folders, each of which is that of a job or has such folders in it."""

    def __init__(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            if not folder.is_dir():
                create = f"no such folder: {folder}; create it with: mkdir {folder}"
                raise ConfigError(f"{folder} is not a folder" if folder.exists() else create)
        self._folders = [folder.resolve() for folder in dict.fromkeys(folders)]
        self._known: dict[Path, tuple[Any, JobState, float | None, float | None]] = {}

    def names(self) -> dict[str, Path]:
        """Return the folder of each job, by its name. Those of jobs that have not begun do not exist yet."""
        found: dict[str, Path] = {}
        for folder in dict.fromkeys(path for parent in self._folders for path in _jobs_in(parent)):
            name = folder.name if folder.name not in found else f"{folder.parent.name}/{folder.name}"
            found.setdefault(name, folder)
        return found

    def folder(self, name: str) -> Path:
        """Return the folder of a job."""
        names = self.names()
        if name not in names:
            raise ConfigError(f"no such job: {name}{did_you_mean(name, names)}")
        return names[name]

    def new(self, name: str) -> Path:
        """Return the folder for a new job, in the first folder that is not a job itself."""
        if not NAME.fullmatch(name):
            raise ConfigError(f"{name!r} cannot be the name of a job: use letters, digits, dots, - and _")
        parent = next((folder for folder in self._folders if not (folder / DATABASE).exists()), None)
        if parent is None:
            raise ConfigError("new jobs need a folder: start crawler serve with one that is not a job itself")
        if name in self.names() or (parent / name).exists():
            raise ConfigError(f"there is a job named {name} already")
        return parent / name

    # ---- the records next to the jobs --------------------------------------------------------------------------------

    def source(self, folder: Path) -> JobSource | None:
        """Return the source of a job; `None` if it was not scheduled here."""
        try:
            return msgspec.json.decode(_beside(folder, RECORD).read_bytes(), type=JobSource)
        except (OSError, msgspec.MsgspecError):
            return None

    def keep(self, folder: Path, source: JobSource) -> None:
        """Store the source of a job."""
        path = _beside(folder, RECORD)
        try:
            _replace(path, msgspec.json.encode(source))
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error

    def drop(self, folder: Path) -> None:
        """Forget a job that has not begun."""
        _beside(folder, RECORD).unlink(missing_ok=True)

    def log_path(self, folder: Path) -> Path:
        """Return the file for the messages of a job."""
        return _beside(folder, LOG)

    def log(self, folder: Path, max_bytes: int = 20_000) -> str:
        """Return the last characters of the messages of a job, without secrets."""
        try:
            with self.log_path(folder).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - max_bytes))
                return redact(file.read().decode("utf-8", "replace"))
        except OSError:
            return ""

    # ---- what is known of a job --------------------------------------------------------------------------------------

    def entries(self, running: Mapping[Path, int | None]) -> list[JobEntry]:
        """Return all jobs, the latest first. Those that run here have the number of their process, once it has one."""
        entries = [self.entry(name, folder, running) for name, folder in self.names().items()]
        return sorted(entries, key=lambda entry: entry.began or 0.0, reverse=True)

    def entry(self, name: str, folder: Path, running: Mapping[Path, int | None]) -> JobEntry:
        """Return the entry of one job."""
        source = self.source(folder) or JobSource(target="", spider="")
        known: dict[str, Any] = {"name": name, "folder": str(folder), "message": printable_line(redact(source.message))}
        if not (folder / DATABASE).exists():
            here: State = "running" if folder in running else "pending" if source.is_pending else "failed"
            spider = printable_line(source.spider)
            process = running.get(folder)
            return JobEntry(**known, state=here, spider=spider, began=source.scheduled or None, process=process)
        try:
            job, began, ended = self._state(folder)
        except JobError as error:
            return JobEntry(**known | {"message": printable_line(redact(str(error)))}, state="failed")
        process = running.get(folder) or owner_of(folder)
        state: State
        if process is not None or folder in running:
            state = "running"
        elif source.is_pending:
            state = "pending"
        else:
            state = "finished" if job.finished else "stopped"
        return JobEntry(
            **known,
            state=state,
            spider=printable_line(job.spider.rpartition(" (")[0] or job.spider),  # without its class
            pages=job.stats.get("pages", 0),
            items=job.items,
            failed=job.stats.get("failed", 0),
            waiting=job.waiting,
            runs=job.runs,
            began=began,
            ended=None if state == "running" else ended,
            process=process,
            page=f"/crawl/{quote(name)}/" if process is not None and _page(folder, process) else "",
        )

    def page(self, name: str, running: Mapping[Path, int | None]) -> str:
        """Return the address of the web page of a job that runs, with its token."""
        folder = self.folder(name)
        process = running.get(folder) or owner_of(folder)
        address = "" if process is None else _page(folder, process)
        if not address:
            raise ConfigError(f"{name} has no web page: it has ended, or was started without --ui")
        return address

    def arguments(self, folder: Path) -> dict[str, str]:
        """Return the arguments of a job as text."""
        given = inspect_job(folder, brief=True).arguments
        hidden = [name for name, value in given.items() if HIDDEN in str(value)]
        if hidden:
            raise ConfigError(f"the argument {hidden[0]} is a secret, which a job does not keep: run it yourself")
        return {
            name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
            for name, value in given.items()
        }

    def _state(self, folder: Path) -> tuple[JobState, float | None, float | None]:
        """Return the state of a job, and when its last run began and ended. It is read again if it has changed."""
        version = [_version(folder / name) for name in (DATABASE, f"{DATABASE}-wal")]
        known = self._known.get(folder)
        if known is None or known[0] != version:
            job, runs = inspect_job(folder, brief=True), runs_of(folder)
            began = runs[-1].began if runs else None
            seconds = runs[-1].seconds if runs else None
            ended = None if began is None or seconds is None else began + seconds
            known = self._known[folder] = (version, job, began, ended)
        return known[1:]


def _jobs_in(folder: Path) -> Iterator[Path]:
    """Yield a folder if it is that of a job, else the folders of the jobs in it."""
    if (folder / DATABASE).is_file():
        yield folder
        return
    try:
        paths = sorted(folder.iterdir())
    except OSError:  # it was removed meanwhile
        return
    for path in paths:
        if path.name.endswith(RECORD) and not path.name.startswith("."):
            yield path.with_name(path.name.removesuffix(RECORD))
        elif (path / DATABASE).is_file():
            yield path


def _beside(folder: Path, ending: str) -> Path:
    return folder.with_name(folder.name + ending)


def _replace(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all: readers find the old one or the new one."""
    new = path.with_name(f".new.{path.name}")
    new.unlink(missing_ok=True)
    new.touch(0o600)
    new.write_bytes(data)
    new.replace(path)


def _version(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _page(folder: Path, process: int) -> str:
    """Return the address of the web page that a process serves for a job; empty if it has none."""
    try:
        owner, _, address = (folder / PAGE).read_text("utf-8", "replace").partition(" ")
    except OSError:
        return ""
    return address.strip() if owner == str(process) else ""
