"""The entry points of installed packages, without importlib.metadata.

That costs a command 30 ms to import, most of it for what is not asked here.  An
entry point is a line "NAME = MODULE:ATTRIBUTE" in a section of the file
entry_points.txt beside a package's metadata (packaging.python.org,
"Entry points specification").
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_METADATA = (".dist-info", ".egg-info")
_FILE = "entry_points.txt"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where an entry point leads to."""

    name: str
    module: str
    attribute: str


def find_entry_points(group: str) -> list[EntryPoint]:
    """Returns the entry points of a group, in the order in which Python finds packages.

    Of a package that is there twice the first counts, as it does for an import.
    """
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for directory in sys.path:
        with contextlib.suppress(OSError), os.scandir(directory or ".") as entries:
            for each in sorted(entries, key=lambda entry: entry.name):
                stem, extension = os.path.splitext(each.name)
                package = stem.partition("-")[0].lower()
                if extension in _METADATA and package not in seen:
                    seen.add(package)
                    found += _read(os.path.join(each.path, _FILE), group)
    return found


def _read(path: str, group: str) -> Iterator[EntryPoint]:
    """Yields the entry points of a group in a file, if there is one that can be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
        section = ""
        for line in map(str.strip, file):
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1].strip()
            elif section == group and "=" in line and not line.startswith("#"):
                name, _, target = (each.strip() for each in line.partition("="))
                module, _, attribute = target.partition("[")[0].strip().partition(":")
                yield EntryPoint(name, module, attribute)
