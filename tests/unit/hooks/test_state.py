"""`State`: a page reads its own changes, which others see only after it has succeeded."""

from __future__ import annotations

import datetime
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.cases import each

from crawler import State
from crawler.hooks.page_effects import MISSING, PageEffects, current_page


@contextmanager
def page(*states: State, succeeds: bool = True):
    """Run the callback of one page; apply its changes at the end if it succeeds."""
    effects = PageEffects()
    token = current_page.set(effects)
    try:
        yield effects
    finally:
        current_page.reset(token)
    if succeeds:
        for state in states:
            state.apply(state.changes(effects))


@pytest.fixture
def state():
    return State("shop", {"n": 1, "list": [1], "dict": {"a": {"b": 1}}})


# ---- inside a page ---------------------------------------------------------------------------------------------------


def test_a_page_reads_its_own_changes(state):
    with page():
        state["n"] = 2
        state["new"] = {"x": []}
        state["new"]["x"].append(1)
        assert (state["n"], state["new"]) == (2, {"x": [1]})
        assert set(state) == {"n", "list", "dict", "new"}
        assert len(state) == 4


def test_others_see_changes_only_after_the_page_has_succeeded(state):
    with page(state):
        state["n"] = 2
        state["list"].append(2)
        token = current_page.set(None)
        assert dict(state) == {"n": 1, "list": [1], "dict": {"a": {"b": 1}}}
        current_page.reset(token)
        with page():
            assert state["n"] == 1
            assert state["list"] == [1]
    assert (state["n"], state["list"]) == (2, [1, 2])


def test_a_page_that_fails_leaves_no_trace(state):
    with page(state, succeeds=False):
        state["n"] = 2
        state["new"] = 1
        state["list"].append(2)
        state["dict"]["a"]["b"] = 2
        state.setdefault("other", []).append(1)
        del state["dict"]
    assert dict(state) == {"n": 1, "list": [1], "dict": {"a": {"b": 1}}}


def test_a_change_in_place_is_a_change(state):
    with page(state) as effects:
        state["list"].append(2)
        state["dict"]["a"]["b"] = 2
        assert state.changes(effects) == {"list": b"[1,2]", "dict": b'{"a":{"b":2}}'}
    assert (state["list"], state["dict"]) == ([1, 2], {"a": {"b": 2}})


@pytest.mark.parametrize("value", [True, 1.0])
def test_a_change_of_the_type_alone_is_a_change_too(value):
    state = State("shop", {"dict": {"b": 1}})
    with page(state):
        state["dict"]["b"] = value
    assert repr(state["dict"]["b"]) == repr(value)


def test_reading_is_not_a_change(state):
    with page() as effects:
        assert state["list"] == [1]
        assert state["dict"]["a"] == {"b": 1}
        assert "n" in state
        assert state.get("missing") is None
        assert dict(state)
    assert state.changes(effects) == {}


def test_a_reverted_change_is_not_a_change(state):
    with page() as effects:
        state["list"].append(2)
        state["list"].pop()
    assert state.changes(effects) == {}


def test_a_key_can_be_deleted_and_is_gone_for_the_page(state):
    with page(state) as effects:
        del state["n"]
        assert "n" not in state
        assert state.get("n", "none") == "none"
        assert len(state) == 2
        with pytest.raises(KeyError):
            state["n"]
        with pytest.raises(KeyError):
            del state["n"]
        assert state.changes(effects) == {"n": MISSING}
    assert "n" not in state


def test_a_key_that_was_added_and_deleted_is_not_a_change(state):
    with page() as effects:
        state["new"] = 1
        del state["new"]
        assert "new" not in state
    assert state.changes(effects) == {}


def test_a_deleted_key_can_be_set_again(state):
    with page(state):
        del state["n"]
        state["n"] = 5
        assert state["n"] == 5
    assert state["n"] == 5


def test_the_methods_of_a_mapping_work_inside_a_page(state):
    with page(state):
        assert state.pop("n") == 1
        assert state.pop("n", None) is None
        state.update({"a": 1}, b=2)
        assert state.setdefault("a", 9) == 1
        state.setdefault("made", []).append(1)
        state.setdefault("made", []).append(2)
    assert dict(state) == {"list": [1], "dict": {"a": {"b": 1}}, "a": 1, "b": 2, "made": [1, 2]}
    with page(state):
        state.clear()
        assert not state
    assert dict(state) == {}


def test_a_page_does_not_undo_the_commits_of_another(state):
    with page(state):
        assert state["list"] == [1]
        token = current_page.set(None)
        with page(state):
            state["list"].append(2)
            state["n"] = 7
        current_page.reset(token)
    assert (state["list"], state["n"]) == ([1, 2], 7)


def test_the_state_keeps_a_copy_of_the_object_that_a_page_stored(state):
    mine = [1]
    with page(state):
        state["mine"] = mine
    mine.append(2)
    assert state["mine"] == [1]


def test_states_of_two_owners_are_separate():
    one, two = State("one"), State("two")
    with page(one, two):
        one["a"] = 1
        two["a"] = 2
    assert (dict(one), dict(two)) == ({"a": 1}, {"a": 2})


# ---- outside pages ---------------------------------------------------------------------------------------------------


def test_a_change_outside_pages_applies_at_once_and_is_saved_later(state):
    state["n"] = 2
    del state["list"]
    assert state["n"] == 2
    assert "list" not in state
    assert state.take_unsaved() == {"n": b"2", "list": MISSING}
    assert state.take_unsaved() == {}


def test_a_change_in_place_outside_pages_is_saved_too(state):
    held = state["list"]
    held.append(2)
    assert state["list"] == [1, 2]
    assert state.take_unsaved() == {"list": b"[1,2]"}
    assert state.take_unsaved() == {}
    held.append(3)
    assert state.take_unsaved() == {"list": b"[1,2,3]"}


def test_setdefault_returns_the_stored_value(state):
    state.setdefault("made", {})["x"] = 1
    assert state["made"] == {"x": 1}
    assert state.take_unsaved() == {"made": b'{"x":1}'}


def test_a_value_read_outside_pages_and_changed_by_a_page_is_not_saved_twice(state):
    assert state["list"] == [1]
    with page(state):
        state["list"].append(2)
    assert state["list"] == [1, 2]
    assert state.take_unsaved() == {}


def test_a_value_read_outside_pages_and_deleted_by_a_page_is_gone(state):
    assert state["list"] == [1]
    with page(state):
        del state["list"]
    assert state.take_unsaved() == {}


def test_restored_values_are_not_shared_with_the_caller():
    values = {"n": 1}
    state = State("shop", values)
    state["n"] = 2
    assert values == {"n": 1}


def test_repr_shows_the_owner_and_the_values(state):
    assert repr(State("shop", {"n": 1})) == "State('shop', {'n': 1})"


# ---- rejected values -------------------------------------------------------------------------------------------------

NOT_JSON = [
    object(), {1, 2}, (1, 2), [(1,)], {1: 2}, b"x", float("nan"), float("inf"), datetime.date(2026, 1, 1), "\ud800",
]  # fmt: skip


@each("value", NOT_JSON)
def test_a_value_that_does_not_survive_json_is_rejected(value):
    state = State("shop", {"kept": 1})
    with pytest.raises(TypeError, match=r"^state\['x'\] of shop does not survive JSON: "):
        state["x"] = value
    assert "x" not in state
    with page() as effects:
        state["x"] = value
    with pytest.raises(TypeError, match=r"^state\['x'\] of shop does not survive JSON: "):
        state.changes(effects)


def test_a_nested_value_must_survive_json_too():
    state = State("shop", {"list": []})
    with page() as effects:
        state["list"].append(object())
    with pytest.raises(TypeError, match=r"^state\['list'\] of shop does not survive JSON: "):
        state.changes(effects)


def test_a_value_that_contains_itself_is_rejected():
    loop = []
    loop.append(loop)
    with pytest.raises(TypeError, match="does not survive JSON"):
        State("shop")["loop"] = loop


@pytest.mark.parametrize("key", [1, None, b"a", ("a",), "\ud800"])
def test_keys_are_strings(key):
    with pytest.raises(TypeError, match="the keys of a state are strings"):
        State("shop")[key] = 1
    with page(), pytest.raises(TypeError, match="the keys of a state are strings"):
        State("shop")[key] = 1


# ---- in any order ----------------------------------------------------------------------------------------------------

KEYS = st.sampled_from("abc")
VALUES = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)


class AnyOrder(RuleBasedStateMachine):
    """A page is a transaction: it behaves like a copy of a dict that replaces the dict or is discarded."""

    @initialize()
    def start(self):
        self.state, self.true, self.copy, self.token = State("shop"), {}, None, None

    @property
    def model(self):
        return self.true if self.copy is None else self.copy

    @rule()
    def begin(self):
        if self.token is None:
            self.effects = PageEffects()
            self.token = current_page.set(self.effects)
            self.copy = {key: list(value) if isinstance(value, list) else value for key, value in self.true.items()}

    @rule(succeeds=st.booleans())
    def end(self, succeeds):
        if self.token is not None:
            current_page.reset(self.token)
            if succeeds:
                self.state.apply(self.state.changes(self.effects))
                self.true = self.copy
            self.token = self.copy = None

    @rule(key=KEYS, value=VALUES)
    def put(self, key, value):
        self.state[key] = list(value) if isinstance(value, list) else value
        self.model[key] = list(value) if isinstance(value, list) else value

    @rule(key=KEYS)
    def drop(self, key):
        assert (self.state.pop(key, MISSING) is MISSING) == (self.model.pop(key, MISSING) is MISSING)

    @rule(key=KEYS, value=st.integers(0, 3))
    def change_in_place(self, key, value):
        for mapping in (self.state, self.model):
            found = mapping.get(key)
            if isinstance(found, list):
                found.append(value)

    @invariant()
    def they_are_equal(self):
        assert dict(self.state) == self.model
        assert sorted(self.state) == sorted(self.model)
        assert len(self.state) == len(self.model)

    def teardown(self):
        if getattr(self, "token", None) is not None:
            current_page.reset(self.token)


TestAnyOrder = AnyOrder.TestCase


def test_an_untouched_state_is_not_compared():
    state = State("plugin", {"n": 1, "list": [1]})
    assert state["n"] == 1
    assert not state.touched
    state["n"] = 2
    assert state.touched
    assert state.take_unsaved() == {"n": b"2"}
    assert not state.touched
    state["list"].append(2)  # the list may be changed in place from now on
    assert state.touched
    assert state.take_unsaved() == {"list": b"[1,2]"}
    assert state.touched
