from __future__ import annotations

import pytest
from crawler_plugins.stores.redis.address import Address
from support.cases import each

from crawler.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "host", "port", "database", "name"),
    [
        ("redis://localhost/shop", "localhost", 6379, 0, "shop"),
        ("redis://localhost:7000/2/shop", "localhost", 7000, 2, "shop"),
        ("redis://[::1]:7000/shop?cluster=yes&replicas=1", "::1", 7000, 0, "shop"),
    ],
)
def test_an_address_names_a_server_a_database_and_a_job(url, host, port, database, name):
    address = Address.parse(url)
    assert (address.host, address.port, address.database, address.job) == (host, port, database, name)


def test_the_parts_of_an_address():
    address = Address.parse("rediss://user:p%40ss@db.test/shop?cluster=yes&replicas=2")
    assert (address.username, address.password, address.tls) == ("user", "p@ss", True)
    assert (address.cluster, address.replicas) == (True, 2)
    assert "p%40ss" not in address.shown
    assert "p@ss" not in repr(address)


@each(
    "url",
    [
        "redis://localhost", "redis://localhost/", "redis:///shop", "redis://localhost/x/shop",
        "redis://localhost/0/a/b", "redis://localhost:99999/shop", "redis://localhost/a{b}", "redis://localhost/a%20b",
        "redis://localhost/shop?cluster=maybe", "redis://localhost/shop?x=1", "redis://localhost/shop?replicas=-1",
        "redis://localhost/shop?&&", "redis://localhost/shop?lease=0.1", "redis://localhost/shop?lease=x",
    ],
)  # fmt: skip
def test_a_url_of_another_form_is_refused_with_the_form(url):
    with pytest.raises(ConfigError, match="redis://host:6379|at most 48|option|lease|cluster"):
        Address.parse(url)


def test_a_refused_url_does_not_show_its_password():
    with pytest.raises(ConfigError) as caught:
        Address.parse("redis://user:hunter22@localhost/")
    assert "hunter22" not in str(caught.value)


def test_a_url_without_a_job_says_so():
    with pytest.raises(ConfigError, match="names no server and job: use redis://host:6379/DATABASE/JOB"):
        Address.parse("redis://localhost")
