"""ARCHITECTURE.rst has the tree as it is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = (
    *("schemas", "lib", "services", "northd", "controller", "ctl", "northbound"),
    *("tests", "utilities"),
)
# Named in the map by what they test, or not worth a word.
UNNAMED = re.compile(r"(__init__\.py|tests/(system/)?(test_\w+|site|conftest)\.py)$")


def _read_map() -> str:
    text = (ROOT / "ARCHITECTURE.rst").read_text(encoding="utf-8")
    return text.partition("\nCode map\n")[2].partition("\nInvariants\n")[0]


def _find_files() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in (ROOT / part).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_code_map_names_every_file() -> None:
    named = set(re.findall(r"``([^`]+)``", _read_map()))
    missing = [
        path
        for path in sorted(_find_files())
        if not UNNAMED.search(path) and Path(path).name not in named
    ]
    assert not missing, "give each a line in the code map of ARCHITECTURE.rst"


def test_code_map_names_nothing_that_is_gone() -> None:
    known = {Path(path).name for path in _find_files()} | {"setup.py", "pyproject.toml", "py.typed"}
    named = set(re.findall(r"``(\w[\w-]*\.(?:py|rst|ovsschema|toml|dot|typed))``", _read_map()))
    assert named - known <= {"test_NAME.py", "en_NODE.py"}
    folders = {name.strip("/") for name in re.findall(r"``([\w/]+/)``", _read_map())}
    assert all(list(ROOT.glob(f"**/{name}")) for name in folders)
