"""Log messages and other text on standard error, as lines or as JSON."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from crawler.cli.logs import log_to_stderr, log_traceback, plural, say, size
from crawler.errors import ConfigError, CrawlFailed
from crawler.redaction import add_secrets, redact

pytestmark = pytest.mark.usefixtures("in_process")


class Closed:
    """A stream whose other end is closed."""

    def write(self, text):
        raise BrokenPipeError


def fail():
    raise LookupError("no shelf")


def error_of_user_code():
    """An error whose cause was raised in a task, by code of the user."""
    try:
        try:
            fail()
        except LookupError as error:
            raise ExceptionGroup("tasks", [error]) from None
    except ExceptionGroup as group:
        failed = CrawlFailed("LookupError: no shelf")
        failed.__cause__ = group
        return failed


def test_messages_below_the_level_are_not_written(capfd):
    log_to_stderr("warning")
    log = logging.getLogger("crawler.engine")
    log.info("starting")
    log.warning("slow")
    assert capfd.readouterr() == ("", "WARNING crawler.engine: slow\n")


def test_errors_that_a_library_raises_as_well_are_not_logged(capfd):
    log_to_stderr()
    try:
        raise OSError("cancelled")
    except OSError:
        logging.getLogger("coredis").exception("Connection attempt failed unexpectedly!")
    assert capfd.readouterr().err == ""


def test_messages_at_level_debug_have_a_time_and_libraries_stay_quiet(capfd):
    log_to_stderr("debug")
    logging.getLogger("crawler.engine").debug("200 GET")
    logging.getLogger("httpx").debug("connecting")
    err = capfd.readouterr().err
    assert err.endswith(" DEBUG crawler.engine: 200 GET\n")
    assert err.count("\n") == 1


def test_json_messages_have_time_level_logger_and_message(capfd):
    log_to_stderr("info", as_json=True)
    logging.getLogger("shop").info("%d books", 3)
    record = json.loads(capfd.readouterr().err)
    assert record.keys() == {"time", "level", "logger", "message"}
    assert (record["level"], record["logger"], record["message"]) == ("info", "shop", "3 books")
    assert record["time"].endswith("+00:00")


def test_json_messages_hold_the_traceback_in_the_same_line(capfd):
    log_to_stderr(as_json=True)
    try:
        fail()
    except LookupError:
        logging.getLogger("shop").exception("stopped")
    [line] = capfd.readouterr().err.splitlines()
    assert "LookupError: no shelf" in json.loads(line)["traceback"]


def test_the_handler_writes_to_the_present_standard_error(capfd, monkeypatch):
    log_to_stderr()
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    logging.getLogger("shop").warning("here")
    assert capfd.readouterr() == ("WARNING shop: here\n", "")


def test_messages_are_written_at_every_level(capfd):
    log_to_stderr("critical")
    say("finished\n  3 items\n")
    assert capfd.readouterr().err == "finished\n  3 items\n"


def test_messages_are_records_where_logs_are_json(capfd):
    log_to_stderr("critical", as_json=True)
    say("finished\n  3 items\n", level=logging.ERROR)
    record = json.loads(capfd.readouterr().err)
    assert (record["level"], record["logger"], record["message"]) == ("error", "crawler.cli", "finished\n  3 items")


def test_a_closed_standard_error_is_not_an_error(monkeypatch):
    log_to_stderr()
    monkeypatch.setattr(sys, "stderr", Closed())
    say("nobody reads this\n")


def test_an_error_of_user_code_has_the_frames_of_the_user(capfd):
    log_to_stderr()
    log_traceback(error_of_user_code())
    err = capfd.readouterr().err
    assert err.startswith("ERROR crawler.cli: LookupError: no shelf\n")
    assert "in fail" in err
    assert "crawler/engine" not in err


def test_an_error_of_our_own_has_no_traceback_but_at_level_debug(capfd):
    log_to_stderr()
    log_traceback(ConfigError("no such setting"))
    assert capfd.readouterr().err == ""
    log_to_stderr("debug")
    log_traceback(ConfigError("no such setting"))
    assert "ConfigError: no such setting" in capfd.readouterr().err


@pytest.mark.parametrize(("n", "text"), [(0, "0 pages"), (1, "1 page"), (2, "2 pages")])
def test_a_noun_agrees_with_its_number(n, text):
    assert plural(n, "page") == text


@pytest.mark.parametrize(
    "message", ["token=\"abc\" and \\ key='abc'", 'see https://h.example/?token=abc"', '{"token": "abc"}']
)
def test_no_record_of_any_logger_shows_a_secret_and_json_stays_valid(capfd, message):
    log_to_stderr("info", as_json=True)
    logging.getLogger("mine").info(message)
    say(message)
    lines = capfd.readouterr().err.splitlines()
    assert [record["message"] for record in map(json.loads, lines)] == [redact(message)] * 2
    log_to_stderr("info")
    logging.getLogger("mine").info(message)
    say(message)
    assert "abc" not in "".join([*lines, capfd.readouterr().err])


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12.3e6, "12.3 MB"), (5e12, "5000.0 GB")]
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text


def test_loggers_of_users_show_no_known_secret_and_no_forged_record(capfd):
    add_secrets("hunter2hunter2", "api_key")
    for as_json in (False, True):
        log_to_stderr(as_json=as_json)
        try:
            raise ValueError("refused\nERROR x: hunter2hunter2")
        except ValueError:
            logging.getLogger("shop").exception("tab\there\nERROR x: hunter2hunter2")
        out, err = capfd.readouterr()
        assert (out, "hunter2" in err) == ("", False)
        assert not [line for line in err.splitlines() if line.startswith("ERROR x")]
        assert err.startswith("{" if as_json else "ERROR shop: tab\there\\u000aERROR x: ***\nTraceback")
