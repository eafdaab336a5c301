"""`ObjectStore`: parts as objects in Amazon S3 and compatible stores, Google Cloud Storage, and Azure Blob Storage."""

from __future__ import annotations

import importlib
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from crawler import ConfigError
from crawler.sinks import IfExists
from crawler_plugins.outputs.formats import COMPRESSIONS, Compression, JsonLinesParts, ParquetParts
from crawler_plugins.outputs.parts import Dataset, Format, PartSink

__all__ = ["ObjectFolder", "ObjectStore"]

LINES: Final = (".jsonl", ".jl", ".ndjson")
"""File extensions of JSON Lines."""
ENDINGS: Final = (*LINES, *(f"{ending}.gz" for ending in LINES), ".parquet")
BACKOFF: Final = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2}
PATIENT: Final[Any] = {"max_retries": 10_000, "retry_timeout": timedelta(minutes=3), "backoff": BACKOFF}
"""A store that is unreachable for less than three minutes delays its output and costs nothing."""
BRIEF: Final[Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
"""Before the crawl, an unreachable store is an error."""
QUIET: Final = 10.0
"""Seconds after which a store that does not answer is reported."""
REASON: Final = re.compile(r"<(?:Code|Message)>([^<]++)</")
"""The message of an error of S3 or Azure."""
RETRIES: Final = re.compile(r" in [\d.]+(?:ns|µs|ms|s)(?:, after [^-]*+)? - ")
"""The part of an error about the time and the retries of the request."""
LINE_END: Final = re.compile(r"\n|\\n")
"""The end of its first line, as it is or as source code: the lines after it identify the request."""
log = logging.getLogger("crawler.plugins.objects")


class ObjectFolder:
    """The objects whose keys begin with a prefix.

    Parameters:
        place: The URL of the prefix, for messages.
        store: The bucket, as obstore opens it.
        prefix: The prefix, without a slash at its end.
    """

    def __init__(self, place: str, store: Any, prefix: str) -> None:
        self.place = place
        self._store = store
        self._prefix = prefix

    def names(self) -> list[str]:
        """Return the names after the prefix, in order."""
        import obstore  # noqa: PLC0415 - an extra

        with self._waiting():
            found = [meta["path"] for chunk in obstore.list(self._store, self._prefix) for meta in chunk]
        return sorted(path.removeprefix(f"{self._prefix}/") for path in found)

    def read(self, name: str) -> bytes | None:
        """Return the content of an object; `None` if it does not exist."""
        import obstore  # noqa: PLC0415

        try:
            with self._waiting():
                return bytes(obstore.get(self._store, f"{self._prefix}/{name}").bytes())
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write or replace an object. It is visible when it is complete."""
        import obstore  # noqa: PLC0415

        with self._waiting():
            obstore.put(self._store, f"{self._prefix}/{name}", data)

    def delete(self, name: str) -> None:
        """Delete an object."""
        import obstore  # noqa: PLC0415

        with self._waiting():
            obstore.delete(self._store, f"{self._prefix}/{name}")

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Log that a store keeps a request waiting while obstore repeats it, and that it is back.

        Raises:
            FileNotFoundError: There is no such object.
            OSError: The store refused the request, or was unreachable for too long.
        """
        reported = threading.Event()
        timer = threading.Timer(QUIET, self._report, (reported,))
        timer.daemon = True
        timer.start()
        try:
            with _one_line():
                yield
        finally:
            timer.cancel()
        if reported.is_set():
            log.warning("%s answers again", self.place)

    def _report(self, reported: threading.Event) -> None:
        reported.set()
        log.warning("%s has not answered for %g s: items wait for it", self.place, QUIET)

    def tidy(self) -> None:
        """Do nothing: an object that was not complete does not exist."""


class ObjectStore(PartSink):
    """Objects in Amazon S3 and compatible stores (``s3://``), Google Cloud Storage (``gs://``) or Azure (``az://``).

    ``s3://bucket/prefix/items.jsonl.gz`` is a folder of objects, ``items.jsonl.gz/part-000000000000.jsonl.gz`` and so
    on, each with the items of one interval and visible when it is complete. The ending selects the format: ``.jsonl``,
    ``.jsonl.gz`` (also ``.jl`` and ``.ndjson``) or ``.parquet``, whose columns the manual of that output describes.

    Credentials, region and endpoint come from the environment: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
    ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ``AWS_ALLOW_HTTP=true``; ``GOOGLE_APPLICATION_CREDENTIALS``;
    ``AZURE_STORAGE_ACCOUNT_NAME``, ``AZURE_STORAGE_ACCOUNT_KEY``. They must permit to list, read, write and delete the
    objects of the folder. A store that is unreachable for less than three minutes only delays its output.

    Parameters:
        url: The folder.
        if_exists: ``error``, ``overwrite`` or ``append``.
        job: The folder of the durable job that the output belongs to.
        rows: Maximum number of items in an object, at least 1. An object of 64 MiB of items as JSON ends too.
        seconds: Seconds after which an object ends, with the first item that comes then, from 0.
        compression: Of ``.parquet``: ``zstd``, ``snappy``, ``gzip``, ``lz4``, ``brotli`` or ``none``.

    Raises:
        ConfigError: The bucket cannot be listed, the folder has parts under ``error``, or an option is out of range.
    """

    name = "objects"
    requires: ClassVar[Mapping[str, str]] = {"obstore": "trio-crawler[objectstore]"}

    def __init__(
        self,
        url: str,
        if_exists: IfExists = "error",
        *,
        job: Any = None,
        rows: int = 50_000,
        seconds: float = 60.0,
        compression: Compression = "zstd",
    ) -> None:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ConfigError(f"output {parts.scheme}://…: leave out the user: credentials come from the environment")
        key = parts.path.strip("/")
        self.url = f"{parts.scheme}://{parts.netloc}/{key}"
        self.name = f"objects:{self.url}"
        super().__init__(self.url, if_exists, in_job=job is not None, rows=rows, seconds=seconds)
        self._suffix = _suffix(key, self.url)
        if compression not in COMPRESSIONS:
            raise ConfigError(f"output {self.url}: compression must be {', '.join(COMPRESSIONS)}, not {compression!r}")
        self._compression = compression
        self._bucket = f"{parts.scheme}://{parts.netloc}"
        self._key = key
        try:
            with _one_line():
                names = self._folder(BRIEF).names()
        except OSError as error:
            raise ConfigError(f"output {self.url} cannot be listed: {error}") from None
        if not self._in_job and names:
            self.check()

    def _folder(self, retries: Any) -> ObjectFolder:
        from obstore.store import from_url  # noqa: PLC0415 - an extra

        return ObjectFolder(self.url, from_url(self._bucket, retry_config=retries), self._key)

    def dataset(self, kind: str) -> Dataset:
        """Return the objects of the output."""
        form: Format = ParquetParts(self._compression) if self._suffix == ".parquet" else JsonLinesParts(self._suffix)
        return Dataset(self._folder(PATIENT), form)

    def existing(self) -> Iterator[str]:
        """Yield the name of the one dataset."""
        yield ""


def _suffix(key: str, url: str) -> Any:
    """Return the ending that selects the format.

    Raises:
        ConfigError: The name has a field or another ending, or its format needs a package that is not installed.
    """
    name = PurePosixPath(key).name
    if "%(" in key:
        raise ConfigError(f"output {url}: names of objects have no fields")
    suffix = next((ending for ending in ENDINGS if name.lower().endswith(ending)), None)
    if suffix is None:
        raise ConfigError(f"output {url}: name a folder of objects that ends in .jsonl, .jsonl.gz, .parquet")
    if suffix == ".parquet":
        try:
            importlib.import_module("pyarrow")
        except ModuleNotFoundError:
            raise ConfigError(
                f"output {url} needs pyarrow, which is not installed: pip install 'trio-crawler[parquet]'"
            ) from None
    return suffix


@contextmanager
def _one_line() -> Iterator[None]:
    """Translate the errors of obstore, whose messages have dozens of lines.

    Raises:
        FileNotFoundError: There is no such object.
        OSError: The store refused the request, or could not be reached. The message is what the server says.
    """
    try:
        yield
    except Exception as error:
        text = str(error)
        reasons = dict.fromkeys(LINE_END.split(reason, maxsplit=1)[0] for reason in REASON.findall(text))
        reason = ": ".join(reasons) or RETRIES.sub(": ", text.partition("\n")[0])
        raise (FileNotFoundError if isinstance(error, FileNotFoundError) else OSError)(reason) from None
