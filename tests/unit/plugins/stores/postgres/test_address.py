"""The URL of a job in PostgreSQL."""

from __future__ import annotations

import pytest
from crawler_plugins.stores.postgres.address import Address
from support.cases import each

from crawler import ConfigError


def test_the_last_part_of_the_path_is_the_job_and_the_rest_is_the_database() -> None:
    address = Address.parse("postgresql://me:secret@db.test:5433/crawls/books?sslmode=require&lease=20")
    assert (address.job, address.schema, address.lease) == ("books", "crawler_books", 20.0)
    place, _, query = address.conninfo.partition("?")
    assert place == "postgresql://me:secret@db.test:5433/crawls"
    assert "sslmode=require" in query
    assert "lease" not in query
    assert "secret" not in address.shown
    assert "secret" not in repr(address)


def test_a_socket_needs_no_host() -> None:
    address = Address.parse("postgresql:///crawls/books?host=/run/postgresql&user=me")
    assert address.conninfo.startswith("postgresql:///crawls?")
    assert address.lease == 60.0


def test_the_url_may_set_parameters_of_the_connection() -> None:
    assert "connect_timeout=3" in Address.parse("postgresql://db.test/crawls/books?connect_timeout=3").conninfo


@pytest.mark.parametrize(("lease", "milliseconds"), [(2, 1000), (20, 5000), (60, 15000), (600, 15000)])
def test_a_connection_that_acknowledges_nothing_is_given_up_well_within_a_lease(lease: int, milliseconds: int) -> None:
    conninfo = Address.parse(f"postgresql://db.test/crawls/books?lease={lease}").conninfo
    assert f"tcp_user_timeout={milliseconds}" in conninfo


@each(
    ("url", "message"),
    [
        ("postgresql://me:secret@db.test", "names no database and job"),
        ("postgresql://me:secret@db.test/crawls", "names no database and job"),
        ("postgresql://me:secret@db.test/crawls/", "names no database and job"),
        ("postgresql://me:secret@db.test/a/b/c", "names no database and job"),
        ("postgresql://me:secret@db.test/crawls/Books", "'Books' cannot be the name of a job"),
        ("postgresql://me:secret@db.test/crawls/a-b", "'a-b' cannot be the name of a job"),
        ("postgresql://me:secret@db.test/crawls/" + "b" * 49, "at most 48"),
        ("postgresql://me:secret@db.test/crawls/books?lease=0", "lease must be a number of seconds"),
        ("postgresql://me:secret@db.test/crawls/books?lease=soon", "not 'soon'"),
        ("postgresql://me:secret@db.test/crawls/books?lease=nan", "lease must be a number of seconds"),
        ("postgresql://me:secret@db.test/crawls/books?lease", "is not a URL of the form"),
        ("postgresql://me:secret@[db.test/crawls/books", "is not a URL of the form"),
    ],
)
def test_other_urls_are_refused_without_their_secrets(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Address.parse(url)
    assert "secret" not in str(caught.value)
