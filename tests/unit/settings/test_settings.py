"""`Settings`: wrong names and values are rejected with helpful messages; layers remember the fields that were given."""

from __future__ import annotations

import copy
import math
import pickle

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.errors import ConfigError
from crawler.limits.pace import Pace
from crawler.settings import Settings

FIELDS = [field.name for field in attrs.fields(Settings) if not field.name.startswith("_")]
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "workers": st.integers(1, 99),
        "delay": st.floats(0, 99),
        "max_pages": st.none() | st.integers(1, 99),
        "user_agent": st.sampled_from(["a/1", "b"]),
        "obey_robots": st.booleans(),
        "headers": st.dictionaries(st.sampled_from(["A", "b", "B2"]), st.sampled_from(["1", "2"]), max_size=3),
        "proxies": st.dictionaries(st.sampled_from(["a", "*"]), st.sampled_from(["http://p", "direct"]), max_size=2),
        "pacing": st.dictionaries(
            st.sampled_from(["a", "b", "*"]), st.builds(Pace, burst=st.integers(1, 9)), max_size=3
        ),
    },
)


def test_every_setting_has_a_default():
    assert Settings().given == {}
    assert Settings().workers == 32
    assert Settings().per_host == 8


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("user_agent", "", "must be text of printable ASCII"),
        ("user_agent", "a\r\nX-Evil: 1", "must be text of printable ASCII"),
        ("user_agent", "ümlaut/1", "must be text of printable ASCII"),
        ("user_agent", " a", "must be text of printable ASCII"),
        ("user_agent", "a\n", "must be text of printable ASCII"),
        ("user_agent", None, "must be text"),
        ("workers", 0, "must be a whole number, at least 1"),
        ("workers", 10_001, "must be a whole number, at most 10000"),
        ("request_deadline", 0, "must be a number of seconds, more than 0"),
        ("connect_timeout", 0.0, "must be a number of seconds, more than 0"),
        ("workers", -1, "must be a whole number, at least 1"),
        ("workers", 1.5, "must be a whole number"),
        ("workers", True, "must be a whole number"),
        ("workers", "8", "must be a whole number"),
        ("workers", None, "must be a whole number"),
        ("processes", 0, "must be a whole number, at least 1"),
        ("processes", 257, "must be a whole number, at most 256"),
        ("processes", "all", "must be a whole number or auto"),
        ("processes", True, "must be a whole number or auto"),
        ("per_host", 0, "must be a whole number, at least 1"),
        ("delay", -0.5, "must be a number of seconds, at least 0"),
        ("delay", math.nan, "must be a number of seconds, at least 0"),
        ("delay", math.inf, "must be a number of seconds, at most 86400"),
        ("delay", "1", "must be a number of seconds"),
        ("delay", False, "must be a number of seconds"),
        ("jitter", 1.01, "must be a number, at most 1"),
        ("jitter", -0.01, "must be a number, at least 0"),
        ("headers", 5, "must be a mapping of names to values, not 5"),
        ("cookies", "no", "must be true or false"),
        ("cross_origin_headers", 5, "must be a list"),
        ("problem_share", 1.5, "must be a number, at most 1"),
        ("accept_walls", ("captcha",), "must be all, challenge, login, consent, javascript, parked or soft_404"),
        ("proxies", 5, "must be a URL, a list of them, or a mapping of globs to them, not 5"),
        ("proxy_env", "no", "must be true or false"),
        ("obey_robots", 1, "must be true or false"),
        ("obey_robots", "no", "must be true or false"),
        ("obey_nofollow", None, "must be true or false"),
        ("thorough", "all", "must be true or false"),
        ("srcset", 1, "must be true or false"),
        ("connect_timeout", -1, "must be a number of seconds, more than 0"),
        ("request_deadline", math.nan, "must be a number of seconds, more than 0"),
        ("max_body", 0, "must be a whole number of bytes, at least 1"),
        ("max_active_size", 0, "must be a whole number, at least 1"),
        ("max_headers", 0, "must be a whole number of bytes, at least 1"),
        ("max_redirects", -1, "must be a whole number, at least 0"),
        ("follow_refresh", -1, "must be a number of seconds, at least 0"),
        ("max_depth", -1, "must be a whole number, at least 0"),
        ("include", 5, "must be a list"),
        ("include", ["/a", 5], "must contain only text"),
        ("exclude", [""], "must contain only text of at least 1 character"),
        ("skip_extensions", None, "must be a list"),
        ("max_url_length", 0, "must be a whole number, at least 1"),
        ("traps", None, "must be true or false"),
        ("max_per_template", 0, "must be a whole number, at least 1"),
        ("dedup_content", 1, "must be true or false"),
        ("max_pages", 0, "must be a whole number, at least 1"),
        ("max_items", 0, "must be a whole number, at least 1"),
        ("max_seconds", -1, "must be a number of seconds, at least 0"),
        ("max_errors", 0, "must be a whole number, at least 1"),
        ("attempts", 0, "must be a whole number, at least 1"),
        ("backoff_base", math.inf, "must be a number of seconds, at most 86400"),
        ("backoff_max", -1, "must be a number of seconds, at least 0"),
        ("backoff_jitter", "half", "must be full, equal or decorrelated"),
        ("inline_wait", -1, "must be a number of seconds, at least 0"),
        ("outage_patience", -1, "must be a number of seconds, at least 0"),
        ("quota_patience", -1, "must be a number of seconds, at least 0"),
        ("grace", -1, "must be a number of seconds, at least 0"),
        ("durability", "forever", "must be process or power"),
        ("incomplete", "drop", "must be fail or keep"),
        ("skip_logout", "yes", "must be true, false or none"),
        ("slow_start", "yes", "must be true, false or none"),
        ("private_network", "yes", "must be true, false or none"),
        ("tls_verify", 1.5, "must be true, false or text"),
        ("http3", None, "must be true or false"),
        ("sink_lag", 0, "must be a whole number, at least 1"),
    ],
)
def test_a_value_out_of_range_is_rejected_by_name(name, value, words):
    with pytest.raises(ConfigError) as caught:
        Settings(**{name: value})
    assert str(caught.value).startswith(f"setting {name}: {words}")
    assert str(caught.value).endswith(repr(value))


def test_every_setting_except_pacing_has_a_rejected_value():
    """The list above is complete: each setting is either checked here or excluded on purpose."""
    [marker] = test_a_value_out_of_range_is_rejected_by_name.pytestmark
    assert {name for name, *_ in marker.args[1]} == {*FIELDS} - {"pacing"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("worker", "workers"),
        ("per_hots", "per_host"),
        ("userAgent", "user_agent"),
        ("DELAY", "delay"),
        ("max_page", "max_pages"),
    ],
)
def test_an_unknown_setting_is_rejected_with_the_closest_name(name, hint):
    for make in (lambda: Settings(**{name: 1}), lambda: Settings.from_strings({name: "1"})):
        with pytest.raises(ConfigError) as caught:
            make()
        assert str(caught.value) == f"no such setting: {name} (did you mean {hint}?)"


@pytest.mark.parametrize("name", ["zzz", "_given", "given"])
def test_an_unknown_setting_without_a_close_name_gets_no_hint(name):
    with pytest.raises(ConfigError, match=f"^no such setting: {name}$"):
        Settings(**{name: 1})


def test_an_integer_is_accepted_for_a_float():
    assert Settings(delay=1).delay == 1.0
    assert type(Settings(delay=1).delay) is float


@pytest.mark.parametrize("name", ["connect_timeout", "request_deadline", "max_seconds", "inline_wait", "grace"])
def test_a_deadline_may_be_infinite(name):
    assert getattr(Settings(**{name: math.inf}), name) == math.inf


def test_settings_are_immutable():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().delay = 1.0  # type: ignore[misc]


def test_settings_accept_only_keyword_arguments():
    with pytest.raises(TypeError):
        Settings(5)  # type: ignore[misc]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_remembers_which_fields_were_given(copied):
    settings = Settings(delay=0.0, pacing={"a": Pace(burst=2)})
    assert copied(settings) == settings
    assert copied(settings).given == settings.given


# ---- layers ----------------------------------------------------------------------------------------------------------


def test_only_given_fields_override():
    merged = Settings(delay=1.0, workers=5) | Settings(workers=6)
    assert (merged.delay, merged.workers) == (1.0, 6)
    assert merged.given == {"delay": 1.0, "workers": 6}


def test_a_given_default_overrides_too():
    assert (Settings(delay=3.0, obey_robots=False) | Settings(delay=0.0, obey_robots=True)).delay == 0.0
    assert (Settings(max_pages=5) | Settings(max_pages=None)).max_pages is None


def test_pacing_is_merged_by_glob_and_takes_precedence():
    base = Settings(pacing={"a": Pace(burst=2), "b": Pace(burst=3)})
    over = Settings(pacing={"b": Pace(burst=4), "*": Pace(burst=5)})
    assert list((base | over).pacing.items()) == [("b", Pace(burst=4)), ("*", Pace(burst=5)), ("a", Pace(burst=2))]
    assert (base | Settings()).pacing == base.pacing
    assert (Settings() | base).pacing == base.pacing


def test_settings_merge_with_settings_only():
    with pytest.raises(TypeError):
        Settings() | {"delay": 1.0}  # type: ignore[operator]


@given(GIVEN, GIVEN, GIVEN)
def test_layers_can_be_merged_in_any_grouping(one, two, three):
    a, b, c = Settings(**one), Settings(**two), Settings(**three)
    assert (a | b) | c == a | (b | c)
    assert list(((a | b) | c).pacing) == list((a | (b | c)).pacing)
    assert list(((a | b) | c).headers.items()) == list((a | (b | c)).headers.items())
    assert list(((a | b) | c).proxies) == list((a | (b | c)).proxies)
    assert a | Settings() == Settings() | a == a


# ---- text ------------------------------------------------------------------------------------------------------------


# ---- pace ------------------------------------------------------------------------------------------------------------


def test_a_lane_without_a_glob_has_the_pace_of_the_settings():
    assert Settings(per_host=3, delay=2.0, jitter=0.5).pace("example.com") == Pace(
        concurrency=3, delay=2.0, jitter=0.5, slow_start="first"
    )


def test_unset_fields_of_a_pace_come_from_the_settings():
    settings = Settings(per_host=3, delay=2.0, pacing={"example.com": Pace(delay=0.0, rate="1/s")})
    assert settings.pace("example.com") == Pace(concurrency=3, delay=0.0, jitter=0.0, rate="1/s", slow_start="first")


@pytest.mark.parametrize(
    ("settings", "slowly"),
    [
        (Settings(), True),
        (Settings(per_host=8), "first"),
        (Settings(per_host=8, slow_start=True), True),
        (Settings(slow_start=False), False),
        (Settings(pacing={"a.test": Pace(concurrency=4)}), "first"),
        (Settings(pacing={"a.test": Pace(delay=4)}), True),
        (Settings(pacing={"a.test": Pace(concurrency=4, slow_start=True)}), True),
    ],
)
def test_slow_start_is_enabled_unless_concurrency_is_configured(settings, slowly):
    assert settings.pace("a.test").slow_start == slowly


@each(
    ("glob", "authority", "matches"),
    [
        ("example.com", "example.com", True),
        ("example.com", "example.com:8080", True),
        ("example.com:8080", "example.com:8080", True),
        ("example.com:8080", "example.com:8081", False),
        ("example.com:8080", "example.com", False),
        ("example.com", "www.example.com", False),
        ("*.example.com", "www.example.com:81", True),
        ("*.example.com", "example.com", False),
        ("*", "example.com", True),
        ("*:8080", "example.com:8080", True),
        ("127.0.0.?", "127.0.0.1:80", True),
        ("Example.COM", "example.com", True),
        ("[::1]", "[::1]", True),
        ("[::1]", "[::1]:8080", True),
        ("[::1]:8080", "[::1]:8080", True),
        ("[::1]:8080", "[::1]:8081", False),
        ("key:A", "key:A", True),
        ("key:A", "key:B", False),
    ],
)
def test_globs_match_hosts_with_or_without_port(glob, authority, matches):
    pace = Settings(pacing={glob: Pace(burst=7)}).pace(authority)
    assert (pace.burst == 7) is matches


def test_the_first_matching_glob_is_used():
    settings = Settings(pacing={"*.test": Pace(burst=2), "a.test": Pace(burst=3), "*": Pace(burst=4)})
    assert [settings.pace(host).burst for host in ("a.test", "b.test", "c.other")] == [2, 2, 4]


def test_a_setting_with_choices_names_them():
    for make in (lambda: Settings(durability="never"), lambda: Settings.from_strings({"durability": "never"})):
        with pytest.raises(ConfigError, match="^setting durability: must be process or power, not 'never'$"):
            make()


def test_an_unknown_name_is_refused_in_python_and_as_text():
    for make in (lambda: Settings(per_domain=3), lambda: Settings.from_strings({"per_domain": "3"})):
        with pytest.raises(ConfigError, match=r"^no such setting: per_domain \(did you mean per_host\?\)$"):
            make()


def test_references_to_the_environment_are_kept_until_a_crawl_resolves_them(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "abc")
    monkeypatch.setenv("TEST_PROXY", "http://ada:abc@proxy.test:8080")
    settings = Settings(
        headers={"X-Api-Key": "env:TEST_KEY", "X-Auth": "Bearer env:TEST_KEY", "A": "b"},
        proxies={"*.test": ["env:TEST_PROXY", "direct"]},
        user_agent="env:TEST_KEY",
        workers=2,
    )
    assert settings.headers["X-Api-Key"] == "env:TEST_KEY"
    resolved = settings.resolved()
    assert resolved.headers == {"X-Api-Key": "abc", "X-Auth": "Bearer abc", "A": "b"}
    assert resolved.proxies == {"*.test": ("http://ada:abc@proxy.test:8080", "direct")}
    assert (resolved.user_agent, resolved.workers) == ("abc", 2)
    assert resolved.given.keys() == settings.given.keys()


@pytest.mark.parametrize(("word", "verify"), [("off", False), ("TRUE", True), ("ca.pem", "ca.pem")])
def test_a_word_is_a_boolean_also_where_text_is_possible(word, verify):
    assert Settings.from_strings({"tls_verify": word}).tls_verify == verify


def test_settings_given_as_text_may_name_environment_variables(monkeypatch):
    monkeypatch.setenv("TEST_WORKERS", "3")
    monkeypatch.setenv("TEST_HEADERS", '{"A": "b"}')
    settings = Settings.from_strings({"workers": "env:TEST_WORKERS", "headers": "env:TEST_HEADERS"})
    assert (settings.workers, settings.headers) == (3, {"A": "b"})


@pytest.mark.parametrize(
    ("values", "variable", "message"),
    [
        ({"headers": {"X-Key": "env:TEST_KEY"}}, None,
         "headers: X-Key: the environment variable 'TEST_KEY' is not set"),
        ({"headers": {"X-Key": "env:TEST_KEY"}}, "abc\n",
         "headers: not a value for X-Key: a line break that cannot be sent at position 4"),
        ({"proxies": "env:TEST_KEY"}, "ada:abc@proxy:8080",
         "proxies: *: not the URL of an http, https, socks5 or socks5h proxy: '***@proxy:8080'"),
        ({"user_agent": "env:TEST_KEY"}, None, "user_agent: the environment variable 'TEST_KEY' is not set"),
    ],
)  # fmt: skip
def test_an_invalid_value_of_a_variable_is_refused_and_not_shown(monkeypatch, values, variable, message):
    monkeypatch.delenv("TEST_KEY", raising=False)
    if variable is not None:
        monkeypatch.setenv("TEST_KEY", variable)
    with pytest.raises(ConfigError) as caught:
        Settings(**values).resolved()
    assert str(caught.value) == f"setting {message}"


def test_a_mapping_of_fields_is_a_pace():
    assert Settings(pacing={"*.test": {"delay": 2.0}}).pacing == {"*.test": Pace(delay=2.0)}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "must be a mapping of globs to Pace, not 5"),
        ([1], "must be a mapping of globs to Pace, not [1]"),
        ({5: Pace()}, "a glob must be text, not 5"),
        ({"a": None}, "a: must be a Pace or a mapping of its fields, not None"),
        ({"a": 5}, "a: must be a Pace or a mapping of its fields, not 5"),
        ({"a": {"rat": "1/s"}}, "a: no such field: rat (did you mean rate?)"),
        ({"a": {"delay": -1}}, "a: delay must be 0 seconds or more, not -1"),
        ({"a": {"rate": "fast"}}, "a: not a rate: 'fast'"),
    ],
)
def test_an_invalid_pace_is_rejected_by_its_glob(value, words):
    with pytest.raises(ConfigError) as caught:
        Settings(pacing=value)
    assert str(caught.value).startswith(f"setting pacing: {words}")
