"""SIGINT and SIGTERM end a process, whatever holds its crawl. All tests here use processes and real time."""

from __future__ import annotations

import json
import os
import re
import signal
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.environments import environment
from support.processes import PIPE, Process

HELD = Path(__file__).with_name("held.py")
INT, TERM = signal.SIGINT, signal.SIGTERM
BLOCKS = r"WARNING crawler.engine: the crawl cannot stop: {} blocks the event loop; the third signal ends the process"
WAITS = r"WARNING crawler.engine: the crawl has not stopped: it waits for {}; the third signal ends the process"


class Run:
    """A process that is held.

    Parameters:
        folder: Its working folder.
        how: An argument of `Held`.
        more: Further arguments of the command.
    """

    def __init__(self, folder: Path, *command: str) -> None:
        self.process = Process(command, cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE)
        RUNS.append(self)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"
        self.sent = 0.0

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.sent = time.monotonic()
        self.process.send_signal(number)

    def read_line(self) -> str:
        """Return the next line of standard error."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def end(self) -> tuple[int, str, float]:
        """Wait for the end; return the exit code, the rest of standard error, and the seconds since the last signal."""
        _, said = self.process.communicate(timeout=10)
        assert self.process.returncode is not None
        return self.process.returncode, said, time.monotonic() - self.sent


RUNS: list[Run] = []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "held.py").write_bytes(HELD.read_bytes())
    yield tmp_path
    for run in RUNS:
        if run.process.stderr is not None and not run.process.stderr.closed:  # the test did not wait for its end
            run.process.kill()
            run.process.communicate()
    RUNS.clear()


def crawl(folder: Path, how: str, *more: str) -> Run:
    """Return a crawl of the command line that is held."""
    return Run(folder, "-m", "crawler", "run", "held.py", "-a", f"how={how}", "--quiet", *more)


@pytest.mark.parametrize(
    ("how", "numbers"),
    [
        ("loop", (INT, INT, INT)),
        ("sleep", (TERM, TERM, TERM)),
        ("regex", (INT, TERM, INT)),
        ("hash", (TERM, INT, INT)),
    ],
)
def test_the_second_signal_names_what_blocks_the_loop_and_the_third_ends_the_process(
    folder: Path, how: str, numbers: tuple[signal.Signals, ...]
) -> None:
    run = crawl(folder, how)
    run.send(numbers[0])
    time.sleep(0.2)
    run.send(numbers[1])
    line = run.read_line()
    assert time.monotonic() - run.sent < 5.0
    place = r"Held.parse \(.*held.py:\d+\) for http://held.test/2"
    assert re.match(BLOCKS.format(place), line), line
    run.send(numbers[2])
    code, said, seconds = run.end()
    assert (code, said) == (130, "")
    assert seconds < 5.0


@pytest.mark.parametrize(
    ("how", "place"),
    [
        ("hook", r"Held.answer \(.*held.py:\d+\) for http://held.test/2"),
        ("callback", r"Held.hold_in_a_shield \(.*held.py:\d+\) for http://held.test/2"),
        ("lifespan", r"Held.lifespan \(.*held.py:\d+\)"),
    ],
)
def test_a_hook_that_never_returns_is_named(folder: Path, how: str, place: str) -> None:
    run = crawl(folder, how)
    for _ in range(2):
        run.send(INT)
        time.sleep(0.2)
    line = run.read_line()
    assert time.monotonic() - run.sent < 5.0
    assert re.match(WAITS.format(place), line), line
    run.send(INT)
    code, said, seconds = run.end()
    assert (code, said) == (130, "")
    assert seconds < 5.0


@pytest.mark.parametrize("how", ["sink", "sink thread", "sink held by a thread", "resolver", "opening"])
def test_a_thread_that_never_ends_holds_no_crawl_after_the_second_signal(folder: Path, how: str) -> None:
    run = crawl(folder, how, "--job", "job")
    for _ in range(2):
        run.send(INT)
        time.sleep(0.2)
    code, said, seconds = run.end()
    assert code == 130, said
    assert seconds < 5.0


def test_one_signal_ends_a_crawl_in_order_whose_sink_waits_for_a_thread(folder: Path) -> None:
    run = crawl(folder, "sink held by a thread", "--job", "job", "--report", "report.json", "-o", "items.json")
    run.send(TERM)
    code, said, seconds = run.end()
    assert code == 130, said
    assert "kept did not store the last" in said
    assert seconds < 0.3 + 1.0
    assert json.loads((folder / "report.json").read_text())["finished"] == "interrupted"
    json.loads((folder / "items.json").read_text())  # whole
    process = Process(
        ["-m", "crawler", "run", "held.py", "-a", "how=not", "--override", "--quiet", "--job", "job",
         "-o", "items.json"],
        cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.communicate(timeout=10)[0] == ""
    assert process.returncode == 0
    assert len(json.loads((folder / "items.json").read_text())) == 5


def test_one_signal_ends_several_crawls_one_of_which_has_a_sink_that_waits_for_a_thread(folder: Path) -> None:
    program = """
        import logging
        from crawler.engine.session import CrawlSession
        from crawler.engine.several import run_several
        logging.disable()
        sessions = [CrawlSession(Held(how), None, [], [], how) for how in ("not", "sink held by a thread")]
        print([report.interrupted for report in run_several(sessions)][1])
    """
    run = script(folder, program)
    run.send(TERM)
    assert run.process.stdout is not None
    assert run.process.stdout.read() == "True\n"
    code, said, seconds = run.end()
    assert (code, said) == (0, "")
    assert seconds < 0.3 + 1.0


def test_run_returns_in_a_program_whose_sink_waits_for_a_thread(folder: Path) -> None:
    program = """
        import logging
        logging.disable()
        print(run(Held("sink held by a thread"), job="job").finished)
        print(run(Held("not")).pages)
    """
    run = script(folder, program)
    run.send(TERM)
    assert run.process.stdout is not None
    assert run.process.stdout.read() == "interrupted\n5\n"
    assert run.end()[:2] == (0, "")


def test_a_thread_of_a_plugin_that_holds_the_exit_ends_with_the_next_signal(folder: Path) -> None:
    run = crawl(folder, "plugin thread", "--job", "job")
    run.send(INT)
    assert "did not store the last" in run.read_line()
    time.sleep(0.3)  # the command has ended, and the interpreter waits for the thread
    assert run.process.poll() is None
    run.send(TERM)
    code, said, seconds = run.end()
    assert (code, said) == (130, "")
    assert seconds < 5.0


def test_a_crawl_that_ctrl_c_does_not_end_within_its_grace_says_so(folder: Path) -> None:
    run = crawl(folder, "loop")
    run.send(INT)
    line = run.read_line()
    assert time.monotonic() - run.sent > 0.3
    assert re.match(BLOCKS.format("Held.parse .*"), line), line
    run.process.kill()
    assert run.end()[:2] == (-signal.SIGKILL, "")


@pytest.mark.parametrize("number", [TERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("loop", r"the crawl cannot stop: Held.parse .* blocks the event loop"),
        ("hash", r"the crawl cannot stop: Held.parse .* blocks the event loop"),
        ("sink in the loop", r"the crawl cannot stop: Kept.persist .* blocks the event loop"),
        ("hook", r"the crawl has not stopped: it waits for Held.answer .*"),
        ("callback", r"the crawl has not stopped: it waits for Held.hold_in_a_shield .*"),
        ("lifespan", r"the crawl has not stopped: it waits for Held.lifespan .*"),
    ],
)
def test_one_signal_of_a_program_ends_the_process_whatever_holds_the_crawl(
    folder: Path, how: str, line: str, number: signal.Signals
) -> None:
    run = crawl(folder, how, "--job", "job")
    run.send(number)
    code, said, seconds = run.end()
    assert code == 130, said
    assert re.fullmatch(rf"WARNING crawler.engine: {line}; the process is ended as by `kill -9`.*\n", said), said
    assert seconds < 0.3 + 1.0 + 0.7  # the machine may be busy


@pytest.mark.parametrize(("ignored", "code"), [(False, 130), (True, 0)])
def test_a_terminal_that_is_closed_stops_the_crawl_unless_nohup_ignores_that(
    folder: Path, ignored: bool, code: int
) -> None:
    program = f"""
        import sys
        from crawler.cli import main
        if {ignored}:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        sys.exit(main(["run", "held.py", "-a", "how=file", "--quiet", "-o", "items.json"]))
    """
    run = script(folder, program)
    run.send(signal.SIGHUP)
    (folder / "go").touch()
    assert run.end()[:2] == (code, "")
    json.loads((folder / "items.json").read_text())  # whole


def test_the_job_of_a_process_that_the_third_signal_ended_is_resumed_with_its_outputs(folder: Path) -> None:
    outputs = ["items.jsonl", "items.json", "items.csv"]
    more = ["--job", "job", *(word for output in outputs for word in ("-o", output))]
    run = crawl(folder, "loop", "-s", "workers=1", *more)
    for _ in range(3):
        run.send(INT)
        time.sleep(0.2)
    assert run.end()[0] == 130
    process = Process(
        ["-m", "crawler", "run", "held.py", "-a", "how=not", "--override", "--quiet", *more],
        cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0
    urls = [json.loads(line)["url"] for line in (folder / "items.jsonl").read_text().splitlines()]
    assert sorted(urls) == [f"http://held.test/{n}" for n in range(5)]
    assert [item["url"] for item in json.loads((folder / "items.json").read_text())] == urls
    assert (folder / "items.csv").read_text().splitlines() == ["url", *urls]


# ---- in Python -------------------------------------------------------------------------------------------------------


def script(folder: Path, text: str) -> Run:
    """Return a program that is held."""
    head = "import signal, threading, time, trio\nfrom crawler import crawl, run\nfrom held import Held, held\n"
    (folder / "program.py").write_text(head + textwrap.dedent(text))
    return Run(folder, str(folder / "program.py"))


def test_run_in_a_program_is_ended_by_the_third_signal_too(folder: Path) -> None:
    run = script(folder, "run(Held('loop'))")
    run.send(INT)
    time.sleep(0.2)
    run.send(INT)
    assert "the crawl cannot stop: Held.parse" in run.read_line()
    run.send(TERM)
    assert run.end()[:2] == (130, "")


def test_a_signal_that_comes_twice_at_once_counts_once(folder: Path) -> None:
    run = script(folder, "run(Held('hook'))")
    for _ in range(3):
        run.send(INT)
        time.sleep(0.01)
    run.send(TERM)
    assert "the crawl has not stopped" in run.read_line()  # so it was the second
    run.send(INT)
    assert run.end()[:2] == (130, "")


def test_handlers_and_the_wake_up_descriptor_are_restored(folder: Path) -> None:
    run = script(
        folder,
        """
        def mine(*_): ...
        signal.signal(signal.SIGTERM, mine)
        held()
        assert run(Held("not")).finished == "finished"
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.set_wakeup_fd(-1) == -1
        assert [thread.name for thread in threading.enumerate() if "signals" in thread.name] == []
        """,
    )
    assert run.end()[:2] == (0, "")


def test_a_crawl_in_another_event_loop_leaves_the_signals_to_the_program(folder: Path) -> None:
    run = script(
        folder,
        """
        async def main():
            with trio.open_signal_receiver(signal.SIGTERM) as signals:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(crawl, Held("opening"))
                    async for _ in signals:
                        nursery.cancel_scope.cancel()
                        break
            return "mine"

        assert trio.run(main) == "mine"
        """,
    )
    run.send(TERM)
    assert run.end()[:2] == (0, "")


def test_run_in_another_thread_leaves_the_signals_to_the_program(folder: Path) -> None:
    run = script(
        folder,
        """
        thread = threading.Thread(target=run, args=(Held("opening"),), daemon=True)
        try:
            thread.start()
            time.sleep(3600)
        except KeyboardInterrupt:
            raise SystemExit(7)
        """,
    )
    run.send(INT)
    assert run.end()[:2] == (7, "")


def test_a_signal_at_the_very_end_reaches_the_program(folder: Path) -> None:
    run = script(
        folder,
        """
        from crawler.engine.session import CrawlSession

        ran = CrawlSession.run

        async def run_and_signal(*arguments):
            report = await ran(*arguments)
            signal.raise_signal(signal.SIGINT)
            return report

        CrawlSession.run = run_and_signal
        held()
        try:
            run(Held("not"))
        except KeyboardInterrupt:
            raise SystemExit(7)
        """,
    )
    assert run.end()[:2] == (7, "")


def test_other_signals_still_wake_the_event_loop(folder: Path) -> None:
    run = script(
        folder,
        """
        class Waits(Held):
            async def answer(self, request):
                with trio.open_signal_receiver(signal.SIGUSR1) as signals:
                    held()
                    async for _ in signals:
                        break
                return await super().answer(request)

            def __init__(self):
                super().__init__("not")
                self.start_urls = self.start_urls[:1]

        assert run(Waits()).pages == 1
        """,
    )
    os.kill(run.process.pid, signal.SIGUSR1)
    assert run.end()[:2] == (0, "")


def test_a_signal_that_a_plugin_has_taken_over_is_the_plugins(folder: Path) -> None:
    run = script(
        folder,
        """
        from contextlib import asynccontextmanager

        class Mine(Held):
            @asynccontextmanager
            async def lifespan(self, crawl):
                with trio.open_signal_receiver(signal.SIGTERM) as self.signals:
                    yield

            async def answer(self, request):
                if request.url.endswith("/2"):
                    held()
                    async for _ in self.signals:
                        break
                    await trio.sleep(0.1)  # by then a stop would have been noticed
                return await super().answer(request)

        report = run(Mine("not"))
        assert (report.finished, report.pages) == ("finished", 5)
        """,
    )
    run.send(TERM)
    assert run.end()[:2] == (0, "")


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_signal_to_a_process_that_a_callback_has_forked_ends_that_process_only(
    folder: Path, number: signal.Signals
) -> None:
    run = script(
        folder,
        f"""
        import os, sys, warnings

        class Forks(Held):
            def parse(self, response):
                warnings.simplefilter("ignore")  # there are other threads
                child = os.fork()
                if not child:
                    try:
                        time.sleep(3600)
                    finally:
                        os._exit(7)
                time.sleep(0.1)
                os.kill(child, {int(number)})
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (7, -{int(number)})
                yield {{"url": response.url}}

        held()
        report = run(Forks("not"))
        assert (report.finished, report.pages, report.failed) == ("finished", 5, 0)
        """,
    )
    assert run.end()[:2] == (0, "")


def test_a_crawl_ends_before_a_process_that_a_callback_has_forked(folder: Path) -> None:
    run = script(
        folder,
        """
        import os, warnings

        class Forks(Held):
            def parse(self, response):
                warnings.simplefilter("ignore")  # there are other threads
                if response.url.endswith("/2") and not os.fork():
                    os.closerange(0, 3)
                    time.sleep(20)
                    os._exit(0)

        held()
        report = run(Forks("not"))
        assert report.pages == 5
        """,
    )
    assert run.end()[:2] == (0, "")
