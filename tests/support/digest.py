"""A server that requires digest authentication, implemented here from RFC 7616."""

from __future__ import annotations

import hashlib
import re

import attrs
from support.rawserver import Peer, ok

PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@attrs.define(eq=False)
class Digest:
    """The handler of a server. `log` lists the result of each request: ``challenged``, ``stale`` or ``let in``."""

    user: str = "Mufasa"
    password: str = "Circle of Life"
    realm: str = "http-auth@example.org"
    algorithm: str = "SHA-256"
    uses: int = 1000
    """Number of requests that a nonce may be used for."""
    log: list[str] = attrs.field(factory=list)
    nonces: dict[str, int] = attrs.field(factory=dict)
    """Number of uses of each nonce."""

    async def __call__(self, peer: Peer) -> None:
        while head := await peer.request():
            request, *lines = head.decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            verdict = self.verdict(*request.split()[:2], fields.get("authorization", ""))
            self.log.append(verdict)
            await peer.send(ok(b"inside") if verdict == "let in" else self.challenge(stale=verdict == "stale"))

    def challenge(self, *, stale: bool) -> bytes:
        nonce = f"nonce{len(self.nonces)}"
        self.nonces[nonce] = 0
        value = (
            f'Digest realm="{self.realm}", qop="auth, auth-int", algorithm={self.algorithm}, nonce="{nonce}", '
            f'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"{", stale=true" if stale else ""}'
        )
        return f"HTTP/1.1 401 Who?\r\nWWW-Authenticate: {value}\r\nContent-Length: 0\r\n\r\n".encode()

    def verdict(self, method: str, uri: str, field: str) -> str:
        """Check an ``Authorization`` header field (RFC 7616 section 3.4.1, ``qop=auth``)."""
        if not field.startswith("Digest "):
            return "challenged"
        said = {name: quoted or bare for name, quoted, bare in PARAMETER.findall(field)}
        used = self.nonces.get(said["nonce"])
        if used is None or used >= self.uses:
            return "stale"
        assert int(said["nc"], 16) == used + 1, "the nonce count is out of sequence: a replay"
        assert (said["uri"], said["qop"], said["realm"]) == (uri, "auth", self.realm)
        self.nonces[said["nonce"]] += 1
        first = self._hash(f"{self.user}:{self.realm}:{self.password}")
        second = self._hash(f"{method}:{uri}")
        wanted = self._hash(f"{first}:{said['nonce']}:{said['nc']}:{said['cnonce']}:{said['qop']}:{second}")
        return "let in" if said["response"] == wanted and said["username"] == self.user else "challenged"

    def _hash(self, text: str) -> str:
        return HASHES[self.algorithm](text.encode()).hexdigest()
