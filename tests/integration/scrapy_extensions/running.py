"""`outcome_of`: runs a project with Scrapy or with this framework, and returns what it did."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from integration.scrapy_extensions.catalogue import Project
from integration.scrapy_extensions.environment import OLDER, environment_python
from integration.scrapy_extensions.site import Site

__all__ = ["COMMANDS", "outcome_of"]

PROJECTS: Final = Path(__file__).parent / "projects"
COMMANDS: Final = {
    "scrapy": ("scrapy", "crawl"),
    "crawler": ("crawler", "run", "-s", "private_network=true", "--scrapy", "."),  # the site is on the loopback
}
"""What runs a spider of the project in the current folder, by engine."""
FIELDS: Final = {
    "accept-encoding": "names the content codings that the client can decode",
    "connection": "is about the connection (RFC 9110 section 7.6.1)",
    "proxy-connection": "is about the connection",
}
"""Header fields that may differ, with the reason."""
STATS: Final = {
    r".*(_time|_seconds|_per_minute)": "are times",
    r"memusage/.*": "is the memory of the process",
    r"log_count/(DEBUG|INFO|WARNING)": "counts the lines of the engine as well",
    r"downloader/(request|response)_bytes": "counts header fields, and encoded bodies",
    r"httpcompression/.*": "is counted by a middleware whose work the transport does",
    r"scheduler/.*": "is about the queues of the engine",
}
"""Stats that may differ, with the reason."""
LIMIT: Final = 60.0
"""Most seconds that a run may take."""


def outcome_of(engine: str, project: Project, site: Site, folder: Path, services: Mapping[str, Any]) -> dict[str, Any]:
    """Return the requests, items, stats, files and exit codes of the runs of a project.

    Parameters:
        engine: A key of `COMMANDS`.
        project: The project.
        site: What it crawls.
        folder: A folder for it, which does not exist.
        services: What the project needs, by the name of the environment variable that has its address.
    """
    folder.mkdir()
    shutil.copy(PROJECTS / "shop.py", folder)
    module = (PROJECTS / f"{project.name}.py").read_text()  # settings and spider in one
    (folder / "project.py").write_text(f"{module}\n\nSPIDER_MODULES = ['project']\n")
    (folder / "scrapy.cfg").write_text("[settings]\ndefault = project\n")
    site.forget()
    for service in services.values():
        service.forget()
    own = ("SCRAPY", "PYTEST", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    paths = [str(folder), *([str(OLDER)] if project.scrapy == "2.11" else [])]
    environment = kept | {
        "SITE": site.url, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
        **{name: service.url for name, service in services.items()},
    }  # fmt: skip
    command = [environment_python(), "-m", *COMMANDS[engine], project.name]
    runs = [
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
        for _ in range(project.runs)
    ]
    (folder / "log").write_text("".join(run.stdout + run.stderr for run in runs))
    noted = folder / "outcome.json"
    recorded = json.loads(noted.read_text()) if noted.exists() else {"items": [], "stats": {}}
    found = {
        "exit": [run.returncode for run in runs],
        "requests": sorted((_shown(request) for request in site.requests), key=json.dumps),
        "items": sorted(recorded["items"], key=json.dumps),
        "stats": _same_stats(recorded["stats"]),
        "files": _files(folder, {"shop.py", "project.py", "scrapy.cfg", "log", "outcome.json"}),
        "services": {name: _same_stats(service.received()) for name, service in services.items()},
    }
    text = json.dumps(found).replace(str(folder), "FOLDER")
    for pattern, shown in project.varies.items():
        text = re.sub(pattern, shown, text)
    folder.with_suffix(".json").write_text(text)
    outcome: dict[str, Any] = json.loads(text)
    return outcome


def _shown(request: dict[str, Any]) -> list[Any]:
    """Return a request with its header fields in the order of their names, which are in lower case."""
    fields = sorted([name.lower(), value] for name, value in request["fields"] if name.lower() not in FIELDS)
    return [request["method"], request["target"], fields, request["body"]]


def _same_stats(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stats that may not differ."""
    return {name: found[name] for name in sorted(found) if not any(re.fullmatch(one, name) for one in STATS)}


def _files(folder: Path, own: set[str]) -> dict[str, str]:
    """Return the contents of the files that a project wrote; of an archive, those of its members.

    Databases are their names: what is in them is read by the second run of a project.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or name in own or "__pycache__" in name:
            continue
        content = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                found |= {f"{name}/{one}": archive.read(one).decode("latin-1") for one in archive.namelist()}
        elif content.startswith(b"SQLite format") or {".db", ".dat", ".dir", ".bak"} & set(path.suffixes):
            found[name] = "a database"
        elif path.suffix == ".gz":
            found[name] = gzip.decompress(content).decode("latin-1")
        else:
            found[name] = content.decode("latin-1")
    return found
