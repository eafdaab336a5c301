"""What other workers have committed is taken over; what was changed from old values is discarded."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from crawler.fetch.request_fields import StartOrigins
from crawler.hooks.page_effects import MISSING
from crawler.hooks.state import State
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJar
from crawler.shared.remote_changes import RemoteValues, SharedStates
from crawler.store import CookieChange, Kind, Outcome, RemoteChanges
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
    changed = change(theirs)
    values = RemoteValues(mine, None, None)
    values.apply(RemoteChanges(cookies=[changed]))
    assert mine.header("", URL, 0.0) == "id=1"
    assert mine.take_changes() == []
    gone = msgspec.structs.replace(changed, value=None)
    values.apply(RemoteChanges(cookies=[gone, gone]))
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
    RemoteValues(CookieJar(), guard, origins).apply(RemoteChanges(networks=[networks], origins=[names]))
    assert guard.allows("10.0.0.2")
    assert "http://a.test" in origins


def test_states_of_others_count_from_now_on() -> None:
    state = State("spider", {"n": 1, "gone": 2})
    states = SharedStates([state], version=3)
    states.apply(RemoteChanges(version=4))
    assert states.version == 3  # nothing of the states has changed
    states.apply(RemoteChanges(states={"spider": {"n": b"5", "gone": MISSING}, "other": {"x": b"1"}}, version=5))
    assert (dict(state), states.version) == ({"n": 5}, 5)


def test_after_a_conflict_the_states_are_those_that_are_committed() -> None:
    state, other = State("spider", {"n": 9, "mine": 1}), State("other", {"mine": 1})
    states = SharedStates([state, other], version=3)
    states.reset(RemoteChanges(states={"spider": {"n": b"5"}}, version=6))
    assert (dict(state), dict(other), states.version) == ({"n": 5}, {}, 6)


def outcome(**changed: bytes) -> Outcome:
    """Return an outcome with changes of the state of the spider."""
    return Outcome(kind=Kind.DONE, ticket=cast("StoredTicket", None), state={"spider": changed})


def test_changes_from_values_that_another_worker_has_replaced_are_refused() -> None:
    state = State("spider", {"n": 1})
    states = SharedStates([state], version=3)
    early, late = outcome(n=b"2"), outcome(n=b"6")
    early.generation = states.generation
    states.apply(RemoteChanges(states={"spider": {"n": b"5"}}, version=4))
    states.keep(early)
    assert dict(state) == {"n": 5}
    late.generation = states.generation
    states.keep(late)
    assert dict(state) == {"n": 6}
    assert states.refused([early, late]) == {early}
    assert late.state_version == 4


def test_changes_that_come_from_one_that_is_refused_are_refused_too() -> None:
    state = State("spider", {"n": 1})
    states = SharedStates([state], version=3)
    first, second, third = outcome(n=b"2"), outcome(n=b"3"), outcome(n=b"6")
    first.generation = states.generation
    states.keep(first)
    states.apply(RemoteChanges(states={"spider": {"other": b"0"}}, version=4))  # `n` is still that of `first`
    second.generation = states.generation
    states.keep(second)
    assert states.refused([first, second]) == set()  # the store refuses them, and names all values
    assert (first.state_version, second.state_version) == (OUTDATED, OUTDATED)
    states.note_committed([first, second])
    states.reset(RemoteChanges(states={"spider": {"n": b"1", "other": b"0"}}, version=4))
    third.generation = states.generation
    assert states.refused([third]) == set()
    assert (dict(state), third.state_version) == ({"n": 1, "other": 0}, 4)


def test_values_without_changes_of_this_worker_are_used_at_once() -> None:
    states = SharedStates([State("spider")], version=3)
    settled, later = outcome(n=b"2"), outcome(n=b"3")
    settled.generation = states.generation
    states.keep(settled)
    states.note_committed([settled])
    states.apply(RemoteChanges(states={"spider": {"n": b"5"}}, version=4))
    later.generation = states.generation
    assert states.refused([later]) == set()
    assert later.state_version == 4
