"""The runbook has what a person can see: each check, each failure sentence with its remedy, each skipped tick."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from invoices_assets import errors
from invoices_assets.checks.rules import RULES
from invoices_assets.errors import RefreshError
from invoices_assets_tests.conftest import PROJECT

PACKAGE = PROJECT / "invoices_assets"
ELSEWHERE = ("sandbox", "describe", "errors.py", "scaffolding.py")
"""What runs no load: a person sees its sentences at once, on the terminal where they asked."""

CLASSES = {name: each for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, Exception)}
LOCATION = {"ClickException"}
"""What keeps a code location from loading."""

MOVED = {"RecordsMoved", "EndInDoubt"}
"""What is said of a pass; it stands within the sentence of the sweep."""
FAILURES = {*CLASSES, *MOVED, *LOCATION}
SKIPS = {"SkipReason", "_skipped"}
ANY = {*FAILURES, *SKIPS, "__init__"}
COMPOSED = {
    "… failed …: 503 …",
    "… answered …: …",
    "… answered 404 Not Found: … (is `path: …` right, and may the key see it? …)",
}
"""Sentences of the runbook that the code puts together in more than one place."""
VARIABLE = "…"


def told(page: str) -> str:
    """A page as one line, in which `|` of a table may be escaped."""
    return " ".join(page.replace("\\|", "|").split())


@cache
def runbook() -> str:
    return told((PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8"))


def template(node: ast.AST) -> str:
    """A text as it is written, with `…` for each part that is not constant."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return re.sub(f"{VARIABLE}+", VARIABLE, "".join(map(template, node.values)))
    if isinstance(node, ast.BinOp):
        return template(node.left) + template(node.right)
    return VARIABLE


def called(node: ast.Call) -> str:
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def arguments(call: ast.Call, function: ast.AST) -> Iterator[ast.AST]:
    """What a call is given; for a name also what the function around it assigns to that."""
    for argument in call.args:
        yield argument
        if isinstance(argument, ast.Name):
            for other in ast.walk(function):
                if isinstance(other, ast.Assign) and argument.id in [getattr(each, "id", "") for each in other.targets]:
                    yield other.value


def sentences(source: str, names: set[str]) -> list[str]:
    """What is given to the calls of these names in a module: of each the longest text, if it has a word."""
    if not any(f"{name}(" in source for name in names):
        return []
    found: dict[tuple[int, int], str] = {}
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and called(call) in names:
                    texts = [told(template(each)) for each in arguments(call, function)]
                    place = (call.lineno, call.col_offset)
                    found[place] = max(*texts, found.get(place, ""), "", key=len)
    return [each for each in found.values() if re.search(r"\w", each)]


def modules() -> list[Path]:
    return [each for each in sorted(PACKAGE.rglob("*.py")) if each.relative_to(PACKAGE).parts[0] not in ELSEWHERE]


def missing(source: str, names: set[str]) -> list[str]:
    return [each for each in sentences(source, names) if each not in runbook()]


def test_each_failure_sentence_is_in_the_runbook() -> None:
    texts = [each.read_text(encoding="utf-8") for each in modules()]

    assert sum(len(sentences(text, FAILURES)) for text in texts) > 130
    assert [each for text in texts for each in missing(text, FAILURES)] == []


def test_the_sentences_that_errors_write_themselves_are_in_the_runbook() -> None:
    text = Path(errors.__file__).read_text(encoding="utf-8")

    assert len(sentences(text, {"__init__"})) == 2
    assert missing(text, {"__init__"}) == []


def test_a_sentence_that_is_new_is_missed() -> None:
    assert missing("def f():\n    raise BadAnswer(f'{x} has the wrong colour: {y}')", {"BadAnswer"}) == [
        "… has the wrong colour: …"
    ]


def test_each_class_of_errors_has_its_remedy_in_the_runbook() -> None:
    remedies = {name: each.what_to_do for name, each in CLASSES.items() if issubclass(each, RefreshError)}

    assert {name for name in remedies if f"`{name}`" not in runbook()} == set()
    assert [remedy for remedy in remedies.values() if told(remedy) not in runbook()] == []


def test_each_check_is_in_the_runbook() -> None:
    assert [rule.name for rule in RULES if f"`{rule.name}`" not in runbook()] == []


def test_each_reason_of_a_skipped_tick_is_in_the_runbook() -> None:
    texts = [(PACKAGE / name).read_text(encoding="utf-8") for name in ("sensor.py", "alerts.py")]

    assert sum(len(sentences(text, SKIPS)) for text in texts) >= 8
    assert [each for text in texts for each in missing(text, SKIPS)] == []


def test_each_sentence_of_the_runbook_is_one_of_the_code() -> None:
    page = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| s[^|]*\|[^|]*\|\n\| --- .*\n((?:\|.*\n)+)", page, re.MULTILINE)
    cells = [row.split(" | ")[0].removeprefix("| ") for table in tables for row in table.splitlines()]
    written = {each for cell in cells if not cell.startswith("**") for each in cell.split("<br>")}
    said = {each for file in PACKAGE.rglob("*.py") for each in sentences(file.read_text(encoding="utf-8"), ANY)}

    assert len(written) > 130
    assert written - said - COMPOSED == set()


def test_each_check_of_the_runbook_is_one_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(rows) == {rule.name for rule in RULES}
