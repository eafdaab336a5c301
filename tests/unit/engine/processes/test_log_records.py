"""Log records between processes: the first one writes them as if they had been made there."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from crawler.engine.processes import wire
from crawler.engine.processes.log_records import SendingHandler, emit, send_records


@pytest.fixture
def sent() -> Iterator[list[wire.Log]]:
    """The records that a logger sends."""
    found: list[wire.Log] = []
    logger = logging.getLogger("tests.sent")
    handler = SendingHandler(found.append)
    logger.addHandler(handler)
    logger.propagate = False
    yield found
    logger.removeHandler(handler)
    logger.propagate = True


def test_a_record_arrives_with_its_traceback(sent: list[wire.Log], caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tests.sent")
    try:
        raise KeyError("lost")
    except KeyError:
        logger.exception("failed at %s", "a page", extra={"shown": 1, "hidden": object()})
    logger.handlers.clear()
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        logger.propagate = True
        emit(sent[0].record)
    [record] = caplog.records
    assert (record.getMessage(), record.levelno, record.name) == ("failed at a page", logging.ERROR, "tests.sent")
    assert record.shown == 1
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)
    assert record.exc_text is None or "lost" in record.exc_text


def test_all_records_of_the_root_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    root, found = logging.getLogger(), []
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    send_records(found.append)
    logging.getLogger("any.name").error("one")
    assert len(root.handlers) == len(found) == 1


def test_a_message_that_cannot_be_formatted_is_reported_as_by_other_handlers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent: list[wire.Log] = []
    made = logging.makeLogRecord({"msg": "%d", "args": ("no number",)})
    SendingHandler(sent.append).handle(made)
    assert sent == []
    assert "Logging error" in capsys.readouterr().err
