"""What other workers have committed is taken over; what was changed from old values is discarded."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from crawler.engine.news import NewsReader
from crawler.fetch.start_origins import StartOrigins
from crawler.hooks.page_effects import MISSING
from crawler.hooks.state import State
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJar
from crawler.store import CookieChange, Kind, News, Outcome
from crawler.store.outcome import OUTDATED

if TYPE_CHECKING:
    from crawler.frontier import StoredTicket

URL = "http://a.test/"


def change(jar: CookieJar, *, removed: bool = False) -> CookieChange:
    [(session, cookie, _)] = jar.take_changes()
    key = {name: value for name, value in msgspec.structs.asdict(cookie).items() if name in ("domain", "path", "name")}
    return CookieChange(session=session, value=None if removed else msgspec.json.encode(cookie), **key)


def test_cookies_of_other_workers_are_sent_and_not_stored_again() -> None:
    theirs, mine = CookieJar(), CookieJar()
    theirs.store("", URL, ["id=1"], 0.0)
    news = change(theirs)
    reader = NewsReader(cookies=mine)
    reader.apply(News(cookies=[news]))
    assert mine.header("", URL, 0.0) == "id=1"
    assert mine.take_changes() == []
    gone = msgspec.structs.replace(news, value=None)
    reader.apply(News(cookies=[gone, gone]))
    assert (mine.header("", URL, 0.0), len(mine)) == ("", 0)


def test_networks_and_origins_of_others_are_known() -> None:
    guard, origins = AddressGuard(), StartOrigins()
    theirs = StartOrigins()
    theirs.add(URL)
    guard_of_other = AddressGuard()
    guard_of_other.expect_start("a.test")
    guard_of_other.check("a.test", ("10.0.0.1",), is_start_page=True)
    networks, names = guard_of_other.take_unsaved(whole=True), theirs.take_unsaved()
    assert networks is not None
    assert names is not None
    NewsReader(guard=guard, origins=origins).apply(News(networks=[networks], origins=[names]))
    assert guard.allows("10.0.0.2")
    assert "http://a.test" in origins


def test_states_of_others_count_from_now_on() -> None:
    state = State("spider", {"n": 1, "gone": 2})
    reader = NewsReader([state], version=3)
    reader.apply(News(version=4))
    assert reader.version == 3  # nothing of the states has changed
    reader.apply(News(states={"spider": {"n": b"5", "gone": MISSING}, "other": {"x": b"1"}}, version=5))
    assert (dict(state), reader.version) == ({"n": 5}, 5)


def test_after_a_conflict_the_states_are_those_that_are_committed() -> None:
    state, other = State("spider", {"n": 9, "mine": 1}), State("other", {"mine": 1})
    reader = NewsReader([state, other], version=3)
    reader.reset(News(states={"spider": {"n": b"5"}}, version=6))
    assert (dict(state), dict(other), reader.version) == ({"n": 5}, {}, 6)


def outcome(**changed: bytes) -> Outcome:
    """Return an outcome with changes of the state of the spider."""
    return Outcome(kind=Kind.DONE, ticket=cast("StoredTicket", None), state={"spider": changed})


def test_changes_from_values_that_another_worker_has_replaced_are_refused() -> None:
    state = State("spider", {"n": 1})
    reader = NewsReader([state], version=3)
    early, late = outcome(n=b"2"), outcome(n=b"6")
    reader.begin(early)
    reader.apply(News(states={"spider": {"n": b"5"}}, version=4))
    reader.keep(early)
    assert dict(state) == {"n": 5}
    reader.begin(late)
    reader.keep(late)
    assert dict(state) == {"n": 6}
    assert reader.outdated([early, late]) == {early}
    reader.check([late])
    assert late.state_version == 4


def test_changes_that_come_from_one_that_is_refused_are_refused_too() -> None:
    state = State("spider", {"n": 1})
    reader = NewsReader([state], version=3)
    first, second, third = outcome(n=b"2"), outcome(n=b"3"), outcome(n=b"6")
    reader.begin(first)
    reader.keep(first)
    reader.apply(News(states={"spider": {"other": b"0"}}, version=4))  # `n` is still that of `first`
    reader.begin(second)
    reader.keep(second)
    assert reader.outdated([first, second]) == set()  # the store refuses them, and names all values
    reader.check([first, second])
    assert (first.state_version, second.state_version) == (OUTDATED, OUTDATED)
    reader.settle([first, second])
    reader.reset(News(states={"spider": {"n": b"1", "other": b"0"}}, version=4))
    reader.begin(third)
    assert (dict(state), third.state_version) == ({"n": 1, "other": 0}, 4)


def test_values_without_changes_of_this_worker_are_used_at_once() -> None:
    reader = NewsReader([State("spider")], version=3)
    settled, later = outcome(n=b"2"), outcome(n=b"3")
    reader.begin(settled)
    reader.keep(settled)
    reader.settle([settled])
    reader.apply(News(states={"spider": {"n": b"5"}}, version=4))
    reader.begin(later)
    reader.check([later])
    assert later.state_version == 4
