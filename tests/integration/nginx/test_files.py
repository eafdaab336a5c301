"""Files of nginx: downloads that are killed and continued, and the memory that large files take."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from integration.nginx.nginx import read_log, serve
from support.processes import DEVNULL, PIPE, Process, run

SPIDER = Path(__file__).parent / "files_spider.py"
MIB = 1024 * 1024
SIZE = 3 * MIB
RATE = MIB
"""Bytes a second; nginx sends those of the first second at once."""
LIMIT = 60 * MIB
"""Growth of the memory that 20 files of 20 MiB may cause, in bytes."""


def command(url: str) -> list[str | Path]:
    where = ["-a", f'start_urls=["{url}list.txt"]', "-P", "files.folder=files"]
    return ["-m", "crawler", "run", SPIDER, "-p", "files", *where, "--job", "job", "-o", "items.jsonl", "--quiet"]


def wait_for(folder: Path, size: int, process: Process) -> None:
    """Wait until an unfinished file has this size."""
    give_up_at = time.monotonic() + 30
    while not any(path.stat().st_size >= size for path in (folder / "files" / ".files").glob("*.part")):
        assert process.poll() is None, process.communicate(timeout=10)[1]
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_a_download_that_is_killed_continues_and_the_item_comes_once(tmp_path: Path) -> None:
    site, log = tmp_path / "site", tmp_path / "access.log"
    site.mkdir()
    content = os.urandom(SIZE)
    (site / "big.bin").write_bytes(content)
    (site / "list.txt").write_text("big.bin")
    with serve({"site": site}, log=log, rate=RATE) as urls:
        for killed_at in (1, 2):
            process = Process(command(urls["site"]), cwd=tmp_path, env=os.environ, stdout=DEVNULL, stderr=PIPE)
            wait_for(tmp_path, killed_at * MIB, process)
            process.kill()
            process.communicate(timeout=10)
            assert list((tmp_path / "files").glob("[!.]*")) == []  # nothing has its final name
        done = run(command(urls["site"]), cwd=tmp_path, env=os.environ, timeout=60)
        assert done.returncode == 0, done.stderr
    [item] = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    [file] = item["files"]
    stored = (tmp_path / "files" / file["path"]).read_bytes()
    assert stored == content
    assert file["digest"] == hashlib.sha256(content).hexdigest()
    assert [path.name for path in (tmp_path / "files" / ".files").iterdir() if path.suffix == ".part"] == []
    hits = [hit for hit in read_log(log) if hit.uri == "/big.bin"]
    assert [hit.status for hit in hits] == [200, 206, 206]
    assert hits[-1].bytes <= SIZE - 2 * MIB


def test_large_files_take_little_memory(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for number in range(21):
        with (site / f"{number}.bin").open("wb") as file:
            file.write(b"%d" % number)
            file.truncate(20 * MIB)
    (site / "one.txt").write_text("20.bin")
    (site / "many.txt").write_text("\n".join(f"{number}.bin" for number in range(20)))
    with serve({"site": site}) as urls:
        arguments = [sys.executable, SPIDER, urls["site"], tmp_path / "files"]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=120)
    figures = json.loads(done.stdout)
    assert figures["counters"] == {"files/downloaded": 20}
    assert figures["growth"] < LIMIT
    assert figures["peak"] < 100 * MIB
