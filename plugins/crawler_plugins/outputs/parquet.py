"""`Parquet`: a table in a Parquet file, or, in a durable job, in a folder of Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final

from crawler import ConfigError, Row
from crawler.sinks import IfExists, Names
from crawler_plugins.outputs.columns import fitted, learn, schema_of, types_of
from crawler_plugins.outputs.folders import LocalFolder, replace, writable
from crawler_plugins.outputs.formats import COMPRESSIONS, Compression, ParquetParts
from crawler_plugins.outputs.parts import Dataset, PartSink

__all__ = ["Parquet"]

PARTS: Final = ".parts"
"""Added to the name of a file: the folder of its parts until the end of the crawl."""


class Parquet(PartSink):
    """A table in a Parquet file; in a durable job, a folder of such files, which pyarrow, pandas and DuckDB read.

    A Parquet file is readable only when it is closed. So a job writes the folder ``items.parquet/``, a file for each
    interval. A crawl without a job collects such files in ``items.parquet.parts/``, and joins them to the single file
    ``items.parquet`` when it ends; ``crawler job JOB --export items.parquet`` does the same with the items of a job.

    With ``%(type)s`` in the name, each class of items has a table of its own; otherwise all items share one. A column
    has the type of its first value: ``bool``, ``int64``, ``double``, or text; lists and objects are text, as JSON. An
    ``int64`` becomes a ``double`` when the first fraction arrives. The column ``_rescued_data`` holds the values that
    do not fit their columns, as a JSON object. A field that is always null has no column.

    Parameters:
        path: The file, or the folder in a job. Its parent folder must exist.
        if_exists: ``error``, ``overwrite`` or ``append``.
        job: The folder of the durable job that the output belongs to.
        rows: Maximum number of items in a part, at least 1. A part of 64 MiB of items as JSON ends too.
        seconds: Seconds after which a part ends, with the first item that comes then, from 0.
        compression: ``zstd``, ``snappy``, ``gzip``, ``lz4``, ``brotli`` or ``none``.

    Raises:
        ConfigError: The output cannot be written, exists under ``error``, has columns of other types, or an option is
            out of range.
    """

    name = "parquet"
    requires: ClassVar[Mapping[str, str]] = {"pyarrow": "trio-crawler[parquet]"}

    def __init__(
        self,
        path: Path,
        if_exists: IfExists = "error",
        *,
        job: Path | None = None,
        rows: int = 50_000,
        seconds: float = 60.0,
        compression: Compression = "zstd",
    ) -> None:
        self.path = Path(path)
        super().__init__(str(self.path), if_exists, in_job=job is not None, rows=rows, seconds=seconds)
        if compression not in COMPRESSIONS:
            raise ConfigError(f"output {path}: compression must be {', '.join(COMPRESSIONS)}, not {compression!r}")
        self._compression = compression
        self._is_joined = False
        self._names = Names(str(path)) if "%(" in str(path) else None
        if self._names is not None and self._names.fields != {"type"}:
            raise ConfigError(f"output {path}: the name of a Parquet output has the field %(type)s only")
        folder = Path.cwd() if job is None else Path(job).resolve()
        place = os.fsencode(os.path.relpath(self.path.resolve(), folder))  # the name of a file may not be UTF-8
        self.name = f"parquet:{place.decode(errors='backslashreplace')}"
        for one in self._paths():
            writable(one, if_exists, folder=self._in_job)
        if not self._in_job:
            self.check()
            if if_exists == "append":
                for one in self._paths():
                    _types_of_file(one)

    def kind(self, row: Row) -> str:
        """Return the class of an item if the name of the output shows it."""
        return "" if self._names is None else self._names.kind(row.type)

    def dataset(self, kind: str) -> Dataset:
        """Return the parts for items of a type."""
        path = self.path if self._names is None else self._names.path(1, kind)
        if not self._in_job:
            return self._joined(path)
        writable(path, self._if_exists, folder=True)
        return Dataset(LocalFolder(path), ParquetParts(self._compression))

    def _joined(self, path: Path) -> Dataset:
        """Return the parts of a file until the end of the crawl."""
        dataset = Dataset(LocalFolder(path.with_name(path.name + PARTS)), ParquetParts(self._compression))
        if self._if_exists == "append":
            dataset.format.state = _types_of_file(path)
        return dataset

    def _paths(self) -> list[Path]:
        """Return the files or folders of the output that may exist."""
        if self._names is None:
            return [self.path]
        return [path for _, _, path in self._names.existing()] or [self._names.path(1, "")]

    def existing(self) -> Iterator[str]:
        """Yield the names of the datasets that may exist before the crawl."""
        yield from [""] if self._names is None else [kind for kind, _, _ in self._names.existing()]

    def kinds(self) -> Sequence[str]:
        """Return no names if the items decide them."""
        return () if self._names is not None else super().kinds()

    def check(self) -> None:
        """Check that there are no parts.

        Raises:
            ConfigError: There are, of a crawl that was killed or of another job.
        """
        if self._in_job:
            super().check()
        elif self._if_exists != "overwrite":
            for path in self._paths():
                folder = self._joined(path).folder
                if folder.names():
                    how = "move it away, or --overwrite deletes it (in Python: if_exists)"
                    raise ConfigError(f"{folder.place} has the items of a crawl that was killed: {how}")

    def flush(self) -> Any:
        """Write the rows that are left. Without a job, join the parts to one file."""
        position = super().flush()
        if not self._in_job:
            if self._names is None and not self._is_joined:
                self._of("")  # a crawl without items makes an empty table
            for kind in list(self._datasets):
                path = self.path if self._names is None else self._names.path(1, kind)
                self._join(path, self._datasets[kind])
                del self._datasets[kind]  # a second call, after a failure, joins the others
                self._is_joined = True
        return position

    def _join(self, path: Path, dataset: Dataset) -> None:
        """Write the parts of a table to one file, and delete them. The file appears when it is complete."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        folder = dataset.folder
        assert isinstance(folder, LocalFolder)
        parts = [folder.path / name for name in sorted(dataset.parts())]
        before = [path] if self._if_exists == "append" and path.exists() else []
        if before and not parts:
            return
        aside = path.with_name(f".{path.name}.tmp")
        types = dataset.format.state or learn({}, [])
        try:
            with pq.ParquetWriter(aside, schema_of(types), compression=self._compression) as writer:
                for source in [*before, *parts]:
                    with pq.ParquetFile(source) as file:
                        for group in range(file.num_row_groups):
                            writer.write_table(fitted(file.read_row_group(group), types))
            replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
        for part in parts:
            part.unlink()
        folder.remove()


def _types_of_file(path: Path) -> dict[str, str]:
    """Return the columns of a file; none if it does not exist.

    Raises:
        ConfigError: It is not a Parquet file, or has columns of other types.
    """
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    with suppress(FileNotFoundError):
        try:
            return types_of(pq.read_schema(path))
        except (ValueError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(
                f"cannot append to {path}: {reason} (--overwrite replaces it; in Python: if_exists)"
            ) from error
    return {}
