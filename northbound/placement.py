"""Commands on groups, sets of chassis and of ports, and on chassis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lib import group
from ..lib.addresses import quote
from ..lib.errors import UsageError
from ..lib.group import DEFAULT_POLICY, find_standby
from .row import Row
from .run import NOUNS, Run

GROUP = "Container_Group"
_STANDBY = "standby"  # a key of options
# Members of a set, and columns of a group that refer to one.
MEMBERS = {"Chassis_Group": "chassis", "Port_Group": "ports"}
REFERENCES = {"chassis_group": "Chassis_Group", "port_group": "Port_Group"}


# -- groups --------------------------------------------------------------------


def add_group(run: Run) -> Row:
    """Adds a group, or finds that it is there as it was asked for."""
    name = run.arguments[0]
    _check(group.name_problem(name))
    _check_group(run, name)
    row = run.find(GROUP, "name", name)
    if row is not None:
        _check_same(run, row)
        return row
    row = run.insert(GROUP)
    row.set_atom("name", name)
    _change_group(run, row)
    return row


def set_group(run: Run) -> Row | None:
    """Changes what is given; None means the default."""
    row = _find_named(run, GROUP)
    if row is not None:
        _check_group(run, row.text("name"))
        _change_group(run, row)
    return row


def delete_named(run: Run) -> None:
    """Removes a group or a set that nothing refers to."""
    row = _find_named(run, run.values["table"])
    if row is None:
        return
    for user in run.find_users(row):
        noun = NOUNS.get(user.table.name, f"a row of {user.table.name},")
        raise UsageError(f"{row.text('name')}: used by {noun} {quote(user.text('name'))}")
    run.delete(row)


def _check_group(run: Run, name: str) -> None:
    given = run.values
    if given.get("policy") is not None:
        _check(group.policy_problem(given["policy"]), name)
    if given.get("spread") is not None:
        _check(group.spread_problem(given["spread"]), f"{name}: spread")
    if given.get("standby") is not None:
        _check(group.standby_problem(str(given["standby"])), f"{name}: standby")


def _change_group(run: Run, row: Row) -> None:
    for column in ("policy", "spread"):
        if column in run.values:
            row.set_atom(column, run.values[column] or None)
    for column, table in REFERENCES.items():
        if column in run.values:
            name = run.values[column]
            row.set_atom(column, run.get_row(table, name).uuid if name else None)
    if _STANDBY in run.values:
        number = run.values[_STANDBY]
        row.change_key("options", _STANDBY, str(number) if number else None)


def _check_same(run: Run, row: Row) -> None:
    """Raises UsageError if the group that may exist is not what was asked for."""
    complaint = f"{row.text('name')}: a group with this name already exists"
    if not run.has("may-exist"):
        raise UsageError(complaint)
    have = {"policy": row.text("policy") or DEFAULT_POLICY, "spread": row.text("spread") or None}
    for column, value in have.items():
        if run.values.get(column) is not None and run.values[column] != value:
            raise UsageError(f"{complaint}, with another {column}")
    for column, table in REFERENCES.items():
        name = run.values.get(column)
        if name and row.text(column) != run.get_row(table, name).uuid:
            raise UsageError(f"{complaint}, with another {column}")
    number = run.values.get(_STANDBY)
    if number is not None and number != find_standby(row.pairs("options")):
        raise UsageError(f"{complaint}, with another number of standbys")


# -- sets of chassis and of ports -------------------------------------------------


def add_set(run: Run) -> Row:
    """Adds a set of chassis or of ports, or finds that it is there with these members."""
    name, *members = run.arguments
    table: str = run.values["table"]
    _check(group.name_problem(name))
    _check_members(table, members)
    wanted = tuple(sorted(set(members)))
    row = run.find(table, "name", name)
    if row is None:
        row = run.insert(table)
        row.set_atom("name", name)
        row.set(MEMBERS[table], wanted)
        return row
    complaint = f"{name}: a {NOUNS[table]} with this name already exists"
    if not run.has("may-exist"):
        raise UsageError(complaint)
    if row.datum(MEMBERS[table]) != wanted:
        raise UsageError(f"{complaint}, with other {MEMBERS[table]}")
    return row


def set_members(run: Run) -> Row | None:
    """Gives a set other members."""
    table: str = run.values["table"]
    members = run.arguments[1:]
    _check_members(table, members)
    row = _find_named(run, table)
    if row is not None:
        row.set(MEMBERS[table], tuple(sorted(set(members))))
    return row


def _check_members(table: str, members: Sequence[str]) -> None:
    what = "chassis" if table == "Chassis_Group" else "port"
    if not members:
        raise UsageError(f"no {what} is given")
    if "" in members:
        raise UsageError(f'"": not the name of a {what}')


# -- chassis ----------------------------------------------------------------------


def set_chassis(run: Run) -> Row | None:
    """Sets columns of the operator's word on a chassis, made if there is none yet."""
    name = run.arguments[0]
    row = run.find("Chassis", "name", name)
    if row is None:
        if not name:
            raise UsageError('"": not the name of a chassis')
        if run.values == {"drain": False}:
            return None
        row = run.insert("Chassis")
        row.set_atom("name", name)
    for column, value in run.values.items():
        row.set_atom(column, value)
    return row


# -- pieces -----------------------------------------------------------------------


def _find_named(run: Run, table: str) -> Row | None:
    """Returns the row that is meant; None is possible with 'if-exists' only."""
    name = run.arguments[0]
    row = run.find_row(table, name)
    if row is None and not run.has("if-exists"):
        raise UsageError(f"{name}: {NOUNS[table]} not found")
    return row


def _check(problem: Any, subject: str = "") -> None:
    if problem is not None:
        raise UsageError(f"{subject}: {problem}" if subject else problem)
