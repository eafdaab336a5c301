"""What the URLs of all jobs in databases have in common."""

from __future__ import annotations

import pytest

from crawler.errors import ConfigError
from crawler.store.job_url import JobUrl

FORM = "db://HOST/DATABASE/JOB"


def parsed(name: str = "job", query: str = "") -> JobUrl:
    return JobUrl.parse(f"db://me:secret@db.test/crawls/{name}{query}", FORM, "names no job")


def test_a_url_is_taken_apart_and_shown_without_its_secrets() -> None:
    url = parsed("shop", "?lease=20&sslmode=require")
    assert (url.database, url.job, url.lease, url.options) == ("crawls", "shop", 20.0, {"sslmode": "require"})
    assert url.shown == "db://***@db.test/crawls/shop"
    assert "secret" not in repr(url)


@pytest.mark.parametrize("name", ["a", "_", "shop_2", "b" * 48])
def test_names_of_jobs(name: str) -> None:
    assert parsed(name).job == name


@pytest.mark.parametrize("name", ["Shop", "2shop", "a-b", "a%20b", "%C3%A4", "b" * 49])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a job"):
        parsed(name)


def test_a_url_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^job db://\*\*\*@db.test/crawls/ names no job$"):
        parsed("")


@pytest.mark.parametrize(("text", "seconds"), [("", 60.0), ("0.5", 0.5), ("20", 20.0), ("86400", 86_400.0)])
def test_leases(text: str, seconds: float) -> None:
    assert parsed(query=f"?lease={text}").lease == seconds


@pytest.mark.parametrize("text", ["0", "0.4", "86401", "-1", "nan", "inf", "soon"])
def test_other_leases_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="lease must be a number of seconds from 0.5 to 86400"):
        parsed(query=f"?lease={text}")


@pytest.mark.parametrize(("lease", "seconds"), [(0.5, 1.0), (20, 5.0), (60, 15.0), (600, 15.0)])
def test_a_silent_connection_is_given_up_well_within_a_lease(lease: float, seconds: float) -> None:
    assert parsed(query=f"?lease={lease}").silence == seconds
