"""Service types as packages of their own: built as wheels, installed beside the tree.

The sources are in folders of packages/; what is built and installed is outside the tree, so
that a type finds the core as somebody else's would.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_SOURCES = Path(__file__).parent / "packages"


def build_wheel(name: str, directory: Path) -> Path:
    """Returns the wheel of a package in packages/, made in 'directory'."""
    source = directory / f"{name}-source"
    shutil.copytree(_SOURCES / name, source)  # setuptools writes beside what it builds
    _run_pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={directory}", str(source))
    (wheel,) = directory.glob(f"ovnsvc_{name}-*.whl")
    return wheel


def install_wheel(wheel: Path, directory: Path) -> Path:
    """Returns a folder for sys.path in which 'wheel' is installed."""
    _run_pip("install", "--no-deps", "--no-index", f"--target={directory}", str(wheel))
    return directory


def _run_pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
