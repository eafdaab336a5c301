"""`CallServer`: carries out, in the first process, the methods of the crawl that callbacks call."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

from crawler.engine.processes import wire
from crawler.engine.processes.errors import pack_error
from crawler.engine.processes.packing import pack_response
from crawler.messages import Response

if TYPE_CHECKING:
    from crawler.engine.processes.process import Process
    from crawler.spiders import Spider

__all__ = ["CallServer"]


class CallServer:
    """Answers calls of callbacks in other processes."""

    def __init__(self, spider: Spider) -> None:
        self._spider = spider

    async def answer(self, process: Process, call: wire.Call) -> None:
        """Call a method of the crawl for a callback, in the task of its page."""
        try:
            arguments, options = wire.unpack(call.arguments)
            value = await attrgetter(call.name)(self._spider.crawl)(*arguments, **options)
            if isinstance(value, Response):
                value = pack_response(0, value), value.wire
            answer = wire.Answer(call.call, wire.pack(value), False)
        except Exception as error:
            answer = wire.Answer(call.call, pack_error(error), True)
        process.channel.send(answer)

    async def serve(self, process: Process) -> None:
        """Answer the calls for which a process waits without doing anything else."""
        while messages := await process.calls.receive():
            for call in messages:
                try:
                    answer = wire.Answer(call.call, wire.pack(self._look_up(process, call)), False)
                except Exception as error:
                    answer = wire.Answer(call.call, pack_error(error), True)
                process.calls.send(answer)

    def _look_up(self, process: Process, call: wire.Call) -> Any:
        """Return an attribute of the crawl, or the result of a method."""
        (arguments, options), crawl = wire.unpack(call.arguments), self._spider.crawl
        if call.name == "wire":
            page = process.pages[call.number].response
            return None if page is None else page.wire
        if call.name == "control.statistics":
            now = crawl.control.statistics()
            return attrs.evolve(now, limits=dict(now.limits), lanes=dict(now.lanes), outages=dict(now.outages))
        found = attrgetter(call.name)(crawl)
        return found(*arguments, **options) if callable(found) else found
