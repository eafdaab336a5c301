"""`FileStore`: the folder of complete files. It has each content once, under a name that no other file has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import attrs
import trio

from crawler import Response
from crawler_plugins.files import names
from crawler_plugins.files.index import FileIndex
from crawler_plugins.files.partial import PartialFile, digest_of, free_name, place, remove_placed, sync_path
from crawler_plugins.files.pattern import PathPattern

__all__ = ["Content", "FileStore"]

HIDDEN: Final = ".files"
"""The folder of the index and of unfinished files, inside that of the files. No name of a server begins with a dot."""


@attrs.frozen(kw_only=True)
class Content:
    """A complete file that is to be stored."""

    source: Path
    """Where it is."""
    digest: str
    """The SHA-256 digest, in hexadecimal digits."""
    kind: str
    """The media type."""
    facts: dict[str, Any] = attrs.field(factory=dict)
    """Further fields of its entry in the item."""
    extras: dict[str, Path] = attrs.field(factory=dict)
    """Files made of it, such as thumbnails, by name."""


@attrs.frozen
class Wanted:
    """A file that is to get its final name."""

    source: Path
    """Where it is."""
    path: str
    """The name that it should have, relative to the folder."""
    digest: str
    """The SHA-256 digest, in hexadecimal digits."""


class FileStore:
    """A folder of complete files, with the index of them and of unfinished ones.

    Parameters:
        root: The folder; it is created if it does not exist.
        variant: What is done with the files, such as a conversion. Files of different variants are different.
        path: Path of a file below the folder.
        extra_path: Path of a file that is made of another one.
        sync: Whether each file survives a power failure.

    Raises:
        OSError, sqlite3.Error: The folder cannot be used.
    """

    def __init__(self, root: Path, *, variant: str, path: PathPattern, extra_path: PathPattern, sync: bool) -> None:
        self._root = root
        self._variant = variant
        self._path = path
        self._extra_path = extra_path
        self._sync = sync
        self._placing = trio.Lock()
        self.hidden = root / HIDDEN
        """The folder of unfinished files."""
        self.hidden.mkdir(parents=True, exist_ok=True)
        remove_placed(self.hidden)
        self.index = FileIndex(self.hidden / "index.sqlite", sync=sync)

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def by_url(self, url: str, since: float) -> dict[str, Any] | None:
        """Return the facts of the file of a URL; `None` if there is none that was stored after `since`."""
        facts = self.index.by_url(self._variant, url, since)
        return facts if facts is not None and self._exists(facts) else None

    async def add(
        self, url: str, response: Response, unfinished: PartialFile, content: Content, now: float
    ) -> dict[str, Any]:
        """Give a complete file its name, unless the folder has the same content, and return its facts.

        Parameters:
            url: The canonical URL.
            response: Names the file.
            unfinished: The file as it was downloaded.
            content: What is stored of it.
            now: Seconds since the epoch.
        """
        async with self._placing:
            known = self.index.by_digest(self._variant, content.digest)
            facts = next((facts for facts in known if self._exists(facts)), None)
            if facts is None:
                return await self._place(url, response, unfinished, content, now)
            for path in (unfinished.path, content.source, *content.extras.values()):
                path.unlink(missing_ok=True)  # before the URL is known: no later run would look for them
            self.index.add(self._variant, url, facts, now)
            return facts

    async def _place(
        self, url: str, response: Response, unfinished: PartialFile, content: Content, now: float
    ) -> dict[str, Any]:
        """Give a file its final name, and those made of it, and return the facts."""
        name = names.name(response)
        values = {
            "digest": content.digest,
            "dir": "/".join(names.folders(url)),
            "ext": names.extension(name, content.kind),
            "host": names.host(url),
            "name": name,
            "stem": PurePosixPath(name.replace("/", "_")).stem,
        }
        size = content.source.stat().st_size
        if content.source != unfinished.path:
            unfinished.path.unlink(missing_ok=True)
        wanted = await trio.to_thread.run_sync(self._wanted, content, values)
        while True:
            paths = await trio.to_thread.run_sync(self._free_names, wanted)
            facts = {"path": paths[0], "digest": content.digest, "size": size, "type": content.kind, **content.facts}
            if content.extras:
                facts["thumbs"] = dict(zip(content.extras, paths[1:], strict=True))
            self.index.add(self._variant, url, facts, now)  # first: no file is there that it lacks
            if await trio.to_thread.run_sync(self._move, wanted, paths):
                return facts

    def _wanted(self, content: Content, values: dict[str, str]) -> list[Wanted]:
        """Return the files of a content, itself and those made of it, with the names that they should have."""
        if self._sync:
            for source in (content.source, *content.extras.values()):
                sync_path(source)
        extras = [
            Wanted(source, self._extra_path.path(values | {"thumb": extra, "ext": source.suffix}), digest_of(source))
            for extra, source in content.extras.items()
        ]
        return [Wanted(content.source, self._path.path(values), content.digest), *extras]

    def _free_names(self, wanted: Sequence[Wanted]) -> list[str]:
        return [free_name(self._root, one.path, one.digest) for one in wanted]

    def _move(self, wanted: Sequence[Wanted], paths: Sequence[str]) -> bool:
        """Give files their final names, and return whether no other file has taken one meanwhile."""
        return all(
            place(one.source, self._root / path, one.digest, sync=self._sync)
            for one, path in zip(wanted, paths, strict=True)
            if one.source.exists()
        )

    def _exists(self, facts: dict[str, Any]) -> bool:
        paths = [facts["path"], *facts.get("thumbs", {}).values()]
        return all((self._root / path).is_file() for path in paths)
