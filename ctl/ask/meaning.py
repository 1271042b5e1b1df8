"""Which containers a word means that an operator has in his hand: names of theirs, or of others.

What the rows of service types are called is for the types to say; a container tells which of
them it serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...services.api.commands import Meaning
from ..context import Context
from ..db.records import find_row, list_prefixed
from ..db.row import Row
from ..type_run import ask_types
from .units import CONTAINER, find_on_chassis

_MOST_NAMED = 10


def find_container(context: Context, text: str) -> Row | None:
    """Returns the one container that 'text' means, None if it means none.

    Raises UsageError with all that it may mean if those are several.
    """
    row = find_row(context.replica, CONTAINER, text)
    if row is not None:
        return row
    found = find_meant(context, text)
    if len(found) > 1:
        names = [f"container {quote(row.text('name'))}{why}" for row, why in found]
        more = len(names) - _MOST_NAMED
        names[_MOST_NAMED:] = [f"and {more} more"] if more > 0 else []
        raise UsageError(f"{quote(text)} may mean {', '.join(names)}; name one of them")
    return found[0][0] if found else None


def find_containers(context: Context, text: str) -> list[Row]:
    """Returns every container that 'text' means, in the order of their names."""
    row = find_row(context.replica, CONTAINER, text)
    return [row] if row is not None else [each for each, _ in find_meant(context, text)]


def find_meant(context: Context, text: str) -> list[tuple[Row, str]]:
    """Returns the containers that 'text' means though none is called so, and why, in words."""
    found: dict[str, tuple[Row, str]] = {}
    for row in list_prefixed(context.replica, CONTAINER, text):
        found[row.uuid] = row, f" ({row.uuid})"
    for _, meanings in ask_types(context, lambda half, run: _check(half.find_meanings(run, text))):
        units = sorted({unit for each in meanings for unit in each.units})
        rows = context.replica.find_all(CONTAINER, "serves", *units)
        workers: dict[str, list[Row]] = {}
        for row in rows:
            for unit in row.strings("serves"):
                workers.setdefault(unit, []).append(row)
        for each in meanings:
            served = [row for unit in each.units for row in workers.get(unit, ())]
            _note(found, served, f" ({each.noun} {quote(each.name)})")
    _note(found, find_on_chassis(context, text), f" (on {quote(text)})")
    if not found:
        # The key by which every type that has a router calls it.
        behind = [
            each for each in context.replica.rows(CONTAINER).values() if _has_router(each, text)
        ]
        _note(found, behind, f" (on router {quote(text)})")
    return sorted(found.values(), key=lambda each: each[0].text("name"))


def find_names(context: Context, text: str) -> set[str]:
    """Returns the names of what 'text' means: containers, and rows of service types."""
    names = {row.text("name") for row in find_containers(context, text)}
    for _, meanings in ask_types(context, lambda half, run: _check(half.find_meanings(run, text))):
        names.update(each.name for each in meanings)
    return names


def _check(meanings: Sequence[Meaning]) -> list[Meaning]:
    """Returns what a type takes a word for; raises TypeError if that is nothing of the kind."""
    if not all(isinstance(each, Meaning) for each in meanings):
        raise TypeError
    return list(meanings)


def _note(found: dict[str, tuple[Row, str]], rows: Iterable[Row], why: str) -> None:
    for row in rows:
        found.setdefault(row.uuid, (row, why))


def _has_router(row: Row, text: str) -> bool:
    configuration = row.datum("configuration")
    assert isinstance(configuration, dict)
    return configuration.get("router") == text
