"""The unit tests mirror the source: `crawler/<room>/<file>.py` is tested by `tests/unit/<room>/test_<file>.py`."""

from __future__ import annotations

from pathlib import Path

from support.cases import each

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "tests" / "unit"
NOT_MIRRORED = {"__init__.py", "__main__.py"}

COVERED_ELSEWHERE = {
    "decision/decisions.py": ["tests/unit/decision/test_decide.py"],
    "decision/facts.py": ["tests/unit/decision/test_decide.py", "tests/crawl/test_pages_that_are_refused.py"],
    # The parts of a running crawl: whole crawls in virtual time test them by behaviour instead of by file.
    "engine/api.py": ["tests/crawl/test_core.py", "tests/crawl/test_stream.py"],
    "engine/engine.py": ["tests/crawl/test_core.py", "tests/crawl/test_shutdown.py"],
    "engine/inline.py": ["tests/crawl/test_inline.py"],
    "engine/new_requests.py": ["tests/crawl/test_core.py", "tests/crawl/test_pages_that_are_refused.py"],
    "engine/processes/call_server.py": ["tests/crawl/test_processes.py"],
    "engine/processes/child.py": ["tests/crawl/test_processes.py"],
    "engine/processes/keeper.py": ["tests/crawl/test_processes.py"],
    "engine/processes/processes.py": ["tests/crawl/test_processes.py"],
    "engine/robots.py": ["tests/crawl/test_robots.py"],
    "engine/scheduler.py": ["tests/crawl/test_core.py"],
    "engine/session.py": ["tests/crawl/test_core.py", "tests/crawl/test_lifespan_hooks.py"],
    "engine/wiring.py": ["tests/crawl/test_core.py"],
    "engine/worker.py": ["tests/crawl/test_core.py", "tests/crawl/test_outcomes.py"],
    "engine/writer.py": ["tests/crawl/test_core.py", "tests/crawl/test_large_pages.py"],
    "sessions/sessions.py": ["tests/crawl/test_sessions.py"],
    # Values without behaviour.
    "engine/processes/wire.py": ["tests/unit/engine/processes/test_packing.py"],
    "hooks/page_effects.py": ["tests/unit/hooks/test_state.py"],
    "messages/stored_request.py": ["tests/unit/messages/test_request_json.py"],
    "store/outcome.py": ["tests/unit/store/test_protocol.py"],
    # The parts of a response are tested together.
    "messages/page_body.py": ["tests/unit/messages/test_response.py"],
    "messages/page_content.py": ["tests/unit/messages/test_response.py", "tests/unit/messages/test_any_page.py"],
    "shared/outputs.py": ["tests/crawl/test_workers.py"],
    "store/shared_job.py": ["tests/integration/fleet/test_fleet.py"],
    "store/server_store.py": [
        "tests/integration/databases/test_postgres_store.py",
        "tests/integration/fleet/test_redis.py",
    ],
    "watchdog/frames.py": ["tests/unit/watchdog/test_watchdog.py", "tests/unit/watchdog/test_tasks.py"],
    # What a throttle and a crawl return.
    "hooks/crawl_statistics.py": ["tests/unit/engine/test_statistics.py", "tests/crawl/test_controls.py"],
    "limits/throttle_statistics.py": ["tests/unit/limits/test_throttle.py"],
}
"""Files under `crawler/` without a test file of the same name, and the tests that cover them instead."""
PLUGINS_COVERED_ELSEWHERE = {
    # Real servers test the parts of a store that speak to one.
    **{
        f"crawler_plugins/stores/postgres/{name}.py": ["tests/integration/databases/test_postgres_store.py"]
        for name in ("calls", "connection", "opening", "reading", "server", "store")
    },
    "crawler_plugins/stores/postgres/inspect.py": ["tests/integration/fleet/test_fleet.py"],
    **{
        f"crawler_plugins/stores/redis/{name}.py": ["tests/integration/fleet/test_redis.py"]
        for name in ("connection", "inspect", "opening", "redis_store")
    },
    "crawler_plugins/stores/redis/reading.py": ["tests/unit/plugins/stores/redis/test_calls.py"],
}
"""The same for files under `plugins/`."""


def sources() -> dict[str, Path]:
    """Return the paths of the test files of the files below `crawler/`, by path."""
    crawler = ROOT / "crawler"
    found = [path.relative_to(crawler) for path in sorted(crawler.rglob("*.py")) if path.name not in NOT_MIRRORED]
    return {str(path): UNIT / path.parent / f"test_{path.name}" for path in found}


def plugins() -> dict[str, Path]:
    """Return the same for the first-party plugins, by path below `plugins/`."""
    folder = ROOT / "plugins"
    found = [path for path in sorted(folder.rglob("*.py")) if path.name not in NOT_MIRRORED]
    return {str(path.relative_to(folder)): _test_of(path) for path in found}


def _test_of(path: Path) -> Path:
    """Return the test file of a file of a plugin, in a folder of its own for a plugin whose tests have one."""
    own = UNIT / "plugins" / path.parent.relative_to(ROOT / "plugins" / "crawler_plugins")
    return (own if own.is_dir() else UNIT / "plugins") / f"test_{path.name}"


def test_every_source_file_has_a_test_file_of_its_name() -> None:
    missing = {name for name, test in sources().items() if not test.is_file()}
    assert missing - COVERED_ELSEWHERE.keys() == set()


def test_no_exception_is_superfluous() -> None:
    needed = {name for name, test in (sources() | plugins()).items() if not test.is_file()}
    assert (COVERED_ELSEWHERE | PLUGINS_COVERED_ELSEWHERE).keys() - needed == set()


def test_every_plugin_has_a_test_file_of_its_name() -> None:
    missing = {name for name, test in plugins().items() if not test.is_file()}
    assert missing - PLUGINS_COVERED_ELSEWHERE.keys() == set()


@each("name", COVERED_ELSEWHERE | PLUGINS_COVERED_ELSEWHERE)
def test_the_tests_that_cover_an_exception_exist(name: str) -> None:
    tests = (COVERED_ELSEWHERE | PLUGINS_COVERED_ELSEWHERE)[name]
    assert tests
    for test in tests:
        assert "def test_" in (ROOT / test).read_text(encoding="utf-8")


def test_the_folders_of_unit_tests_are_the_rooms() -> None:
    rooms = {test.parent.relative_to(UNIT) for test in (*sources().values(), *plugins().values())}
    found = {path.parent.relative_to(UNIT) for path in UNIT.rglob("test_*.py")}
    assert found <= rooms
