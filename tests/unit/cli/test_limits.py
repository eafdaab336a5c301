"""``crawler limits``: the limits that a server declares, explained."""

from __future__ import annotations

import json

from support.localsite import Answer, local_site

QUOTA = {"RateLimit-Policy": "100;w=60", "RateLimit-Limit": "100", "RateLimit-Remaining": "40", "RateLimit-Reset": "30"}


def test_a_declared_quota_is_explained_with_the_pace_that_keeps_it(command):
    with local_site({"/users": Answer("{}", headers=QUOTA)}) as site:
        code, out, err = command("limits", f"{site.url}users")
        assert (code, err) == (0, "")
        first, *lines = out.splitlines()
        assert first == f"{site.url}users returned 200 OK"
        assert [line for line in lines if line.startswith("  header")] == [
            f"  header    {name}: {value}" for name, value in QUOTA.items()
        ]
        [quota] = [line for line in lines if line.startswith("  quota")]
        assert quota.startswith("  quota     60s: 100 requests per 60 s, 40 left, reset in ")
        assert "  pace      1.67 requests per second on average, from the quota 60s" in lines
        assert [asked.path for asked in site.log] == ["/robots.txt", "/users"]


def test_a_window_of_which_a_single_reset_is_known_may_be_longer(command):
    """The request may have come in the last minute of an hour."""
    fields = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "60"}
    with local_site({"/users": Answer("{}", headers=fields)}) as site:
        code, out, err = command("limits", f"{site.url}users")
        assert (code, err) == (0, "")
        assert "  quota     default: 100 requests per 60 s or longer, by a single reset, 99 left, reset in " in out
        assert "  pace      at most 1.67 requests per second on average, from the quota default\n" in out
        code, out, err = command("limits", f"{site.url}users", "--json")
        assert json.loads(out)["policies"]["default"]["window_is_guess"] is True


def test_a_refusal_is_explained_and_not_retried(command):
    refusal = Answer("slower", 429, {"Retry-After": "3600"})
    with local_site({"/users": refusal}) as site:
        code, out, err = command("limits", f"{site.url}users")
        assert (code, err) == (0, "")
        first, *lines = out.splitlines()
        assert first == f"{site.url}users returned 429 Too Many Requests: too many requests for now"
        assert "  header    Retry-After: 3600" in lines
        [after] = [line for line in lines if line.startswith("  next")]
        assert after.startswith("  next      a request may start in ")
        assert after.endswith(" min (this one was refused)")
        assert len(site.asked("/users")) == 1


def test_without_declared_limits_the_settings_are_shown(command):
    with local_site({"/": "hello"}) as site:
        pacing = json.dumps({"127.0.0.1": {"rate": "60/min", "concurrency": 3}})
        code, out, err = command("limits", site.url, "-s", f"pacing={pacing}", "-s", "delay=2")
        assert (code, err) == (0, "")
        assert out.splitlines()[1] == "  header    none about limits"
        assert "  pace      one request every 1 s, from your rate of 60/min\n" in out
        assert "  pace      one request every 2 s, from the delay\n" in out
        assert "  in flight 3 at once\n" in out


def test_json_is_for_other_programs(command):
    with local_site({"/users": Answer("{}", headers=QUOTA)}) as site:
        code, out, err = command("limits", f"{site.url}users", "--json")
        assert (code, err) == (0, "")
        known = json.loads(out)
        assert (known["url"], known["status"], known["refused"]) == (f"{site.url}users", 200, False)
        assert known["fields"] == [list(pair) for pair in QUOTA.items()]
        assert known["policies"]["60s"]["limit"] == 100
        assert known["policies"]["60s"]["remaining"] == 40
        assert 0 <= known["next_in"] <= 30


def test_a_url_that_robots_txt_disallows_is_not_fetched(command):
    with local_site({"/robots.txt": "User-agent: *\nDisallow: /", "/users": "x"}) as site:
        code, out, err = command("limits", f"{site.url}users")
        assert (code, out) == (1, "")
        assert err.startswith(f"crawler: {site.url}users was not requested: its robots.txt forbids it")
        assert site.asked("/users") == []
