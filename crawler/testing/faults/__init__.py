"""A server with every fault that servers have: `fault_server`; ``python -m crawler.testing.faults`` runs it."""

from __future__ import annotations

from crawler.testing.faults.case import FaultCase
from crawler.testing.faults.server import FAULT_CASES, FaultServer, fault_server

__all__ = ["FAULT_CASES", "FaultCase", "FaultServer", "fault_server"]
