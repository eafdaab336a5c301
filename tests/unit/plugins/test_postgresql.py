"""The output `postgresql`; tests/integration/databases tests it with a server."""

from __future__ import annotations

import psycopg
import pytest
from crawler_plugins.outputs.postgresql import PostgreSQL

from crawler import ConfigError
from crawler.sinks import open_output


def test_options_of_the_output_are_taken_from_the_url_and_those_of_libpq_stay():
    sink = open_output("postgresql://me:pw@db/shop?table=quotes&sslmode=require&retry=5")
    assert (type(sink), sink.table, sink.retry) == (PostgreSQL, "quotes", 5.0)
    assert sink._address == "postgresql://me:pw@db/shop?sslmode=require"
    assert "pw" not in sink.name + sink.place


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("tabel=x", r"no argument 'tabel' \(did you mean table\?\)"),
        ("retry=-1", "retry must be 0 seconds or more"),
        ("retry=inf", "retry must be 0 seconds or more"),
        ("table=", "the name of a table must not be empty"),
        ("table=%25(n)s", "no such field in the name of a table"),
    ],
)
def test_a_wrong_option_is_refused_without_the_password(query, message):
    with pytest.raises(ConfigError, match=message) as caught:
        open_output(f"postgresql://me:pw@db/shop?{query}")
    assert "pw" not in str(caught.value)


def test_the_parameters_of_the_connection_can_be_set(monkeypatch):
    given = []
    monkeypatch.setattr(psycopg, "connect", given.append)
    open_output("postgresql://db/shop?connect_timeout=3").connect()
    assert set(given[0].split()) == {
        "connect_timeout=3",
        "keepalives_idle=10",
        "tcp_user_timeout=30000",
        "host=db",
        "dbname=shop",
    }


def test_errors_after_which_another_connection_may_work():
    sink = PostgreSQL("postgresql://db/shop")
    errors = psycopg.errors
    gone = (psycopg.OperationalError(), errors.AdminShutdown(), errors.DeadlockDetected(), psycopg.InterfaceError())
    for lost in gone:
        assert sink.is_lost(lost)
    for other in (errors.DiskFull(), errors.UndefinedColumn(), errors.InsufficientPrivilege(), ValueError()):
        assert not sink.is_lost(other)


def test_the_server_is_not_there():
    with pytest.raises(ConfigError, match="cannot connect to postgresql://"):
        open_output("postgresql://me:pw@127.0.0.1:1/shop").check()
