"""What a program tells of itself in its status file: items and metrics.

The file is the program's, so that nothing in it is taken on trust: it is read
whole only if it is a plain file that is not large, and what cannot be told is
left out, as with any service (told.py).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...lib.errors import ConfigError
from ...services.api.item import Item
from . import told

MAX_BYTES = 1 << 20
_KEYS = frozenset(each.name for each in fields(Item))
_NEEDED = ("kind", "name", "state")

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class StatusFile:
    """What a file said last; 'problem' is what of it cannot be told, 'stamp' how the file was."""

    items: tuple[Item, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None
    stamp: Stamp | None = None


NOTHING = StatusFile()


def read(path: str, last: StatusFile) -> StatusFile:
    """Returns what the file says; 'last' itself if it has not changed since."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:  # it is not there yet
        return NOTHING
    stamp = found.st_ino, found.st_mtime_ns, found.st_size
    if stamp == last.stamp:
        return last
    try:
        items, metrics, problems = parse(_read_bounded(path))
    except (OSError, ConfigError) as error:
        return StatusFile(problem=f"its status cannot be read: {error}", stamp=stamp)
    return StatusFile(items, metrics, "; ".join(problems) or None, stamp)


def parse(content: bytes) -> tuple[tuple[Item, ...], dict[str, float], list[str]]:
    """Returns items, metrics, and sentences on what is left out; raises ConfigError."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError("it is not JSON") from error
    if not isinstance(document, dict):
        raise ConfigError("it is not a JSON object")
    listed, figures = document.get("items", []), document.get("metrics", {})
    if not isinstance(listed, list) or not isinstance(figures, dict):
        raise ConfigError("its items are no list, or its metrics no object")
    items, bad_items = told.check_items([_make_item(each) for each in listed])
    metrics, bad_metrics = told.check_metrics(figures)
    return items, metrics, bad_items + bad_metrics


def _read_bounded(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError("it is not a plain file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"it is larger than {MAX_BYTES} bytes")
    return content


def _make_item(value: Any) -> Any:
    """Returns an Item of unchecked values; 'value' itself if it makes none."""
    if not isinstance(value, dict) or not all(key in value for key in _NEEDED):
        return value
    return Item(**{key: value[key] for key in value.keys() & _KEYS})
