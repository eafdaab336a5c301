"""``crawler completion``."""

from __future__ import annotations

import functools
import shutil
import subprocess

import pytest

from crawler.cli.completion import completion, completion_script

script = functools.cache(completion_script)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_the_commands(capsys, shell):
    assert completion(shell) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("run", "fetch", "from-curl", "output"))


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        ("fe", "fetch"),
        ("run --log-level d", "debug"),
        ("new p", "project"),
        ("run x.py --over", "--override --overwrite"),
        ("completion z", "zsh"),
        ("scrapy c", "check"),
        ("--v", "--version"),
    ],
)
def test_bash_completes_commands_options_and_choices(tmp_path, words, choices):
    (tmp_path / "crawler.bash").write_text(script("bash"))
    bash = shutil.which("bash")
    assert bash is not None
    program = f"""
        source {tmp_path / "crawler.bash"}
        COMP_WORDS=(crawler {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _crawler
        echo $(printf '%s\\n' "${{COMPREPLY[@]}}" | sort)
        complete -p crawler
    """
    done = subprocess.run([bash, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{choices}\ncomplete -o default -F _crawler crawler\n", "")


def test_zsh_calls_the_function_that_its_file_is_named_after_and_completes_files():
    lines = [line.strip() for line in script("zsh").splitlines()]
    assert "_crawler() {" in lines
    assert "'1:FILE.py, FILE.py\\:Class, package.module\\:Class, or the URL of a site.:_files' \\" in lines
    assert "'*-s[A setting, such as -s delay=1. Repeatable.]:name=value:_files' \\" in lines
    job = "Keep the crawl\\: the same command resumes it. Several machines share a URL."
    assert f"'--job[{job}]:dir|url:_files' \\" in lines
    assert "'1: :->cmds' \\" in lines


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_read_its_script(shell):
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([found, "-n"], input=script(shell), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
