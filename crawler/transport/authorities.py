"""`trusted_authorities`: the certificate authorities that a crawl or client trusts, from settings and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from crawler.errors import ConfigError
from crawler.lazy_pattern import lazy_pattern

__all__ = ["VARIABLES", "trusted_authorities"]

VARIABLES: Final = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""Environment variables that name a file or folder of trusted authorities; the first one that is set counts."""
CERTIFICATE: Final = lazy_pattern(rb"-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----")
"""The first line of a certificate in a file, as OpenSSL reads it (RFC 7468 section 5)."""


def trusted_authorities(
    verify: bool | str | os.PathLike[str], environment: Mapping[str, str], *, option: str = "setting tls_verify"
) -> bool | str:
    """Return `verify` for a transport: the path of authorities; `True` for those of certifi, `False` for no check."""
    if verify is False:
        return False
    if verify is not True:
        return _checked(os.fspath(verify), option)
    for name in VARIABLES:
        if environment.get(name):
            return _checked(environment[name], f"environment variable {name}")
    return True


def _checked(path: str, origin: str) -> str:
    """Return a path of authorities that can be loaded."""
    if "\0" in path or not Path(path).exists():
        raise ConfigError(f"{origin}: no such file: {path}")
    if Path(path).is_dir():
        return path
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{origin}: cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    if not CERTIFICATE.search(content):
        raise ConfigError(f"{origin}: {path} holds no certificate in the format PEM")
    return path
