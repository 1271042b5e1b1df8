"""SECURITY.rst and the tests of what it says name each other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.rst").read_text(encoding="utf-8")
# Each of their tests is of a line of the page.
ATTACKS = ("test_stolen_key.py", "test_stolen_key_content.py", "test_read_only.py")


def _find_tests(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_each_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"``(test_\w+)``", PAGE))
    there = {name for path in ROOT.glob("tests/**/test_*.py") for name in _find_tests(path)}
    assert named
    assert not named - there


def test_each_file_that_the_page_names_is_there() -> None:
    paths = re.findall(r"``(tests/[\w/.]+)``", PAGE)
    assert not [each for each in paths if not (ROOT / each).exists()]


def test_each_attack_is_on_the_page() -> None:
    tried = {name for file in ATTACKS for name in _find_tests(ROOT / "tests" / file)}
    assert not {name for name in tried if f"``{name}``" not in PAGE}
