"""Commands on containers of the operator's own, and on where the operator wants a container.

The keys of a container's configuration are not judged here, since its service
type need not be installed where a program of the operator runs; svc-northd
and the chassis say on the row what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..lib import container_wish
from ..lib.container import name_problem
from ..lib.errors import UsageError
from ..lib.router import is_ours
from .row import Row
from .run import Run

TABLE = "Service_Container"
WISH = "Container_Wish"
_MAPS = ("configuration", "secret")


def add(run: Run) -> Row:
    """Adds a container, or finds that it is there as it was asked for."""
    name, service_type = run.arguments
    problem = name_problem(name)
    if problem is not None:
        raise UsageError(problem)
    row = run.find(TABLE, "name", name)
    if row is not None:
        _check_same(run, row)
        return row
    row = run.insert(TABLE)
    row.set_atom("name", name)
    row.set_atom("service_type", service_type)
    for column in _MAPS:
        pairs = _read_pairs(run, column)
        row.set(column, {key: value for key, value in pairs.items() if value is not None})
    _set_group(run, row)
    return row


def set_values(run: Run) -> Row | None:
    """Changes keys of a container's configuration and secrets, and its group; None takes out."""
    row = _find_own(run)
    if row is not None:
        for column in _MAPS:
            for key, value in _read_pairs(run, column).items():
                row.change_key(column, key, value)
        _set_group(run, row)
    return row


def delete(run: Run) -> None:
    """Removes a container, and what was wished for it."""
    row = _find_own(run)
    if row is None:
        return
    wish = run.find(WISH, "name", row.text("name"))
    if wish is not None:
        run.delete(wish)
    run.delete(row)


# -- wishes ------------------------------------------------------------------------


def pin(run: Run) -> Row:
    """A container may run on one chassis and nowhere else."""
    name, chassis = _find_container(run)[0], _read_chassis(run)
    wish = _get_wish(run, name)
    container_wish.pin(wish, chassis)
    return wish


def unpin(run: Run) -> None:
    """A container may run anywhere again."""
    wish = run.find(WISH, "name", run.arguments[0])
    if wish is None:
        wish = run.find(WISH, "name", _find_container(run)[0])
    if wish is not None and container_wish.unpin(wish):
        run.delete(wish)


def migrate(run: Run) -> Row | None:
    """A container moves to another chassis once; None if it is there already."""
    name, row = _find_container(run)
    chassis = _read_chassis(run)
    wish = run.find(WISH, "name", name)
    problem = container_wish.find_migration_problem(name, wish, chassis)
    if problem is not None:
        raise UsageError(problem)
    is_there = row is not None and row.text("chassis") == chassis
    if is_there and not (wish and container_wish.is_migrating(wish)):
        return None
    wish = _get_wish(run, name)
    container_wish.migrate(wish, chassis)
    return wish


def forgive(run: Run) -> Row:
    """A container may be tried at once where it failed, on one chassis or on all."""
    wish = _get_wish(run, _find_container(run)[0])
    container_wish.forgive(wish, run.arguments[1] if len(run.arguments) > 1 else None)
    return wish


# -- pieces --------------------------------------------------------------------------


def _find_own(run: Run) -> Row | None:
    """Returns the container that is meant; None is possible with 'if-exists' only."""
    name = run.arguments[0]
    row = run.find_row(TABLE, name)
    if row is None:
        if run.has("if-exists"):
            return None
        raise UsageError(f"{name}: container not found")
    if is_ours(row.pairs("external_ids")):
        raise UsageError(
            f"{row.text('name')}: svc-northd has made it, and it goes with what it serves"
        )
    return row


def _read_pairs(run: Run, column: str) -> dict[str, str | None]:
    pairs: Mapping[str, str | None] = run.values.get(column) or {}
    for key in pairs:
        if not key:
            raise UsageError(f"{run.arguments[0]}: a key of {column} is empty")
    return {key: value or None for key, value in pairs.items()}


def _check_same(run: Run, row: Row) -> None:
    """Raises UsageError if the container that may exist is not what was asked for."""
    complaint = f"{row.text('name')}: a container with this name already exists"
    if not run.has("may-exist"):
        raise UsageError(complaint)
    if row.text("service_type") != run.arguments[1]:
        raise UsageError(f"{complaint}, with another service_type")
    for column in _MAPS:
        wanted = {key: value for key, value in _read_pairs(run, column).items() if value}
        if row.pairs(column) != wanted:
            raise UsageError(f"{complaint}, with another {column}")
    name = run.values.get("group")
    if name and row.text("group") != run.get_row("Container_Group", name).uuid:
        raise UsageError(f"{complaint}, with another group")


def _set_group(run: Run, row: Row) -> None:
    if "group" in run.values:
        name = run.values["group"]
        row.set_atom("group", run.get_row("Container_Group", name).uuid if name else None)


def _find_container(run: Run) -> tuple[str, Row | None]:
    """Returns the name of the container that is meant, and its row if there is one."""
    text = run.arguments[0]
    row = run.find_row(TABLE, text)
    if row is not None:
        return row.text("name"), row
    if not text or not run.values.get("may_be_absent"):
        raise UsageError(f"{text}: container not found")
    return text, None


def _read_chassis(run: Run) -> str:
    if not run.arguments[1]:
        raise UsageError('"": not the name of a chassis')
    return run.arguments[1]


def _get_wish(run: Run, name: str) -> Row:
    """Returns the wish for a container, a new one if there is none."""
    wish = run.find(WISH, "name", name)
    if wish is None:
        wish = run.insert(WISH)
        wish.set_atom("name", name)
    return wish
