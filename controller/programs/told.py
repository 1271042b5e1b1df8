"""What a program tells of itself in its status file: items and metrics.

The file is the program's, so that nothing in it is taken on trust: it is read
whole only if it is a small plain file, and everything in it has a bound.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...lib.errors import ConfigError
from ...services.api.host import Item

MAX_BYTES = 1 << 20
MAX_ITEMS = 1000
MAX_METRICS = 100
MAX_PAIRS = 50
MAX_CHARACTERS = 1000
_MAX_INTEGER = 2**63 - 1
_MAX_MOMENT_MS = 253402300799999

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """What was told last, from the file as 'stamp' says it was; 'problem' why that is nothing."""

    items: tuple[Item, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None
    stamp: Stamp | None = None


NOTHING = Told()


def read(path: str, last: Told) -> Told:
    """Returns what the file tells; 'last' itself if it has not changed since."""
    try:
        stamp = _find_stamp(os.stat(path, follow_symlinks=False))
    except OSError:  # it is not there yet
        return NOTHING
    if stamp == last.stamp:
        return last
    try:
        items, metrics = parse(_read_bounded(path))
    except (OSError, ConfigError) as error:
        return Told(problem=f"its status cannot be read: {error}", stamp=stamp)
    return Told(items, metrics, None, stamp)


def parse(content: bytes) -> tuple[tuple[Item, ...], dict[str, float]]:
    """Returns items by kind and name, and metrics; raises ConfigError."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError("it is not JSON") from error
    if not isinstance(document, dict):
        raise ConfigError("it is not a JSON object")
    listed, figures = document.get("items", []), document.get("metrics", {})
    if not isinstance(listed, list) or len(listed) > MAX_ITEMS:
        raise ConfigError(f"items is not a list of up to {MAX_ITEMS}")
    if not isinstance(figures, dict) or len(figures) > MAX_METRICS:
        raise ConfigError(f"metrics is not an object of up to {MAX_METRICS}")
    items = {(each.kind, each.name): each for each in map(_parse_item, listed)}
    metrics = {_check_text(name, "a metric"): _parse_figure(figures[name]) for name in figures}
    return tuple(items[key] for key in sorted(items)), metrics


# -- helpers, in the order they are called ------------------------------------


def _find_stamp(found: os.stat_result) -> Stamp:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read_bounded(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError("it is not a plain file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"it is larger than {MAX_BYTES} bytes")
    return content


def _parse_item(value: Any) -> Item:
    if not isinstance(value, dict):
        raise ConfigError("an item is not a JSON object")
    texts = {
        key: _check_text(value.get(key, ""), key)
        for key in ("kind", "name", "state", "subject", "message")
    }
    if not (texts["kind"] and texts["name"] and texts["state"]):
        raise ConfigError("an item has no kind, name or state")
    since = value.get("since")
    detail = _check_pairs(value.get("detail", {}), "detail")
    counters = _check_pairs(value.get("counters", {}), "counters")
    return Item(
        **texts,
        since=None if since is None else _check_integer(since, "since", _MAX_MOMENT_MS),
        detail={key: _check_text(each, "detail") for key, each in detail.items()},
        counters={
            key: _check_integer(each, "counters", _MAX_INTEGER) for key, each in counters.items()
        },
    )


def _check_text(value: Any, key: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise ConfigError(f"{key} is not text of up to {MAX_CHARACTERS} characters")
    if "\0" in value or not _is_unicode(value):
        raise ConfigError(f"{key} has a character that no database takes")
    return value


def _is_unicode(value: str) -> bool:
    """Returns whether UTF-8 can hold it: JSON can name half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_pairs(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > MAX_PAIRS:
        raise ConfigError(f"{key} is not an object of up to {MAX_PAIRS}")
    return {_check_text(name, key): each for name, each in value.items()}


def _check_integer(value: Any, key: str, highest: int) -> int:
    if type(value) is not int or not 0 <= value <= highest:
        raise ConfigError(f"{key} has a value that is no integer in 0..{highest}")
    return value


def _parse_figure(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ConfigError("a metric is not a number")
    return float(value)
