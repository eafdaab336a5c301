"""The files in ``examples/deploy`` fit each other, the package and the command line. No engine is needed."""

from __future__ import annotations

import configparser
import inspect
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from crawler import Job, Settings
from crawler.cli.commands import command_of
from crawler.hooks.load import installed

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
GRACE = 10


def instructions(name: str) -> list[str]:
    """Return the arguments of each instruction of this name in the Dockerfile, in order."""
    text = DOCKERFILE.replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.split(maxsplit=1)[:1] == [name]]


def accept(words: list[str]) -> dict[str, object]:
    """Return the arguments of a command of the crawler, which must be right."""
    called: Any = command_of(words)
    given = dict(inspect.signature(called.func).bind(*called.args, **called.keywords).arguments)
    assert set(given.get("plugin", ())) <= set(installed())
    return given


def unit(name: str) -> configparser.ConfigParser:
    """Return a unit of systemd."""
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str
    parser.read_string((DEPLOY / name).read_text())
    return parser


def test_the_image_runs_the_command_without_root_and_stops_it_gently():
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["crawler"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    [user] = instructions("USER")
    assert user != "root"
    assert re.search(rf"useradd .*\b{user}\b", DOCKERFILE)
    lines = [line.split()[0] for line in DOCKERFILE.splitlines() if re.match(r"[A-Z]+ ", line)]
    assert lines.index("USER") > max(place for place, line in enumerate(lines) if line == "RUN")


def test_the_image_is_of_a_python_that_is_supported():
    [image] = instructions("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", image)[1]
    assert f"Python :: {version}" in (ROOT / "pyproject.toml").read_text()


def test_the_build_leaves_out_nothing_that_the_image_needs():
    """The project's own build reads these; environments and history are left out."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    ignored = {line for line in lines if not line.startswith("#")}
    assert {".git", ".venv"} <= ignored
    assert ignored & {"crawler", "plugins", "pyproject.toml", "README.md", "LICENSE"} == set()


def test_the_folder_of_jobs_belongs_to_the_user_before_it_is_a_volume():
    [volume], [user] = instructions("VOLUME"), instructions("USER")
    assert f"-o {user}" in DOCKERFILE[: DOCKERFILE.index("VOLUME")]
    assert volume in DOCKERFILE[: DOCKERFILE.index("VOLUME")]


@pytest.mark.parametrize("service", yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values())
def test_compose_builds_the_image_and_runs_a_command(service):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / service["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    volumes = dict(volume.split(":")[:2][::-1] for volume in service["volumes"])
    accept(service["command"])
    spider = Path(service["command"][1])
    source = DEPLOY / volumes[f"/work/{spider.parent}"]
    assert (source / spider.name).is_file()
    [jobs] = instructions("VOLUME")
    assert volumes[jobs] in compose["volumes"]
    assert all(word.partition("=")[2].startswith("jobs/") for word in service["command"] if "=" in word)
    assert int(service["stop_grace_period"].removesuffix("s")) > GRACE
    assert set(service["environment"]) <= {f"CRAWLER_{name}" for name in ("WORKERS", "JOB", "OUTPUTS")}


def test_the_service_of_systemd_runs_a_durable_crawl():
    service = unit("quotes.service")["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert Path(program).name == "crawler"
    assert accept(words)["job"]
    assert int(service["TimeoutStopSec"]) > GRACE
    assert service["SuccessExitStatus"] == "130"


def workers_of_compose():
    """Return the command and the service of the workers."""
    service = yaml.safe_load((DEPLOY / "workers.compose.yaml").read_text())["services"]["worker"]
    return service["command"], service


def workers_of_kubernetes():
    """Return the command and the job of the workers."""
    job = yaml.safe_load((DEPLOY / "workers.kubernetes.yaml").read_text())
    [container] = job["spec"]["template"]["spec"]["containers"]
    return container["args"], job


def test_workers_join_a_job_whose_url_comes_from_the_environment(monkeypatch):
    service = unit("crawl-worker@.service")["Service"]
    _, *of_systemd = shlex.split(service["ExecStart"])
    of_compose, compose = workers_of_compose()
    of_kubernetes, kubernetes = workers_of_kubernetes()
    for command in (of_systemd, of_compose, of_kubernetes):
        assert command[:2] == ["worker", "env:JOB"]
        accept(command)
        accept(["run", *command[2:]])
    monkeypatch.setenv("JOB", compose["environment"]["JOB"])
    Job("env:JOB").check()
    for seconds in (
        service["TimeoutStopSec"], compose["stop_grace_period"].removesuffix("s"),
        kubernetes["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
    ):  # fmt: skip
        assert int(seconds) > GRACE
    assert service["Restart"] == compose["restart"] == "on-failure"


def test_the_timer_starts_that_service():
    timer = unit("quotes.timer")
    assert timer["Timer"]["OnCalendar"]
    assert "Unit" not in timer["Timer"]  # so the service of the same name
    assert (DEPLOY / "quotes.service").is_file()
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_cron_runs_a_durable_crawl():
    [line] = [line for line in (DEPLOY / "crontab").read_text().splitlines() if line and line[0] != "#"]
    *times, command = line.split(maxsplit=5)
    assert len(times) == 5
    words = shlex.split(command.partition("&&")[2])
    assert Path(words[0]).name == "crawler"
    assert accept(words[1:])["job"]
    assert "%" not in command  # which cron reads as the end of a line


def test_grace_is_the_default():
    assert Settings().grace == GRACE
