#!/usr/bin/env python3
"""Holds docs/promises.toml, the register of what docs/*.md promise, against the pages and the tests.

Every sentence must stand in its page, and every test that is named must exist. So must the files that the rows of
docs/prometheus-compatibility.md name, and hold tests; a row that says "no" may name none. It looks for tests by name and runs
none. With --missing it also prints the sentences that sound like promises and are not in the register.

    python3 tools/promises.py [--missing [PAGE ...]]
"""

import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REGISTER = ROOT / "docs" / "promises.toml"
# Figures and comparisons with peers, which their own scripts measure.
LEFT_OUT = {"performance.md", "interop.md"}
LEAST_LENGTH = 25
PROMISE = re.compile(
    r"\b(never|always|every|each|only|at most|at least|refused|exits|within|must|is an error|are an error|survives?"
    r"|whatever|not lost|nothing|the same|no other|whole or|byte for byte|exactly|checked|kept|left out|counted)\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """The text with single spaces, as a register quotes it; Markdown stays."""
    return " ".join(text.split())


def rust_files(test: str) -> list[tuple[Path, str]]:
    """Where the test of a name of nextest (`binary path::of::test`) may stand, with the module inside of that file."""
    binary, _, path = test.partition(" ")
    package, _, integration = binary.partition("::")
    crate = ROOT / "crates" / package.removeprefix("streamflow-").replace("-", "_")
    modules = path.split("::")[:-1]
    if integration:
        file = crate.joinpath("tests", integration, *modules)
        return [(file.with_suffix(".rs"), ""), (file / "main.rs", ""), (file / "mod.rs", "")]
    found = []
    for parts, inner in ((modules, ""), (modules[:-1], modules[-1] if modules else "")):
        file = (crate / "src").joinpath(*parts)
        found += [(path, inner) for path in (file.with_suffix(".rs"), file / "mod.rs", file / "lib.rs")]
    return found


def has_test(path: Path, inner: str, test: str) -> bool:
    """Whether a file has the function, in a module of that name if there is one."""
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    name = re.split(r"::| ", test)[-1]
    return re.search(rf"\bfn {re.escape(name)}\(", text) is not None and (not inner or f"mod {inner} {{" in text)


def is_there(test: str) -> bool:
    """Whether a test that an entry names exists."""
    if test.startswith("console "):
        file, _, title = test.removeprefix("console ").partition(": ")
        path = ROOT / "console" / file
        return path.is_file() and bool(title) and title in path.read_text(encoding="utf-8")
    if test.startswith("python "):
        file, _, name = test.removeprefix("python ").partition(" ")
        path = ROOT / "python" / "tests" / file
        return path.is_file() and re.search(rf"\bdef {re.escape(name)}\(", path.read_text(encoding="utf-8")) is not None
    if test.startswith("tools/"):
        return (ROOT / test).is_file()
    return any(has_test(path, inner, test) for path, inner in rust_files(test))


def problems(entry: dict, pages: dict[str, str]) -> list[str]:
    """What does not hold of an entry."""
    page, sentence, test = (entry.get(key, "") for key in ("page", "sentence", "test"))
    found = []
    if page not in pages:
        found.append("there is no such page")
    elif plain(sentence) not in pages[page]:
        found.append("the page no longer says so")
    if len(sentence) < LEAST_LENGTH:
        found.append(f"the sentence is shorter than {LEAST_LENGTH} characters")
    if test and not is_there(test):
        found.append(f"there is no test `{test}`")
    if not test and not entry.get("checked"):
        found.append("neither a test nor a check by hand is named")
    return [f'{page}: "{sentence}": {problem}' for problem in found]


def sentences(markdown: str) -> list[str]:
    """The sentences of a page without its code blocks and headings; a row of a table is one."""
    text = re.sub(r"^( *)```.*?^ *```", "\n", markdown, flags=re.DOTALL | re.MULTILINE)
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.) ?)", text):
        if block.lstrip().startswith("#"):
            continue
        is_row = block.lstrip().startswith("|")
        parts = [plain(block)] if is_row else re.split(r"(?<=[.:;!?]) (?=[A-Z`*\"])", plain(block))
        found += [part for part in parts if part]
    return found


def missing(page: str, markdown: str, entries: list[dict]) -> list[str]:
    """Sentences with a word of promise of which no entry quotes a part."""
    quoted = [plain(entry["sentence"]) for entry in entries if entry["page"] == page]

    def is_registered(sentence: str) -> bool:
        return any(part in sentence or sentence in part or part.startswith(sentence[:60]) for part in quoted)

    return [sentence for sentence in sentences(markdown) if PROMISE.search(sentence) and not is_registered(sentence)]


def holds_tests(name: str) -> bool:
    """Whether a file, named from crates/ or from the root, or all of a pattern, is a test, a scenario or a script."""
    found = [path for folder in (ROOT / "crates", ROOT) for path in folder.glob(name) if path.exists()]
    tests = re.compile(r"#\[(tokio::)?test|^mod tests;|^mod \w+;", re.MULTILINE)
    return bool(found) and all(path.suffix != ".rs" or tests.search(path.read_text(encoding="utf-8")) for path in found)


def unproven(page: str, markdown: str) -> list[str]:
    """Rows of tables whose last column says what proves them, and names nothing that does."""
    found, is_table = [], False
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] if line.startswith("|") else []
        if not cells or set(cells[0]) == {"-"}:
            is_table = is_table and bool(cells)
        elif cells[-1] == "what says so":
            is_table = True
        elif is_table:
            names = re.findall(r"`([^`]+)`", cells[-1])
            found += [f"{page}: {cells[0]}: {name} holds no test" for name in names if not holds_tests(name)]
            if not names and not cells[1].startswith("no"):
                found.append(f"{page}: {cells[0]}: nothing says so")
    return found


def main() -> int:
    markdown = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
    pages = {name: plain(text) for name, text in markdown.items()}
    entries = tomllib.loads(REGISTER.read_text(encoding="utf-8"))["promise"]
    faults = [problem for entry in entries for problem in problems(entry, pages)]
    twice = Counter((entry["page"], plain(entry["sentence"])) for entry in entries)
    for (page, sentence), count in twice.items():
        if count > 1:
            faults.append(f'{page}: "{sentence}": registered {count} times')

    faults += [fault for page, text in markdown.items() for fault in unproven(page, text)]
    registered = Counter(entry["page"] for entry in entries)
    tested = Counter(entry["page"] for entry in entries if entry.get("test"))
    print(f"{'page':20} registered  by test  by hand")
    for page in [name for name in pages if name not in LEFT_OUT]:
        print(f"{page:20} {registered[page]:10} {tested[page]:8} {registered[page] - tested[page]:8}")
    print(f"{'all':20} {registered.total():10} {tested.total():8} {registered.total() - tested.total():8}")

    arguments = sys.argv[1:]
    if arguments[:1] == ["--missing"]:
        for page in arguments[1:] or [name for name in pages if name not in LEFT_OUT]:
            for sentence in missing(page, markdown[page], entries):
                print(f"{page}: {sentence}")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
