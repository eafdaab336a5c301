"""The certificate authorities that are trusted, from the setting and the environment."""

from __future__ import annotations

import pytest
import trustme

from crawler.errors import ConfigError
from crawler.transport.authorities import VARIABLES, trusted_authorities


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return str(path)


def test_without_a_path_those_of_certifi_are_trusted():
    assert trusted_authorities(True, {"HOME": "/", "SSL_CERT_FILE": ""}) is True
    assert trusted_authorities(False, {"SSL_CERT_FILE": "/nowhere"}) is False


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_names_a_file_or_folder(file, tmp_path, name):
    assert trusted_authorities(True, {name: file}) == file
    assert trusted_authorities(True, {name: str(tmp_path)}) == str(tmp_path)


def test_the_setting_comes_first_then_the_variables_in_their_order(file, tmp_path):
    assert trusted_authorities(tmp_path, {"SSL_CERT_FILE": file}) == str(tmp_path)
    assert trusted_authorities(True, {"REQUESTS_CA_BUNDLE": str(tmp_path), "CURL_CA_BUNDLE": file}) == file


def test_a_path_that_cannot_be_used_is_refused_with_its_origin(tmp_path):
    (tmp_path / "text.pem").write_text("no certificate")
    (tmp_path / "closed.pem").symlink_to("closed.pem")
    with pytest.raises(ConfigError, match=r"setting tls_verify: no such file: .*none.pem"):
        trusted_authorities(tmp_path / "none.pem", {})
    with pytest.raises(ConfigError, match=r"environment variable CURL_CA_BUNDLE: .*text.pem holds no certificate"):
        trusted_authorities(True, {"CURL_CA_BUNDLE": str(tmp_path / "text.pem")})
    with pytest.raises(ConfigError, match="no such file"):
        trusted_authorities("a\0b", {})
