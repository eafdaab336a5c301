"""A server that does everything wrong: `fault_server`, and ``python -m crawler.testing.faults`` to try it by hand."""

from __future__ import annotations

from crawler.testing.faults.case import FaultCase
from crawler.testing.faults.server import FAULT_CASES, FaultServer, fault_server

__all__ = ["FAULT_CASES", "FaultCase", "FaultServer", "fault_server"]
