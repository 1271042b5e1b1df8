"""The tree's own rules that no linter has."""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("lib", "services", "northd", "controller", "ctl", "northbound", "tests", "utilities")
# Packages of somebody else, as far as they know.
OTHERS = ROOT / "tests" / "packages"
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if OTHERS not in path.parents
)
TYPE_WORDS = re.compile("ipsec|charon", re.IGNORECASE)
LONGEST_FILE = 500
LONGEST_FUNCTION = 50


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_relative_and_sizes_kept(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").partition(".")[0] != "ovnsvc"
        if isinstance(node, ast.Import):
            assert not any(name.name.partition(".")[0] == "ovnsvc" for name in node.names)


@pytest.mark.parametrize("folder", ["northd", "controller", "ctl", "lib"])
def test_core_names_no_service_type(folder: str) -> None:
    """What a type needs is in its own folder: to add one touches no file of the core."""
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert sources
    named = [path for path in sources if TYPE_WORDS.search(path.read_text(encoding="utf-8"))]
    assert not named


def test_wheel_has_every_package_and_schema(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    sources = (tmp_path / "ovnsvc.egg-info" / "SOURCES.txt").read_text().splitlines()
    listed = {os.path.normpath(source) for source in sources}
    wanted = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] not in ("tests", "utilities")
    }
    assert wanted <= listed
    entry_points = configparser.ConfigParser()
    entry_points.read(tmp_path / "ovnsvc.egg-info" / "entry_points.txt")
    scripts = set(entry_points["console_scripts"])
    assert scripts == {"svc-northd", "svc-controller", "svc-sbctl"}
    assert "utilities/svcctl" in listed
    needs = (tmp_path / "ovnsvc.egg-info" / "requires.txt").read_text()
    # What a program gets that uses the API: nothing that only a daemon needs.
    base, api = needs.partition("\n[")[0], needs.partition("[api]\n")[2].partition("\n[")[0]
    names = {re.split(r"\W", line)[0] for line in f"{base}\n{api}".splitlines() if line}
    assert names == {"ovs", "ovsdbapp"}
