"""`DownloadSlots`: what projects read and change as ``crawler.engine.downloader.slots``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from crawler_plugins.scrapy.handlers import host_of

if TYPE_CHECKING:
    import crawler

__all__ = ["DownloadSlot", "DownloadSlots"]

SCHEMES: Final = ("https://", "http://")


class DownloadSlots(Mapping[str, "DownloadSlot"]):
    """The slots of the hosts, and of the lanes that ``download_slot`` names, of which requests are in memory.

    Parameters:
        settings: The `scrapy.settings.Settings`.
        running: Returns the running crawl.
    """

    def __init__(self, settings: Any, running: Callable[[], crawler.Crawl]) -> None:
        self._settings = settings
        self._running = running
        self._slots: dict[str, DownloadSlot] = {}

    def __getitem__(self, key: str) -> DownloadSlot:
        """Return a slot that has requests."""
        slot = self.slot(key)
        if not slot.lanes:
            raise KeyError(key)
        return slot

    def slot(self, key: str) -> DownloadSlot:
        """Return a slot, the same one each time, also ahead of its first request."""
        lanes = self._running().control.statistics().lanes
        usual = [name for name in (key, *(f"{scheme}{key}" for scheme in SCHEMES)) if name in lanes]
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = DownloadSlot(self._running, **self._given(key))
        slot.lanes = usual or [name for name in lanes if _key_of(name) == key]
        return slot

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(map(_key_of, self._running().control.statistics().lanes)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _given(self, key: str) -> dict[str, Any]:
        """Return what the settings say of a slot."""
        settings = self._settings
        own = (settings.getdict("DOWNLOAD_SLOTS") or {}).get(key, {})
        return {
            "delay": own.get("delay", settings.getfloat("DOWNLOAD_DELAY")),
            "concurrency": own.get("concurrency", settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN")),
            "is_random": own.get("randomize_delay", settings.getbool("RANDOMIZE_DOWNLOAD_DELAY")),
        }


class DownloadSlot:
    """A slot of the downloader. A change of its delay or concurrency is one of the pace of its lanes.

    Parameters:
        running: Returns the running crawl.
        delay: Seconds between two requests.
        concurrency: Requests in flight, at most.
        is_random: Whether the delay varies.
    """

    def __init__(
        self, running: Callable[[], crawler.Crawl], *, delay: float, concurrency: int, is_random: bool
    ) -> None:
        self.lanes: list[str] = []
        """The names of its lanes."""
        self.randomize_delay = is_random
        self._running = running
        self._delay = delay
        self._concurrency = concurrency

    @property
    def delay(self) -> float:
        """Seconds between two requests, as far as the limits of the server allow."""
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._set_pace(delay=float(seconds))
        self._delay = seconds

    @property
    def concurrency(self) -> int:
        """Requests in flight, at most."""
        return self._concurrency

    @concurrency.setter
    def concurrency(self, most: int) -> None:
        self._set_pace(concurrency=int(most))
        self._concurrency = most

    def download_delay(self) -> float:
        """Return the delay."""
        return self._delay

    @property
    def active(self) -> range:
        """As many elements as requests are in flight or wait."""
        return range(len(self.transferring) + len(self.queue))

    @property
    def transferring(self) -> range:
        """As many elements as requests are in flight."""
        return range(self._count("in_flight"))

    @property
    def queue(self) -> range:
        """As many elements as requests wait."""
        return range(self._count("waiting"))

    def free_transfer_slots(self) -> int:
        """Return how many more requests may be in flight."""
        return self._concurrency - len(self.transferring)

    def _count(self, name: str) -> int:
        lanes = self._running().control.statistics().lanes
        return sum(getattr(lanes[lane], name) for lane in self.lanes if lane in lanes)

    def _set_pace(self, **values: Any) -> None:
        crawl = self._running()
        known = crawl.control.statistics().lanes
        for lane in self.lanes:
            if lane in known:
                crawl.control.set_pace(lane, **values)


def _key_of(lane: str) -> str:
    """Return the key of the slot that a lane belongs to."""
    return host_of(lane) if "://" in lane else lane
