"""`Identity`: which crawl a job belongs to. Secret arguments are kept as salted hashes and never decide about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from crawler.redaction import HIDDEN, redact_values

__all__ = ["Identity", "shown_arguments"]

SALT: Final = 16
"""Bytes of the salt of one hash."""


@attrs.frozen(kw_only=True)
class Identity:
    """What makes a later run the same crawl."""

    crawl: dict[str, Any]
    """What must not change, as JSON values: ``spider``, ``arguments`` without secrets, and ``settings``."""
    secrets: dict[str, Any] = attrs.field(factory=dict, repr=False)
    """JSON values of arguments that are secret or contain a secret. They may change from run to run."""
    references: dict[str, Any] = attrs.field(factory=dict)
    """Secret arguments that were given as ``env:NAME``, as they were given."""

    def to_stored(self, kept: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
        """Return what the job stores, and the names of the secrets that have changed.

        Parameters:
            kept: What the job has stored before; `None` for a new job.
        """
        before = {} if kept is None else kept.get("secrets", {})
        hashes: dict[str, str] = {}
        for name, value in self.secrets.items():
            old = before.get(name, "")
            hashes[name] = _hash(value, bytes.fromhex(old.partition(":")[0]) or os.urandom(SALT))
        changed = [name for name, new in hashes.items() if name in before and new != before[name]]
        return self.crawl | {"secrets": hashes, "references": self.references}, changed

    def comparable(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of a stored identity that `crawl` must equal.

        A job of an earlier version has stored secrets as they are. They are not compared.
        """
        arguments: dict[str, Any] = kept.get("arguments", {})
        if "secrets" not in kept:
            names = self.secrets.keys() | self.references.keys()
            arguments = redact_values({name: value for name, value in arguments.items() if name not in names})
            arguments |= {name: value for name, value in self.crawl["arguments"].items() if name in names}
        return {name: kept.get(name) for name in self.crawl} | {"arguments": arguments}


def shown_arguments(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a stored identity as they may be shown."""
    secrets = dict.fromkeys(kept.get("secrets", ()), HIDDEN)
    arguments: dict[str, Any] = redact_values(kept.get("arguments", {}))
    return secrets | arguments | dict(kept.get("references", {}))


def _hash(value: Any, salt: bytes) -> str:
    """Return salt and hash of a JSON value. The hash is slow, so that a short secret cannot be found by trial."""
    data = msgspec.json.encode(value, order="deterministic")
    return f"{salt.hex()}:{hashlib.scrypt(data, salt=salt, n=2**12, r=8, p=1, dklen=16).hex()}"
