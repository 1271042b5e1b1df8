"""What a service tells of itself, as far as it can stand in a row. Pure but for asking.

A service may be somebody else's and return anything.  What cannot be told is
left out, with a sentence for the row of its container, and what is too long is
cut, so that no transaction of this chassis is refused for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ...lib.failures import describe
from ...lib.items import MOST_ITEMS, MOST_TEXT, weigh
from ...services.api import host
from ...services.api.host import Service, Status
from ...services.api.item import Item

T = TypeVar("T")

MOST_KEYS = 64
LONGEST_NAME = 128
LONGEST_TEXT = 1024
_MOST_RESTARTS = 2**31 - 1
_MOST_COUNT = 2**63 - 1
_MOST_TIME = 253402300799999
_SHOWN = 3

_CODES = (host.UNKNOWN, host.STARTING, host.RUNNING, host.ERROR)


@dataclass(frozen=True, slots=True)
class Told:
    """How a service is; 'failure' is why it cannot be asked, 'problems' what was left out."""

    status: Status | None = None
    items: tuple[Item, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None
    problems: tuple[str, ...] = ()


def ask(service: Service) -> Told:
    """Returns what 'service' tells."""
    status, failure = _try(lambda: check_status(service.status()))
    items, no_items = _try(lambda: check_items(service.items()))
    metrics, no_metrics = _try(lambda: check_metrics(service.metrics()))
    problems = [
        *(f"items cannot be told: {each}" for each in (no_items,) if each is not None),
        *(f"metrics cannot be told: {each}" for each in (no_metrics,) if each is not None),
        *(items[1] if items is not None else ()),
        *(metrics[1] if metrics is not None else ()),
    ]
    return Told(
        status=status,
        items=items[0] if items is not None else (),
        metrics=metrics[0] if metrics is not None else {},
        failure=None if failure is None else f"the service does not tell how it is: {failure}",
        problems=tuple(problems),
    )


def check_status(status: Status) -> Status:
    """Returns 'status' so that it can stand in a row; raises TypeError if it is none."""
    if not isinstance(status, Status) or status.code not in _CODES:
        raise TypeError(f"status() returned {_show(status)}")
    return replace(
        status,
        message=clean(status.message, LONGEST_TEXT),
        reached_generation=_check_number(status.reached_generation, _MOST_COUNT),
        restarts=_check_number(status.restarts, _MOST_RESTARTS),
    )


def check_items(items: Any) -> tuple[tuple[Item, ...], list[str]]:
    """Returns those of 'items' that can stand in rows, and sentences on the others."""
    found: dict[tuple[str, str], Item] = {}
    bad: list[str] = []
    text = 0
    for each in items:
        if len(found) >= MOST_ITEMS:
            bad.append(f"there are more than {MOST_ITEMS}")
            break
        try:
            item = _check_item(each)
        except Exception as error:  # its own __getattr__ may raise anything
            bad.append(str(error) if isinstance(error, TypeError) else describe(error))
            continue
        if (item.kind, item.name) in found:
            bad.append(f"{item.kind} {item.name} is there twice")
            continue
        text += weigh(item)
        if text > MOST_TEXT:
            bad.append(f"they are more than {MOST_TEXT} characters together")
            break
        found[item.kind, item.name] = item
    return tuple(found.values()), _sum_up("items cannot be told", bad)


def check_metrics(metrics: Any) -> tuple[dict[str, float], list[str]]:
    """Returns those of 'metrics' that are numbers, and sentences on the others."""
    found: dict[str, float] = {}
    bad: list[str] = []
    for name, value in metrics.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if len(found) >= MOST_KEYS:
            bad.append(f"there are more than {MOST_KEYS}")
            break
        if not isinstance(name, str) or not name or not number or not _is_real(value):
            bad.append(f"{_show(name)} is {_show(value)}")
        else:
            found[clean(name, LONGEST_NAME)] = float(value)
    return found, _sum_up("metrics cannot be told", bad)


def clean(text: str, most: int) -> str:
    """Returns 'text' as JSON and OVSDB can hold it, cut to 'most' characters.

    Raises TypeError if it is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"{_show(text)} is no text")
    whole = text.replace("\0", "\ufffd").encode(errors="replace").decode()
    return whole if len(whole) <= most else f"{whole[: most - 2]}.."


# -- helpers -----------------------------------------------------------------


def _try(ask_for: Callable[[], T]) -> tuple[T | None, str | None]:
    try:
        return ask_for(), None
    except TypeError as error:
        return None, clean(str(error), LONGEST_TEXT)
    except Exception as error:  # a mistake in one type must not reach the others
        return None, clean(describe(error), LONGEST_TEXT)


def _check_item(item: Any) -> Item:
    if not isinstance(item, Item):
        raise TypeError(f"{_show(item)} is no Item")
    if not item.kind or not item.name:
        raise TypeError(f"{_show(item)} has no kind or no name")
    since = item.since
    if since is not None and not (type(since) is int and 0 <= since <= _MOST_TIME):
        raise TypeError(f"{item.kind} {item.name}: {_show(since)} is no time")
    return Item(
        kind=clean(item.kind, LONGEST_NAME),
        name=clean(item.name, LONGEST_NAME),
        state=clean(item.state, LONGEST_NAME),
        subject=clean(item.subject, LONGEST_NAME),
        message=clean(item.message, LONGEST_TEXT),
        since=since,
        detail={
            clean(key, LONGEST_NAME): clean(value, LONGEST_TEXT)
            for key, value in list(item.detail.items())[:MOST_KEYS]
        },
        counters={
            clean(key, LONGEST_NAME): _check_number(value, _MOST_COUNT)
            for key, value in list(item.counters.items())[:MOST_KEYS]
        },
    )


def _check_number(value: Any, most: int) -> int:
    """Returns an integer that is not below 0, the most there can be if it is larger."""
    if type(value) is not int or value < 0:
        raise TypeError(f"{_show(value)} is no number from 0 on")
    return min(value, most)


def _is_real(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _show(value: Any) -> str:
    try:
        return clean(repr(value), 80)
    except Exception:  # somebody else's __repr__
        return f"a {type(value).__name__}"


def _sum_up(what: str, bad: list[str]) -> list[str]:
    if not bad:
        return []
    more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return [f"{what}: {clean('; '.join(bad[:_SHOWN]), LONGEST_TEXT)}{more}"]
