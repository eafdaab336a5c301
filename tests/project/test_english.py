"""Comments, docstrings, messages and the manual contain no phrase that `docs/contributing.md` bans.

Run as a program, it lists the phrases in files or folders, or in the whole project::

    python tests/project/test_english.py crawler/limits docs/howto
    python tests/project/test_english.py --count              # hits in each room
    python tests/project/test_english.py --advice crawler/cli # also phrases that are often, not always, wrong

In Python files only strings and comments are checked, in tests only docstrings and comments, in the manual everything
except code. Text between backticks is code. A page may quote banned phrases between ``<!-- english: quote -->`` and
``<!-- english: end -->``; `ALLOWED` holds the other exceptions.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "crawler", "plugins", "examples", "docs", "tests", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
    "noxfile.py", "pyproject.toml",
)  # fmt: skip
"""Everything that is checked when no path is given."""
ENDINGS = (".py", ".md", ".rst", ".toml")
SKIPPED = {"_build", "__pycache__", ".venv", "node_modules"}
VERB = (
    r"(?:is|are|was|were|has|have|had|does|do|did|can|cannot|could|may|might|must|shall|should|will|would|need|needs"
    r"|came|come|comes|goes|gives|holds|knows|makes|names|says|sends|stands|takes|wants)"
)
NO_CLAUSE = r"(?<!\bso)(?<!such)(?<!now)(?<!except)(?<!where)(?<!than)(?<!\bof)"
"""Words before a `that` that begins no relative clause."""
START = r"(?:\A\s*|(?<=[.:;!?])\s+|\n\s*\n\s*|,\s+(?:and|but|or|so)\s+|\(|\|\s*)"
"""The beginning of a text, a sentence, a paragraph or a clause."""


@attrs.frozen
class Phrase:
    """A phrase that is banned."""

    name: str
    """The label of a hit."""
    pattern: str
    """A regular expression. A blank in it matches any white space."""
    instead: str
    """Advice on what to write instead, in one line."""
    ignore_case: bool = True

    def search(self, text: str) -> Iterator[re.Match[str]]:
        """Yield each place where `text` contains the phrase."""
        flags = re.IGNORECASE if self.ignore_case else 0
        return re.finditer(self.pattern.replace(" ", r"\s+"), text, flags)


PHRASES = (
    Phrase("be had", r"\bbe had\b", "name the failure: “could not be fetched”, “is not available”"),
    Phrase(
        "is none", r"(?<!there\s)\b(?:is|are|was|were) none\b(?! of\b)",
        "say what is wrong: “an invalid pattern”", ignore_case=False,
    ),
    Phrase(
        "goes on", r"\b(?:goes|go|went) on\b(?! (?:the|a|an|its|top|each|every|one|that)\b)",
        "“continues”, “resumes”",
    ),
    Phrase("whoever", r"\bwho(?:so|m)?ever\b", "name the reader, the caller, the server"),
    Phrase("anew", r"\banew\b", "“again”, or “new” before the noun"),
    Phrase(
        "who …", rf"{START}who {VERB}\b(?![^.]*\?)",
        "start with the noun: “users who …”, “the caller …”, “to read this, …”",
    ),
    Phrase(
        "who …", rf"{START}who (?!{VERB}\b)(?!['’]s\b)[a-z]+s\b(?![^.]*\?)",
        "start with the noun: “users who …”, “the caller …”, “to read this, …”",
    ),
    Phrase("told", r"\btold\b", "“reported”, “configured with”, “notified of”"),
    Phrase(
        "what … that …",
        rf"\bwhat\b(?! if\b)[^.,;:?!|()]{{1,60}}?{NO_CLAUSE}\s+that {VERB}\b",
        "use a noun instead of “what”, or two sentences",
    ),
    Phrase("he, his, him", r"\b(?:he|his|him|himself)\b", "“they”, or name the role: “the user”"),
    Phrase("any more", r"\bany more\b", "“no longer”"),
    Phrase("again and again", r"\bagain and again\b", "“repeatedly”"),
    Phrase("becomes of", r"\bbecomes? of\b", "name the result or the decision"),
    Phrase("tells of", r"\btells? of\b", "“describes”, “reports”"),
    Phrase("stands in", r"\bstands? (?:in|on|at|there)\b", "“is in”, “appears in”"),
)  # fmt: skip
GAP = r"""(?:\W|\\[nrt]|\b[frbu]{1,2}(?=["']))+"""
"""What may stand between two words in the source of a string or of a comment."""
SUSPECTS = re.compile(
    r"""(?:\b|(?<=\\[nrt]))(?:be had|(?:is|are|was|were) (?-i:none)|(?:go|goes|went) on|who(?:so|m)?(?:ever)?|anew|told
    |what\b[\s\S]{1,300}?\bthat|he|his|him|himself|any more|again and again|becomes? of|tells? of
    |stands? (?:in|on|at|there))\b""".replace("\n    ", "").replace(" ", GAP),
    re.IGNORECASE,
)
"""The words of all `PHRASES`: a Python file without them needs no tokens, which take ten times as long."""
ADVICE = (
    Phrase("What … (first)", r"\A\s*What (?![^.]*\?)", "start with a verb or a noun: “Return …”, “The headers …”"),
    Phrase("nobody", r"\b(?:nobody|no one) (?:said|asked|knows|reads|asks|is|was|has)\b", "use the passive or “not …”"),
    Phrase("heed", r"\bheed(?:s|ed)?\b", "“obey”, “use”, “respect”"),
    Phrase("gives", r"\b(?:gives|gave) (?!up\b)", "“returns”, “yields”, “provides”"),
    Phrase("but for", r"\b(?:but for|all but)\b", "“except”"),
    Phrase("behind", r"\bbehind\b(?![.;])", "of order: “after”"),
    Phrase("beside", r"\bbeside\b", "“in addition to”, “next to”"),
    Phrase("…, at most", r", at most(?=[.:])", "“maximum number of …”, “maximum size of …”"),
    Phrase("is no …", r"(?<!\bthere\s)\b(?:is|are|was|were) no (?!longer\b|more\b)[a-z]", "“is not a …”"),
)
"""Phrases that are often wrong; the test does not fail for them."""


@attrs.frozen
class Allowed:
    """An exception: a phrase that may appear in one file."""

    path: str
    """The path below the project's folder."""
    text: str
    """The words around the phrase, as they appear, blanks folded. Empty: every phrase of the file."""
    why: str
    """The reason."""


ALLOWED: tuple[Allowed, ...] = ()


@attrs.frozen(order=True)
class Hit:
    """A phrase that was found."""

    path: str
    line: int
    label: str
    words: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.label} in “{self.words}”: {self.instead}"


# ---- which text is checked -------------------------------------------------------------------------------------------


@attrs.define
class Block:
    """A text in pieces, each of which begins at a known line."""

    pieces: list[tuple[int, str]] = attrs.Factory(list)

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.pieces)

    def line_of(self, offset: int) -> int:
        """Return the line in the file of an offset in `text`."""
        for line, text in self.pieces:
            if offset <= len(text):
                return line + text.count("\n", 0, offset)
            offset -= len(text) + 1
        raise IndexError(offset)


def blank(match: re.Match[str]) -> str:
    """Return as many placeholders as the match has characters; its line breaks stay."""
    return re.sub(r"[^\n]", "_", match[0])


def without_code(text: str) -> str:
    """Replace what is between backticks, and URLs."""
    text = re.sub(r"(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\1(?!`)", blank, text, flags=re.DOTALL)
    return re.sub(r"\b\w+://\S+", blank, text)


OPENERS = {getattr(tokenize, name) for name in ("FSTRING_START", "TSTRING_START") if hasattr(tokenize, name)}
MIDDLES = {getattr(tokenize, name) for name in ("FSTRING_MIDDLE", "TSTRING_MIDDLE") if hasattr(tokenize, name)}
CLOSERS = {getattr(tokenize, name) for name in ("FSTRING_END", "TSTRING_END") if hasattr(tokenize, name)}
QUOTES = re.compile(r"(?s)([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2")


def literal(source: str) -> str:
    """Return the text of a string literal, without prefix, quotes, escapes of white space and replacement fields."""
    match = QUOTES.fullmatch(source)
    assert match is not None
    prefix, _, text = match.groups()
    if "r" not in prefix.lower():
        text = re.sub(r"\\[nrt]", "  ", text)
    return re.sub(r"\{[^{}]*\}", blank, text) if "f" in prefix.lower() else text


STATEMENT_ENDS = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
LAYOUT = {tokenize.NL, tokenize.COMMENT}


def python_blocks(source: str, *, docstrings_only: bool = False) -> Iterator[Block]:
    """Yield each comment, its lines joined, and each string, its parts joined.

    Parameters:
        source: the text of the file.
        docstrings_only: whether strings inside of statements are left out, as in tests, where they are data.
    """
    strings, comments = Block(), Block()
    depth = 0  # f-strings that are open
    column = -1  # where the comments begin
    begins = True  # whether the next token begins a statement
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            follows = comments.pieces and (line, token.start[1]) == (comments.pieces[-1][0] + 1, column)
            if comments.pieces and not follows:
                yield comments
                comments = Block()
            column = token.start[1]
            comments.pieces.append((line, token.string.lstrip("#")))
        elif docstrings_only and not (token.type == tokenize.STRING and begins):
            if strings.pieces and token.type != tokenize.NL:
                yield strings
                strings = Block()
        elif token.type == tokenize.STRING:
            strings.pieces.append((line, literal(token.string)))
        elif token.type in OPENERS:
            depth += 1
        elif token.type in MIDDLES:
            strings.pieces.append((line, re.sub(r"\\[nrt]", "  ", token.string)))
        elif token.type in CLOSERS:
            depth -= 1
        elif strings.pieces and not depth and token.type != tokenize.NL:
            yield strings
            strings = Block()
        if token.type not in LAYOUT:
            begins = token.type in STATEMENT_ENDS
    yield from (block for block in (strings, comments) if block.pieces)


FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
QUOTING = re.compile(r"<!-- english: quote -->.*?<!-- english: end -->", re.DOTALL)


def page_blocks(source: str) -> Iterator[Block]:
    """Yield a page of the manual as one text, its code and its quotations blanked out."""
    kept = []
    fence = ""
    for line in QUOTING.sub(blank, source).split("\n"):
        match = FENCE.match(line)
        if match and not fence and "`" not in match[2]:
            fence = match[1]
            kept.append("")
        elif fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
            kept.append("")
        else:
            kept.append(line)
    yield Block([(1, "\n".join(kept))])


def toml_blocks(source: str) -> Iterator[Block]:
    """Yield the comments of a TOML file."""
    for number, line in enumerate(source.split("\n"), 1):
        if match := re.search(r"(?:^|\s)#\s*([^\"]*)$", line):
            yield Block([(number, match[1])])


def blocks_of(path: Path, source: str) -> Iterator[Block]:
    """Yield the texts of a file with this content."""
    if path.suffix == ".py":
        return python_blocks(source, docstrings_only=name_of(path).startswith("tests/"))
    return toml_blocks(source) if path.suffix == ".toml" else page_blocks(source)


# ---- the check -------------------------------------------------------------------------------------------------------


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files to check in files and folders."""
    for path in paths:
        found = [path] if path.is_file() else sorted(_below(path))
        yield from (file for file in found if file.suffix in ENDINGS)


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        yield from (Path(root, name) for name in names)


def name_of(path: Path) -> str:
    """Return the path below the project's folder."""
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()


def search(path: Path, phrases: Iterable[Phrase] = PHRASES) -> Iterator[Hit]:
    """Yield every phrase in a file, exceptions included."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py" and phrases is PHRASES and not SUSPECTS.search(source):
        return
    for block in blocks_of(path, source):
        text = without_code(block.text)
        for phrase in phrases:
            for match in phrase.search(text):
                begin = match.start() + len(match[0]) - len(match[0].lstrip(" \n\t.,;:!?(|"))
                around = block.text[max(0, begin - 30) : match.end() + 30]
                yield Hit(
                    name_of(path), block.line_of(begin), phrase.name, " ".join(around.split()), phrase.instead
                )  # fmt: skip


def is_allowed(hit: Hit, allowed: Allowed) -> bool:
    """Return whether an exception covers a hit."""
    return hit.path == allowed.path and allowed.text in hit.words


def faults(paths: Iterable[Path], phrases: Iterable[Phrase] = PHRASES) -> list[Hit]:
    """Return the banned phrases in files and folders, in order."""
    hits = {hit for path in files_in(paths) for hit in search(path, phrases)}
    return sorted(hit for hit in hits if not any(is_allowed(hit, allowed) for allowed in ALLOWED))


def room_of(path: str) -> str:
    """Return the folder that a file is counted under: two levels, or the file itself."""
    return "/".join(path.split("/")[:2])


def rooms() -> list[str]:
    """Return the folders and files that the test checks one by one."""
    paths = (path.relative_to(ROOT).as_posix() for path in files_in(ROOT / part for part in PARTS))
    return sorted(set(map(room_of, paths)))


@pytest.mark.parametrize("room", rooms())
def test_no_banned_phrase(room):
    hits = faults([ROOT / room])
    assert not hits, "\n" + "\n".join(map(str, hits))


# ---- the check itself ------------------------------------------------------------------------------------------------


EXAMPLES = [
    ("A page that cannot be had.", "be had"),
    ("A page that cannot be\nhad.", "be had"),
    ("A pattern that is none.", "is none"),
    ("The crawl goes on.", "goes on"),
    ("Whoever asks, waits.", "whoever"),
    ("It is written anew.", "anew"),
    ("Who wants less, sets it.", "who …"),
    ("It runs. Who reads this has read all.", "who …"),
    ("resolver: who finds addresses", "who …"),
    ("It is told once.", "told"),
    ("What a wait does that does not fit.", "what … that …"),
    ("The user and his key.", "he, his, him"),
    ("It is not sent any more.", "any more"),
    ("It asks again and again.", "again and again"),
    ("What becomes of a page.", "becomes of"),
    ("An event tells of it.", "tells of"),
    ("It stands in the list.", "stands in"),
]


def test_every_phrase_has_an_example():
    assert {label for _, label in EXAMPLES} == {phrase.name for phrase in PHRASES}


@pytest.mark.parametrize(("text", "label"), EXAMPLES)
def test_each_phrase_is_found_at_its_line(tmp_path, text, label):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{text}\n")
    assert [(hit.label, hit.line) for hit in faults([page])] == [(label, 3)]
    module = tmp_path / "module.py"
    comment = text.replace("\n", "\n# ")
    module.write_text(f'x = 1\n\n\n"""{text}"""\n# {comment}\n')
    assert [(hit.label, hit.line) for hit in faults([module])] == [(label, 4), (label, 5 + text.count("\n"))]


@pytest.mark.parametrize(
    "text",
    [
        "If there is none, the default is used.",
        "It is none of these.",
        "Bytes go on the wire.",
        "Who may ask?",
        "Users who want less set it.",
        "It shows what failed so that a rerun can fix it.",
        "What if that is wrong?",
        "The header, the other and the theme.",
        "`told` and ``he`` are names.",
        "```text\nwhoever\n```",
        "<!-- english: quote -->\nwhoever\n<!-- english: end -->",
    ],
)
def test_good_english_and_code_are_left_alone(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{text}\n")
    assert faults([page]) == []


def test_names_in_python_are_ignored_but_messages_are_checked(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        'told = 1\nanew(f"{told} went {anew}", "he is", "told")\nerror = (\n    "cannot "\n    "be had"\n)\n'
    )
    assert [(hit.label, hit.line) for hit in faults([module])] == [("he, his, him", 2), ("told", 2), ("be had", 5)]


@pytest.mark.parametrize(
    "source",
    [
        'x = "cannot be\\nhad"', 'x = f"{y} \\nTold"', 'x = ("cannot be "\n     rf"had")', "# It is\n# none.",
        'x = f"what {a.b(c, d)} is that is"', '"""What\n    `a.b` that is."""', "# It goes\n# on.", 'x = "a\\tanew"',
    ],
)  # fmt: skip
def test_a_phrase_is_found_however_its_words_are_joined(tmp_path, source):
    module = tmp_path / "module.py"
    module.write_text(source)
    assert len(faults([module])) == 1


def test_strings_in_tests_are_data():
    source = '"""Told."""\nx = "told"  # told\n\n\ndef test():\n    """Told."""\n    assert f("told")\n'
    texts = [[block.text.strip() for block in python_blocks(source, docstrings_only=only)] for only in (False, True)]
    assert [[text for text in found if text] for found in texts] == [
        ["Told.", "told", "Told.", "told", "told"],
        ["Told.", "Told.", "told"],
    ]


def test_an_exception_covers_one_phrase_of_one_file(tmp_path, monkeypatch):
    pages = [tmp_path / name for name in ("one.md", "two.md")]
    for page in pages:
        page.write_text("It is told here.\n\nA paragraph of some length lies between.\n\nIt is told there.\n")
    monkeypatch.setattr(sys.modules[__name__], "ALLOWED", (Allowed(name_of(pages[0]), "told here.", "a quotation"),))
    assert [(Path(hit.path).name, hit.line) for hit in faults(pages)] == [("one.md", 5), ("two.md", 1), ("two.md", 5)]


def test_every_exception_is_needed():
    paths = {allowed.path for allowed in ALLOWED}
    hits = [hit for path in paths for hit in search(ROOT / path)]
    assert [allowed for allowed in ALLOWED if not any(is_allowed(hit, allowed) for hit in hits)] == []


# ---- as a program ----------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Print the hits; return 1 if there are any."""
    parser = argparse.ArgumentParser(description="List the phrases that docs/contributing.md bans.")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files and folders; default: the project")
    parser.add_argument("--count", action="store_true", help="print the number of hits in each folder instead")
    parser.add_argument("--advice", action="store_true", help="list phrases that are often wrong, too")
    options = parser.parse_args(arguments)
    missing = [str(path) for path in options.paths if not path.exists()]
    if missing:
        parser.error(f"no such file or folder: {', '.join(missing)}")
    paths = options.paths or [ROOT / part for part in PARTS if (ROOT / part).exists()]
    hits = faults(paths, (*PHRASES, *ADVICE) if options.advice else PHRASES)
    if options.count:
        counts = Counter(room_of(hit.path) for hit in hits)
        lines = [f"{count:5} {room}" for room, count in sorted(counts.items())]
    else:
        lines = list(map(str, hits))
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, f"{len(hits)} hits"]))
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
