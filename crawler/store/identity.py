"""`Identity`: which crawl a job belongs to. Secret arguments are kept as salted hashes and never decide about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from crawler.errors import JobError
from crawler.logs import get_logger
from crawler.redaction import HIDDEN, redact_values

__all__ = ["Identity", "accepted", "check_same", "first_difference", "shown_arguments"]

SECTIONS: Final = {"arguments": "argument", "settings": "setting"}
"""How messages name a value of a section of an identity."""
log = get_logger("crawler.store")


@attrs.frozen(kw_only=True)
class Identity:
    """The values that make a later run the same crawl."""

    crawl: dict[str, Any]
    """The values that must not change, as JSON values: ``spider``, ``arguments`` without secrets, and ``settings``."""
    secrets: dict[str, Any] = attrs.field(factory=dict, repr=False)
    """JSON values of arguments that are secret or contain a secret. They may change from run to run."""
    references: dict[str, Any] = attrs.field(factory=dict)
    """Secret arguments that were given as ``env:NAME``, as they were given."""

    def to_stored(self, kept: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
        """Return what the job stores, and the names of the secrets that have changed."""
        before = {} if kept is None else kept.get("secrets", {})
        hashes: dict[str, str] = {}
        for name, value in self.secrets.items():
            old = before.get(name, "")
            # Bytes of the salt of one hash.
            hashes[name] = _hash(value, bytes.fromhex(old.partition(":")[0]) or os.urandom(16))
        changed = [name for name, new in hashes.items() if name in before and new != before[name]]
        return self.crawl | {"secrets": hashes, "references": self.references}, changed


def accepted(identity: Identity, kept: Mapping[str, Any] | None, place: str, *, override: bool) -> dict[str, Any]:
    """Return what a job stores of a crawl, and log a line for the secrets that have changed.

    Parameters:
        identity: Describes the crawl.
        kept: What the job has stored before; `None` for a new job.
        place: The job, for messages.
        override: Whether the job of another crawl is accepted.

    Raises:
        JobError: The job belongs to another crawl.
    """
    if kept is not None and not override:
        check_same(identity, kept, place)
    stored, changed = identity.to_stored(kept)
    if changed:
        log.warning("%s continues with other values of %s than in its last run", place, ", ".join(changed))
    return stored


def check_same(identity: Identity, kept: Mapping[str, Any], place: object) -> None:
    """Raise `JobError` if a job belongs to another crawl."""
    changed = first_difference({name: kept.get(name) for name in identity.crawl}, identity.crawl)
    if changed is not None:
        how = "--override continues it with the change; in Python: Job(…, override=True)"
        raise JobError(f"{place} belongs to another crawl: {changed} ({how})")


def shown_arguments(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a stored identity as they may be shown."""
    secrets = dict.fromkeys(kept.get("secrets", ()), HIDDEN)
    arguments: dict[str, Any] = redact_values(kept.get("arguments", {}))
    return secrets | arguments | dict(kept.get("references", {}))


def _hash(value: Any, salt: bytes) -> str:
    """Return salt and hash of a JSON value. The hash is slow, so that a short secret cannot be found by trial."""
    data = msgspec.json.encode(value, order="deterministic")
    return f"{salt.hex()}:{hashlib.scrypt(data, salt=salt, n=2**12, r=8, p=1, dklen=16).hex()}"


def first_difference(kept: dict[str, Any], now: dict[str, Any], where: str = "") -> str | None:
    """Return in words the first difference between the crawl that a job belongs to and this one; `None` without one."""
    for name in sorted(kept.keys() | now.keys()):
        one, other = kept.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found = first_difference(one, other, f"{where}{SECTIONS.get(name, name) if not where else name} ")
            if found is not None:
                return found
        elif one != other:
            return f"{where}{name} was {_shown(kept, name)} and is now {_shown(now, name)}"
    return None


def _shown(values: Mapping[str, Any], name: str) -> str:
    """Return a value as JSON of at most 80 characters, or that it was not given."""
    if name not in values:
        return "not given"
    value = values[name]
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."
