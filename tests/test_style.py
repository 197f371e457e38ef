"""The words of the code: names that mean one thing, docstrings that begin with a verb, imports at the top, short documents."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_floors import DEFS, Module, imports_of, modules

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "gitrun" / "share" / "guide"
MOST_OF_A_NAME = 3
MOST_LATE_IMPORTS = 20
RIDDLES = ("What", "Where", "Whether", "How", "Those", "Which", "Who", "When")
"""First words of docstrings that describe a value and hide the action."""
NO_VERBS = ("This", "Options", "Settings")
"""Words that end like a verb, and begin a docstring which only says what a function returns."""
TURNS = re.compile(
    r"\b(by now|anew|meanwhile|is had|are had|to be had|is said|are said|it is told|lies? (?:in|at|on|there|beside|below)|"
    r"goes without saying|what is told|brought here|took away|went on)\b",
    re.IGNORECASE,
)
"""Turns of phrase that nobody says."""


ENTRIES = ("__init__.py", "__main__.py", "_version.py")
WITHOUT_TESTS = {
    "model/trial_counts.py": "values that decide nothing; model/test_batch.py makes and compares them",
    "process/starter.py": "a script that stands alone; process/test_starting.py starts it",
}
"""Modules without a test file of their own, each with the reason."""


def functions(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions at the top of a module."""
    return [node for node in ast.parse(module.text).body if isinstance(node, DEFS)]


def late_imports(module: Module) -> list[int]:
    """The lines of imports inside functions."""
    inside = {id(inner) for node in module.nodes if isinstance(node, DEFS) for inner in ast.walk(node)}
    return sorted({line for node in module.nodes if id(node) in inside for line, _ in imports_of(module, node)})


def has_reason(module: Module, line: int) -> bool:
    """Whether a comment stands behind a line or directly above the block of imports that it belongs to."""
    lines = module.text.splitlines()
    above = line - 1
    while lines[above].strip().startswith(("import ", "from ")) and "#" not in lines[above]:
        above -= 1
    return "#" in lines[line - 1] or "#" in lines[above]


def test_few_functions_share_a_name() -> None:
    places = defaultdict(list)
    for module in modules():
        for node in functions(module):
            places[node.name].append(module.path)
    # one for each verb, and one for each tool that runs are imported from
    del places["command"], places["read_runs"]
    assert {name: found for name, found in places.items() if len(found) > MOST_OF_A_NAME} == {}


def docstrings(module: Module) -> Iterator[tuple[int, str]]:
    """Yields line and text of each docstring: of modules, classes and functions, and those below constants and fields."""
    for node in module.nodes:
        if isinstance(node, (ast.Module, ast.ClassDef, *DEFS)):
            yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""
            for inner in node.body[1:]:
                if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant) and isinstance(inner.value.value, str):
                    yield inner.lineno, inner.value.value


def test_docstrings_say_what_is_done() -> None:
    riddles = [
        f"{module.path}:{line}" for module in modules() for line, text in docstrings(module) if text.split(" ")[0] in RIDDLES
    ]
    assert riddles == []


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    firsts = [
        (f"{module.path}:{node.lineno}", (ast.get_docstring(node) or "Has").split()[0].rstrip(".,"))
        for module in modules()
        for node in module.nodes
        if isinstance(node, DEFS)
    ]
    assert [(where, word) for where, word in firsts if not word.endswith("s") or word in NO_VERBS] == []


def test_imports_inside_functions_are_few_and_have_a_reason() -> None:
    late = [(module, line) for module in modules() for line in late_imports(module)]
    assert [f"{module.path}:{line}" for module, line in late if not has_reason(module, line)] == []
    assert len(late) < MOST_LATE_IMPORTS


def test_every_module_has_a_test_file_of_its_name() -> None:
    paths = [Path(module.path) for module in modules() if Path(module.path).name not in ENTRIES]
    missing = {path.as_posix() for path in paths if not (ROOT / "tests" / path.parent / f"test_{path.name}").is_file()}
    assert missing - WITHOUT_TESTS.keys() == set()
    assert WITHOUT_TESTS.keys() - {path.as_posix() for path in paths} == set()


def test_every_test_file_has_tests() -> None:
    # an empty one would satisfy the rule above
    files = [*(ROOT / "tests").rglob("test_*.py")]
    assert files
    assert [
        file for file in files if not re.search(r"^ *(?:async def|def|class) [tT]est", file.read_text("utf-8"), re.MULTILINE)
    ] == []


def spoken() -> list[Path]:
    """The files that people read."""
    code = [
        *(ROOT / "gitrun").rglob("*.py"),
        *(ROOT / "hooks").iterdir(),
        ROOT / "README.md",
        ROOT / "gitrun" / "share" / "git-run.1",
        *(ROOT / "gitrun" / "share").glob("*.json"),
        *(file for ending in ("js", "css", "html") for file in (ROOT / "gitrun" / "share" / "view").glob(f"*.{ending}")),
    ]
    # this file and the guides' test quote the turns
    quoting = {"test_style.py", "test_guides.py"}
    tests = [file for file in (ROOT / "tests").rglob("*.*") if file.suffix in {".py", ".md"} and file.name not in quoting]
    return [*code, *GUIDES.glob("*.md"), *tests]


def test_no_file_has_turns_that_nobody_says() -> None:
    texts = {file: file.read_text("utf-8").splitlines() for file in spoken()}
    assert TURNS.search("the file lies in a folder")
    assert TURNS.search("files that lie beside it")
    found = [
        (file, number, line) for file, lines in texts.items() for number, line in enumerate(lines, 1) if TURNS.search(line)
    ]
    assert found == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250


@pytest.mark.parametrize("guide", sorted(GUIDES.glob("*.md")), ids=lambda guide: guide.stem)
def test_a_guide_is_short(guide: Path) -> None:
    assert len(guide.read_text("utf-8").splitlines()) <= 200
