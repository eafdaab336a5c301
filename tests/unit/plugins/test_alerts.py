"""Alerts by command and webhook."""

from __future__ import annotations

import itertools
import json
import logging
import sys

import httpx
import pytest
import trio
from crawler_plugins.alerts import MAX_WAITING, Alert, Alerts, alert_of

from crawler import ConfigError, QuotaEvent, client

URL = "https://user:pass@hooks.test/services/T0/s3cret"
LOW = Alert(text="quota is low", event="low", scope="https://api.test", remaining=0.0)


def posts(*answers):
    """Return a transport that gives these answers one after the other, and the list of its requests."""
    requests, rest = [], list(answers)

    def answer(request):
        requests.append((trio.current_time(), request))
        result = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(result, Exception):
            raise result
        return httpx.Response(result)

    return httpx.MockTransport(answer), requests


async def send(alerts, count=1):
    async with alerts.running():
        for _ in range(count):
            alerts.send(LOW)


async def test_a_webhook_gets_the_alert_as_json_with_a_text(autojump_clock):
    transport, requests = posts(200)
    await send(Alerts("quota", webhook=URL, transport=transport))
    [(_, request)] = requests
    assert json.loads(request.content) == {
        "text": "quota is low", "event": "low", "scope": "https://api.test", "remaining": 0.0,
    }  # fmt: skip
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")


@pytest.mark.parametrize("failure", [503, httpx.ConnectError("refused")])
async def test_a_webhook_that_fails_is_tried_again_with_backoff(autojump_clock, failure, caplog):
    transport, requests = posts(failure, failure, 200)
    await send(Alerts("quota", webhook=URL, transport=transport))
    times = [at for at, _ in requests]
    assert len(times) == 3
    assert times[0] < times[1] < times[2]
    assert len({request.headers["idempotency-key"] for _, request in requests}) == 1
    assert [record.getMessage() for record in caplog.records] == ["quota is low"]


async def test_alerts_are_sent_once_a_second_at_most(autojump_clock):
    transport, requests = posts(200)
    await send(Alerts("quota", webhook=URL, transport=transport), count=4)
    times = [at for at, _ in requests]
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(times))
    assert len(times) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [(404, "answered with status 404"), (httpx.ConnectError(f"cannot connect to {URL}"), "failed: ConnectError")],
)
async def test_the_url_of_a_webhook_is_never_logged(autojump_clock, caplog, answer, words):
    transport, _ = posts(answer)
    with caplog.at_level(logging.DEBUG):
        alerts = Alerts("quota", webhook=URL, transport=transport)
        async with alerts.running():
            alerts.send(LOW)
            await trio.sleep(60)
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert f"quota: the webhook at hooks.test {words}" in text
    assert "s3cret" not in text
    assert "pass" not in text


async def test_a_webhook_that_never_answers_holds_up_nothing_for_long(autojump_clock, caplog):
    async def never(_):
        await trio.sleep_forever()

    begun = trio.current_time()
    await send(Alerts("quota", webhook=URL, transport=httpx.MockTransport(never)))
    assert trio.current_time() - begun == 10
    assert "some alerts were not sent within 10 s" in caplog.text


async def test_more_alerts_than_may_wait_are_only_logged(autojump_clock, caplog):
    transport, _ = posts(200)
    await send(Alerts("quota", webhook=URL, transport=transport), count=MAX_WAITING + 5)
    assert caplog.text.count("so this one is only logged") in (4, 5)
    assert caplog.text.count("quota is low") == MAX_WAITING + 5


async def test_a_command_gets_the_alert_on_standard_input(tmp_path):
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    path = tmp_path / "$(touch x).json"
    await send(Alerts("quota", command=f"{sys.executable} -c '{script}' '{path}'"))
    assert json.loads(path.read_text())["text"] == "quota is low"


async def test_a_shell_interprets_a_command_only_on_request(tmp_path):
    path = tmp_path / "alerts.json"
    await send(Alerts("quota", command=f"echo x > {path}"))
    assert not path.exists()
    await send(Alerts("quota", command=f"cat > {path}", shell=True))
    assert json.loads(path.read_text())["event"] == "low"


async def test_a_command_that_fails_is_a_warning(caplog):
    await send(Alerts("quota", command="echo first >&2; echo no mail >&2; exit 3", shell=True))
    assert "quota: the command /bin/sh ended with code 3: no mail" in caplog.text


async def test_without_command_and_webhook_alerts_are_logged(caplog):
    await send(Alerts("quota"))
    assert caplog.messages == ["quota is low"]


async def test_the_events_of_a_client_become_alerts(autojump_clock, caplog):
    left = iter([30, 10, 5])

    def answer(_):
        return httpx.Response(200, headers={"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": f"{next(left)}"})

    alerts = Alerts("quota")
    async with client(transport=httpx.MockTransport(answer), on_event=alerts.on_event) as http:
        for _ in range(3):
            await http.get("https://api.test/")
    assert [line.partition(" is ")[2] for line in caplog.messages] == ["low, 10 left (10%)"]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (QuotaEvent(kind="recovered", policy=""), "api accepts requests again"),
        (QuotaEvent(kind="low", policy="p", limit=0.0, remaining=0.0), "api: quota p of 0 is low, 0 left"),
        (QuotaEvent(kind="policy_changed", policy="p", limit=5), "api: quota p of 5 was changed by the server"),
    ],
)
def test_the_text_of_an_event(event, text):
    assert alert_of(event, "api").text == text


@pytest.mark.parametrize(
    "webhook", ["x", "ftp://hooks.test/s3cret", "https://", "https://[s3cret", "http://a b/s3cret\n"]
)
def test_a_bad_webhook_is_refused_without_its_text(webhook):
    with pytest.raises(ConfigError, match="webhook must be an http or https URL") as caught:
        Alerts("quota", webhook=webhook)
    assert "s3cret" not in str(caught.value)
