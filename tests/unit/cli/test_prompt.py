"""The prompts of the shell: IPython's and Python's."""

from __future__ import annotations

import os
import pty
import signal
import threading

import pytest
from support.localsite import local_site

IPYTHON, PYTHON = "]: ", ">>> "


@pytest.fixture
def terminal(start, tmp_path):
    """Start a shell on a terminal; return the first screen and a function that types a line and returns the answer."""
    opened = []

    def open_terminal(prompt, *arguments):
        (tmp_path / "IPython.py").write_text("raise ImportError('hidden')") if prompt == PYTHON else None
        leader, follower = pty.openpty()
        opened.append(leader)
        env = {"TERM": "dumb", "IPYTHONDIR": str(tmp_path / "ipython"), "IPY_TEST_SIMPLE_PROMPT": "1"}
        process = start("shell", *arguments, stdin=follower, stdout=follower, stderr=follower, env=env)
        os.close(follower)

        def until(words):
            seen = b""
            while not seen.endswith(words.encode()):
                seen += os.read(leader, 4096)
            return seen.decode().replace("\r\n", "\n")

        def type_line(line):
            os.write(leader, f"{line}\n".encode())
            return until(prompt).partition("\n")[2]

        def leave():
            os.write(leader, b"\x04")
            return process.wait(60)

        return until(prompt), type_line, leave, process

    yield open_terminal
    for leader in opened:
        os.close(leader)


@pytest.mark.parametrize("prompt", [IPYTHON, PYTHON])
def test_a_prompt_has_the_page_one_line_errors_and_await(terminal, prompt):
    with local_site({"/": "<title>One</title>", "/two": "<title>Two</title>"}) as site:
        screen, type_line, leave, _ = terminal(prompt, site.url, "-s", "attempts=1", "-s", "obey_robots=false")
        assert f"200 {site.url}\n  response   the page" in screen
        assert "'One'\n" in type_line("response.css('title::text').get()")
        assert "'Two'\n" in type_line("fetch(response.urljoin('/two')).css('title::text').get()")
        error = type_line("fetch('http://127.0.0.1:9/')")
        assert error.startswith("crawler: connection refused by 127.0.0.1:9\n")
        assert "Traceback" not in error
        type_line("import trio")
        assert "1" in type_line("await trio.sleep(0); print(len('x'))")
        assert type_line("1 / 0").startswith("ZeroDivisionError: division by zero\n")
        hint = "AttributeError: 'Response' object has no attribute 'status_code' (use response.status)\n"
        assert type_line("response.status_code").startswith(hint)
        assert "Traceback" in type_line("%tb" if prompt == IPYTHON else "import traceback; traceback.print_last()")
        assert leave() == 0


def test_ctrl_c_ends_the_fetch_and_not_the_prompt(terminal):
    released = threading.Event()

    def slow(_asked):
        process.send_signal(signal.SIGINT)
        released.wait(60)
        return "late"

    with local_site({"/slow": slow, "/": "soon"}) as site:
        _, type_line, leave, process = terminal(PYTHON, "-s", "attempts=1", "-s", "obey_robots=false")
        assert "KeyboardInterrupt" in type_line(f"fetch('{site.url}slow')")
        released.set()
        assert "'soon'\n" in type_line(f"fetch('{site.url}').text")
        assert leave() == 0
