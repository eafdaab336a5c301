"""``crawler completion``."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_the_commands(command, shell):
    code, out, err = command("completion", shell)
    assert (code, err) == (0, "")
    assert all(name in out for name in ("run", "fetch", "from-curl", "--output"))


def test_bash_accepts_the_script(command, tmp_path):
    (tmp_path / "crawler.bash").write_text(command("completion", "bash")[1])
    bash = shutil.which("bash")
    assert bash is not None
    checked = subprocess.run([bash, "-n", tmp_path / "crawler.bash"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
