"""What containers work for: as rows of service types, as their names, and by chassis."""

from __future__ import annotations

from collections.abc import Iterable

from ..context import Context
from ..db.records import find_row
from ..db.row import Row
from ..db.values import is_uuid

CONTAINER = "Service_Container"


def find_units(context: Context, text: str) -> list[str]:
    """Returns the members of Service_Container:serves of the containers that 'text' means."""
    row = find_row(context.replica, CONTAINER, text)
    rows = [row] if row is not None else find_on_chassis(context, text)
    return sorted({each for row in rows for each in row.strings("serves")})


def find_on_chassis(context: Context, chassis: str) -> list[Row]:
    """Returns the containers that are active on a chassis."""
    return context.replica.find_all(CONTAINER, "chassis", chassis) if chassis else []


def find_served(context: Context, row: Row) -> tuple[str, ...]:
    """Returns the names of the rows that a container works for; a UUID where it has none."""
    served = row.strings("serves")
    names = find_names(context, row.text("service_type"), served)
    return tuple(sorted(names.get(text, text) for text in served))


def read_served(context: Context, rows: Iterable[Row]) -> None:
    """Reads in one question what find_served() is asked for of each of 'rows'."""
    served: dict[str, set[str]] = {}
    for row in rows:
        served.setdefault(row.text("service_type"), set()).update(row.strings("serves"))
    for service_type, texts in served.items():
        find_names(context, service_type, sorted(texts))


def find_names(context: Context, service_type: str, texts: Iterable[str]) -> dict[str, str]:
    """Returns the names of rows of a service type by their UUIDs, which are among 'texts'."""
    uuids = [text for text in texts if is_uuid(text)]
    # The types are loaded only if there is something to ask them.
    half = context.types.commands().get(service_type) if uuids else None
    schemas = context.replica.schema.tables
    tables = [words.name for words in half.tables if words.name in schemas] if half else []
    return {
        each.uuid: each.text("name")
        for name in tables
        if "name" in schemas[name].columns
        for each in context.replica.get_all(name, uuids)
    }
