"""The outputs `mysql` and `mariadb`; tests/integration/databases tests them with a server."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pymysql
import pytest
from crawler_plugins.outputs import mysql
from crawler_plugins.outputs.mysql import MySQL

from crawler import ConfigError
from crawler.sinks import open_output


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_the_parts_of_the_url_are_the_arguments_of_the_connection(monkeypatch, scheme):
    given = {}
    monkeypatch.setattr(pymysql, "connect", lambda **arguments: given.update(arguments) or SimpleNamespace())
    sink = open_output(f"{scheme}://me:p%40w@db:3307/shop?table=quotes&ssl_ca=ca.pem")
    sink.connect()
    assert (type(sink), sink.table) == (MySQL, "quotes")
    assert {name: given[name] for name in ("host", "port", "user", "password", "database", "ssl_ca")} == {
        "host": "db", "port": 3307, "user": "me", "password": "p@w", "database": "shop", "ssl_ca": "ca.pem",
    }  # fmt: skip
    assert "p@w" not in sink.name
    assert "p%40w" not in sink.name


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://me:pw@db", "name a database, as in mysql://HOST/DATABASE"),
        ("mysql://me:pw@db/a/b", "name a database"),
        ("mysql://me:pw@db:port/shop", "the port must be a number"),
        ("mysql://me:pw@db/shop?sokcet=/x", "no argument 'sokcet'"),
    ],
)
def test_a_wrong_url_is_refused_without_the_password(url, message):
    with pytest.raises(ConfigError, match=message) as caught:
        open_output(url)
    assert "pw" not in str(caught.value)


def test_a_socket_takes_the_place_of_host_and_port(monkeypatch):
    given = {}
    monkeypatch.setattr(pymysql, "connect", lambda **arguments: given.update(arguments) or SimpleNamespace())
    open_output("mysql://me@localhost/shop?unix_socket=/run/mysqld.sock").connect()
    assert given["unix_socket"] == "/run/mysqld.sock"


def test_errors_after_which_another_connection_may_work():
    sink = MySQL("mysql://db/shop")
    for code in (2003, 2006, 2013, 1213):
        assert sink.is_lost(pymysql.OperationalError(code, "x"))
    assert sink.is_lost(pymysql.InterfaceError(0, ""))
    for other in (pymysql.OperationalError(1045, "denied"), pymysql.ProgrammingError(1146, "x"), ValueError()):
        assert not sink.is_lost(other)


def test_the_server_is_not_there():
    with pytest.raises(ConfigError, match="cannot connect to mysql://"):
        open_output("mysql://me:pw@127.0.0.1:1/shop").check()


def test_a_server_that_never_answers_is_an_error_soon(monkeypatch):
    monkeypatch.setattr(mysql, "CONNECT_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ConfigError, match="cannot connect to mysql://.*timed out"):
            open_output(f"mysql://me:pw@127.0.0.1:{port}/shop").check()


def test_a_statement_may_take_longer_than_the_login(monkeypatch):
    monkeypatch.setattr(
        pymysql, "connect", lambda **arguments: SimpleNamespace(_read_timeout=arguments["read_timeout"])
    )
    connection = MySQL("mysql://db/shop").connect()
    assert connection._read_timeout == 60 > mysql.CONNECT_TIMEOUT
