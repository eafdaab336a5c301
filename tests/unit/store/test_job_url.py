"""What the URLs of all jobs in databases have in common."""

from __future__ import annotations

import pytest

from crawler.errors import ConfigError
from crawler.store.job_url import checked_name, lease_of, silence


@pytest.mark.parametrize("name", ["a", "_", "shop_2", "b" * 48])
def test_names_of_jobs(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", "Shop", "2shop", "a-b", "a b", "ä", "b" * 49])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a job"):
        checked_name(name)


@pytest.mark.parametrize(("text", "seconds"), [("", 60.0), ("0.5", 0.5), ("20", 20.0), ("86400", 86_400.0)])
def test_leases(text: str, seconds: float) -> None:
    assert lease_of(text, "job") == seconds


@pytest.mark.parametrize("text", ["0", "0.4", "86401", "-1", "nan", "inf", "soon"])
def test_other_leases_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="lease must be a number of seconds from 0.5 to 86400"):
        lease_of(text, "job")


@pytest.mark.parametrize(("lease", "seconds"), [(0.5, 1.0), (20, 5.0), (60, 15.0), (600, 15.0)])
def test_a_silent_connection_is_given_up_well_within_a_lease(lease: float, seconds: float) -> None:
    assert silence(lease) == seconds
