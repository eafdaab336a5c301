"""The nginx of the tests: it responds, writes its log, and ends with the block."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from integration.nginx import documents, nginx


def test_each_folder_has_its_own_origin_until_the_block_is_left(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    with nginx.serve({"one": tmp_path / "one", "two": tmp_path / "two"}) as urls:
        assert {name: httpx.get(url).text for name, url in urls.items()} == {"one": "one", "two": "two"}
    for url in urls.values():
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_the_log_has_request_user_agent_and_connection(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    log = tmp_path / "access.log"
    with nginx.serve({"root": tmp_path}, log=log) as urls:
        port = httpx.URL(urls["root"]).port
        with httpx.Client(headers={"user-agent": 'a "b" \\'}) as http:
            assert http.get(urls["root"] + "a.txt?x=%20").headers["content-type"] == "text/plain"
            http.head(urls["root"] + "gone")
        httpx.get(urls["root"] + "a.txt")
    first, second, third = nginx.read_log(log)
    assert (first.port, first.method, first.uri, first.status, first.bytes) == (port, "GET", "/a.txt?x=%20", 200, 3)
    assert (second.method, second.uri, second.status, second.agent) == ("HEAD", "/gone", 404, 'a "b" \\')
    assert first.connection == second.connection != third.connection
    assert first.time <= second.time <= third.time


@pytest.mark.parametrize(("path", "kind"), [("a.svg", "image/svg+xml"), ("a.htm", "text/html"), ("a", None)])
def test_media_types_depend_on_the_file_name_ending(path: str, kind: str | None, tmp_path: Path) -> None:
    (tmp_path / path).write_text("x")
    with nginx.serve({"root": tmp_path}) as urls:
        assert httpx.get(urls["root"] + path).headers["content-type"] == (kind or "application/octet-stream")


def test_a_server_that_cannot_start_raises_an_error_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx, "SERVER", "nonsense;\n")
    with pytest.raises(RuntimeError, match='unknown directive "nonsense"'), nginx.serve({"root": tmp_path}):
        pass


def test_a_missing_server_or_manual_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError, match="apt-get install nginx-light"), nginx.serve({"root": tmp_path}):
        pass
    monkeypatch.setitem(documents.FOLDERS, "sqlite3-doc", tmp_path)
    with pytest.raises(FileNotFoundError, match="apt-get install sqlite3-doc"):
        documents.folder("sqlite3-doc")
