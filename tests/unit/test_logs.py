"""Records of the framework's loggers contain no secrets."""

from __future__ import annotations

import logging

import pytest

from crawler.logs import get_logger


def test_messages_and_tracebacks_are_redacted_for_every_handler(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("crawler.test")
    assert get_logger("crawler.test") is log
    assert len(log.filters) == 1
    try:
        raise ValueError("no answer from https://h.example/?token=abc")
    except ValueError:
        log.exception("failed: %s", "https://ada:abc@h.example/")
    assert caplog.messages == ["failed: https://***@h.example/"]
    written = logging.Formatter().format(caplog.records[0])
    assert "abc" not in written
    assert "ValueError: no answer from https://h.example/?token=***" in written


def test_no_text_of_a_page_can_pass_for_a_record(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("cannot read a\nERROR crawler: forged\n\nWARNING: forged")
    except ValueError:
        get_logger("crawler.test").exception("failed: %s", "a\nERROR crawler: forged")
    assert caplog.messages == ["failed: a\\u000aERROR crawler: forged"]
    lines = logging.Formatter().format(caplog.records[0]).splitlines()
    assert [line for line in lines if "forged" in line][2:] == ["    ERROR crawler: forged", "    WARNING: forged"]
    assert "ValueError: cannot read a" in lines


def test_the_middle_of_a_long_message_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("crawler.test").warning("failed: https://h.test/%s: refused", "a" * 2_000_000)
    [message] = caplog.messages
    assert message.startswith("failed: https://h.test/aaa")
    assert message.endswith("aaa: refused")
    assert "aaa… (1,990,032 characters left out) …aaa" in message
    assert len(message) < 10_100
