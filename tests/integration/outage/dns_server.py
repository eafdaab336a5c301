"""A name server whose answers change while it runs: ``python dns_server.py ADDRESS ZONE.json``.

The zone is read again for each question::

    {"records": {"a.test": ["10.77.0.10", "fd77::10"]}, "fault": "servfail", "names": ["a.test"]}

``fault`` is empty, ``servfail``, ``nxdomain``, ``silent`` or ``garbage``; it applies to ``names``. Other names of the
zone are answered, and names outside of it do not exist. It writes ``ready`` and then each question to standard output.
"""

from __future__ import annotations

import json
import socketserver
import struct
import sys
import threading
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

CODES = {"servfail": dns.rcode.SERVFAIL, "nxdomain": dns.rcode.NXDOMAIN}
TTL = 1
GARBAGE = b"\xff" * 64
"""What is no DNS message."""


def answer(wire: bytes, zone: Path) -> bytes | None:
    """Return the answer to a question, or `None` if the server is silent."""
    asked = dns.message.from_wire(wire)
    [question] = asked.question
    name = question.name.to_text(omit_final_dot=True).lower()
    state = json.loads(zone.read_text(encoding="utf-8"))
    fault = state["fault"] if name in state["names"] else ""
    say(f"{name} {dns.rdatatype.to_text(question.rdtype)} {fault or 'answered'}")
    if fault == "silent":
        return None
    if fault == "garbage":
        return GARBAGE
    reply = dns.message.make_response(asked, recursion_available=True)
    if fault or name not in state["records"]:
        reply.set_rcode(CODES[fault or "nxdomain"])
        return reply.to_wire()
    colon = question.rdtype == dns.rdatatype.AAAA
    addresses = [address for address in state["records"][name] if (":" in address) == colon]
    if addresses and question.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
        reply.answer.append(dns.rrset.from_text(question.name, TTL, dns.rdataclass.IN, question.rdtype, *addresses))
    return reply.to_wire()


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Datagram(socketserver.BaseRequestHandler):
    """One question by UDP."""

    def handle(self) -> None:
        """Answer it."""
        wire, sock = self.request
        reply = answer(wire, ZONE)
        if reply is not None:
            sock.sendto(reply, self.client_address)


class Stream(socketserver.StreamRequestHandler):
    """Questions by TCP, each after its length (RFC 1035 section 4.2.2)."""

    def handle(self) -> None:
        """Answer them."""
        while len(prefix := self.rfile.read(2)) == 2:
            reply = answer(self.rfile.read(struct.unpack("!H", prefix)[0]), ZONE)
            if reply is not None:
                self.wfile.write(struct.pack("!H", len(reply)) + reply)


if __name__ == "__main__":
    ADDRESS, ZONE = sys.argv[1], Path(sys.argv[2])
    socketserver.ThreadingTCPServer.daemon_threads = True
    with (
        socketserver.ThreadingUDPServer((ADDRESS, 53), Datagram) as datagrams,
        socketserver.ThreadingTCPServer((ADDRESS, 53), Stream) as streams,
    ):
        threading.Thread(target=streams.serve_forever, daemon=True).start()
        say("ready")
        datagrams.serve_forever()
