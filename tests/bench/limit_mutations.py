"""How many constants and comparisons of the limits can be changed without a test that fails.

::

    python tests/bench/limit_mutations.py [--count 30] [--seed N] [--jobs 2] [--tests …]

Each of the changes, drawn at random, is made alone in a copy of the tree, whose tests of the limits then run until the
first failure. A constant is doubled or halved, a comparison is turned into its opposite. Those of the header reader are
left out: its tests have every dialect. What survives can be changed by anyone without being noticed: it needs a test,
or it can go. The exit code is 1 if fewer than five of six changes are noticed.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ROOM: Final = Path("crawler", "limits")
LEFT_OUT: Final = ROOM / "headers"
NEEDED: Final = ("crawler", "plugins", "tests", "pyproject.toml")
"""What the tests read."""
TESTS: Final = (
    "tests/unit/limits",
    "--ignore=tests/unit/limits/headers",
    "--ignore=tests/unit/limits/test_limit_families.py",
)
"""Those that can notice a change."""
MARK: Final = 5 / 6
"""Share of the changes that have to be noticed."""
PATIENCE: Final = 5.0
"""Times as long as the tests take without a change, after which a change counts as noticed: it has no end."""
PLAIN: Final = (0, 1, -1)
"""Numbers that are no constants: beginnings, steps and signs."""
OPPOSITE: Final[dict[type[ast.cmpop], tuple[str, str]]] = {
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}


class Mutation(NamedTuple):
    """One change."""

    path: Path
    """In the tree."""
    line: int
    """From 1."""
    column: int
    """In bytes, from 0."""
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.old} -> {self.new}"

    @property
    def own_tests(self) -> list[str]:
        """The tests of its file, which are the most likely to notice it."""
        path = Path("tests", "unit", *self.path.parts[1:-1], f"test_{self.path.name}")
        return [str(path)] if (ROOT / path).is_file() else []

    def apply(self, tree: Path) -> None:
        """Make the change in a tree."""
        lines = (tree / self.path).read_bytes().splitlines(keepends=True)
        line, old = lines[self.line - 1], self.old.encode()
        assert line[self.column :].startswith(old), (self, line)
        lines[self.line - 1] = line[: self.column] + self.new.encode() + line[self.column + len(old) :]
        (tree / self.path).write_bytes(b"".join(lines))

    def undo(self, tree: Path) -> None:
        """Undo it."""
        shutil.copy(ROOT / self.path, tree / self.path)


def mutations(path: Path) -> Iterator[Mutation]:
    """Yield the changes of a file that are possible."""
    source = (ROOT / path).read_bytes()
    lines, tree = source.splitlines(), ast.parse(source)
    skipped = set(_unimportant(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=int() | float() as value) if id(node) not in skipped:
                if value not in PLAIN and not isinstance(value, bool):
                    end = node.end_col_offset
                    old = lines[node.lineno - 1][node.col_offset : end].decode()
                    for factor in ("2", "0.5"):
                        new = f"({old} * {factor})" if isinstance(value, float) else str(int(value * float(factor)))
                        yield Mutation(path, node.lineno, node.col_offset, old, new)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPPOSITE:
                old, new = OPPOSITE[type(op)]
                same_line = left.end_lineno == right.lineno
                between = lines[right.lineno - 1][(left.end_col_offset or 0) if same_line else 0 : right.col_offset]
                if found := re.search(rb"(?<![<>=!])" + re.escape(old.encode()) + rb"(?![=])", between):
                    start = (left.end_col_offset or 0) if same_line else 0
                    yield Mutation(path, right.lineno, start + found.start(), old, new)


def _unimportant(tree: ast.AST) -> Iterator[int]:
    """Yield the ids of numbers that are an index, or part of a type."""
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Subscript):
            parts = [node.slice]
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            parts = [node.annotation]
        for part in parts:
            yield from (id(inner) for inner in ast.walk(part))


def all_mutations() -> list[Mutation]:
    """Return all changes that are possible, in the order of the files."""
    files = sorted(path.relative_to(ROOT) for path in (ROOT / ROOM).rglob("*.py"))
    return [one for path in files if not path.is_relative_to(LEFT_OUT) for one in mutations(path)]


def run(tree: Path, tests: Sequence[str], patience: float | None) -> str:
    """Run the tests in a tree. Return the first one that fails; empty if none does."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": f"{tree}{os.pathsep}{tree / 'plugins'}", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return "no end"
    if not done.returncode:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed[1] if failed else f"exit code {done.returncode}: {done.stdout.strip()[-200:]}"


def copy_of_the_tree(folder: Path) -> Path:
    """Copy what the tests need."""
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def main() -> None:
    """Change, test, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=30, help="changes (30)")
    parser.add_argument("--seed", type=int, help="the seed of an earlier run, to repeat it")
    parser.add_argument("--jobs", type=int, default=2, help="changes that are tested at the same time (2)")
    parser.add_argument("--tests", nargs="+", default=TESTS, help=f"arguments of pytest ({' '.join(TESTS)})")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(100_000) if options.seed is None else options.seed
    possible = all_mutations()
    chosen = random.Random(seed).sample(possible, min(options.count, len(possible)))
    print(f"seed {seed}, {len(chosen)} of {len(possible)} changes", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            trees.put(copy_of_the_tree(Path(folder, str(number))))
        tree = trees.get()
        began = os.times().elapsed
        if failed := run(tree, options.tests, None):
            sys.exit(f"without a change, {failed} fails")
        patience = PATIENCE * (os.times().elapsed - began) + 60.0
        trees.put(tree)

        def noticed_by(one: Mutation) -> str:
            tree = trees.get()
            try:
                one.apply(tree)
                return run(tree, [*one.own_tests, *options.tests], patience)
            finally:
                one.undo(tree)
                trees.put(tree)

        found = []
        for one, by in zip(chosen, pool.map(noticed_by, chosen), strict=True):
            print(f"{'noticed' if by else 'SURVIVES':8}  {one}  {by}", flush=True)
            found.append(bool(by))
    print(f"{sum(found)} of {len(found)} changes make a test fail")
    sys.exit(sum(found) < MARK * len(found))


if __name__ == "__main__":
    main()
