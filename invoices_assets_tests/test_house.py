"""The rooms of the code: imports go one way, Dagster and the settings stay above, ARCHITECTURE.md tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from invoices_assets_tests.conftest import PROJECT

PACKAGE = PROJECT / "invoices_assets"
BELOW_RESOURCES = ("errors.py", "redaction", "source", "extract", "normalize", "load", "refresh")
ARCHITECTURE = PROJECT / "ARCHITECTURE.md"


def modules(*places: str) -> list[Path]:
    found = [PACKAGE / place for place in places]
    return [file for each in found for file in ([each] if each.is_file() else sorted(each.rglob("*.py")))]


def test_imports_go_one_way_and_in_no_circle() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_setting_is_named_below_the_resources() -> None:
    named = {
        module.relative_to(PACKAGE).as_posix(): names
        for module in modules(*BELOW_RESOURCES)
        if (names := re.findall(r"INVOICES_[A-Z_]+", module.read_text(encoding="utf-8")))
    }
    assert named == {}


def test_each_path_that_the_architecture_names_exists() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    paths = re.findall(r"`([a-z_/]+(?:/|\.py|\.toml))(?:::(\w+))?`", text)
    assert len(paths) > 30
    missing = [path for path, name in paths if not has(path, name)]
    assert missing == []


def test_the_way_from_a_body_to_a_row_comes_into_no_file_twice() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    walk = text[text.index("## From a body to a row") : text.index("## Where to change what")]
    files = re.findall(r"`([a-z_/]+\.py)", walk)
    assert len(files) > 20
    assert sorted(files) == sorted(set(files))


def has(path: str, name: str) -> bool:
    """Whether there is such a file or folder, in the project or its package, and such a name in it."""
    place = next((root / path for root in (PROJECT, PACKAGE) if (root / path).exists()), None)
    if place is None or not name:
        return place is not None
    return re.search(rf"^\s*(def|class) {name}\b|^{name}\b", place.read_text(encoding="utf-8"), re.M) is not None


def test_each_room_is_in_the_architecture() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    rooms = [folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()]
    assert [room for room in rooms if f"`{room}/`" not in text] == []
