"""group-*: the scheduling policies that containers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.group import (
    DEFAULT_POLICY,
    find_standby,
    name_problem,
    policy_problem,
    spread_problem,
    standby_problem,
)
from ..context import Context
from ..db.records import find_row, get_named
from ..db.row import Row
from ..db.values import Datum

TABLE = "Container_Group"
_STANDBY = "standby"  # a key of options


def add(context: Context) -> None:
    """group-add GROUP [POLICY]: adds a group, which says how chassis are chosen.

    POLICY is least (the default), weighted, random or load.  --spread=KEY spreads over the
    chassis' values of external_ids:KEY, --standby=N keeps N more chassis ready.
    """
    name = context.arguments[0]
    check_name(name)
    columns = _parse_columns(context, name, context.argument(1))
    standby = _parse_standby(context, name)
    row = context.replica.find(TABLE, "name", name)
    if row is not None:
        _check_same(context, row, columns, standby)
        return
    row = context.replica.insert(TABLE)
    row.set_atom("name", name)
    for column, datum in columns.items():
        row.set(column, datum)
    _set_standby(row, standby or 0)


def set_columns(context: Context) -> None:
    """group-set GROUP: changes what its options name; an empty argument means the default."""
    name = context.arguments[0]
    row = get_named(context.replica, TABLE, name, "group")
    columns = _parse_columns(context, name, context.options.get("policy"))
    standby = _parse_standby(context, name)
    if not columns and standby is None:
        raise UsageError(f"{name}: nothing to change is given")
    for column, datum in columns.items():
        row.set(column, datum)
    if standby is not None:
        _set_standby(row, standby)


def delete(context: Context) -> None:
    """group-del GROUP: removes a group that nothing uses."""
    row = find_to_delete(context, TABLE, "group")
    if row is None:
        return
    check_unused(context, row)
    context.replica.delete(row)


def list_all(context: Context) -> None:
    """group-list: lists the groups and who uses them."""
    headings = ["name", "policy", "chassis-group", "port-group", "spread", "standby"]
    table = context.start_table([*headings, "services", "containers"], ["services"])
    users = find_users(context, TABLE)
    for row in sort_by_name(context, TABLE):
        table.add(
            row.text("name"),
            row.text("policy") or DEFAULT_POLICY,
            _find_name(context, "Chassis_Group", row.text("chassis_group")),
            _find_name(context, "Port_Group", row.text("port_group")),
            row.text("spread"),
            _format_standbys(row),
            _name_services(users.get(row.uuid, ())),
            sum(1 for user in users.get(row.uuid, ()) if user.table.name == "Service_Container"),
        )


def set_chassis_group(context: Context) -> None:
    """group-set-chassis-group GROUP [CHASSIS_GROUP]: limits a group to some chassis."""
    _set_reference(context, "chassis_group", "Chassis_Group", "chassis group")


def set_port_group(context: Context) -> None:
    """group-set-port-group GROUP [PORT_GROUP]: limits a group to some ports' chassis."""
    _set_reference(context, "port_group", "Port_Group", "port group")


def count_standbys(group: Row | None) -> int | None:
    """Returns how many standbys the containers of 'group' have; None if that cannot be read."""
    return 0 if group is None else find_standby(_read_options(group))


# -- what other groups need too --------------------------------------------


def check_name(name: str) -> None:
    """Raises UsageError if 'name' cannot be that of a group."""
    problem = name_problem(name)
    if problem is not None:
        raise UsageError(problem)


def find_to_delete(context: Context, table: str, noun: str) -> Row | None:
    """Returns the row that is to go; None is possible with --if-exists only."""
    name = context.arguments[0]
    row = find_row(context.replica, table, name)
    if row is None and not context.has("if-exists"):
        raise UsageError(f"{name}: {noun} not found")
    return row


def check_unused(context: Context, row: Row) -> None:
    """Raises UsageError if a row of any table refers to 'row'."""
    for user in _find_users_of(context, row):
        words = context.types.find_words(user.table.name)
        noun = words.noun if words else f"a row of {user.table.name},"
        raise UsageError(f"{row.text('name')}: used by {noun} {quote(user.text('name'))}")


def _find_users_of(context: Context, row: Row) -> Iterator[Row]:
    for other in context.replica.schema.tables.values():
        for column in other.columns.values():
            if column.key.ref_table == row.table.name:
                yield from context.replica.find_all(other.name, column.name, row.uuid)


def find_users(context: Context, table: str) -> Mapping[str, Sequence[Row]]:
    """Returns the rows that refer to each row of 'table', by the UUID of that."""
    users: dict[str, list[Row]] = {}
    for other in context.replica.schema.tables.values():
        for column in other.columns.values():
            if column.key.ref_table == table:
                for row in context.replica.rows(other.name).values():
                    for uuid in row.strings(column.name):
                        users.setdefault(uuid, []).append(row)
    return users


def sort_by_name(context: Context, table: str) -> list[Row]:
    """Returns the rows of 'table' in the order of their names."""
    return sorted(context.replica.rows(table).values(), key=lambda row: row.text("name"))


# -- pieces ----------------------------------------------------------------


def _parse_columns(context: Context, name: str, policy: str | None) -> dict[str, Datum]:
    columns: dict[str, Datum] = {}
    if policy == "" and context.command.name == "group-set":
        columns["policy"] = ()
    elif policy is not None:
        _check(name, policy_problem(policy))
        columns["policy"] = (policy,)
    spread = context.options.get("spread")
    if spread is not None:
        _check(f"{name}: --spread", spread_problem(spread))
        columns["spread"] = (spread,) if spread else ()
    return columns


def _parse_standby(context: Context, name: str) -> int | None:
    text = context.options.get("standby")
    if text is None:
        return None
    _check(f"{name}: --standby", standby_problem(text or "0"))
    return int(text or "0")


def _check(subject: str, problem: str | None) -> None:
    if problem is not None:
        raise UsageError(f"{subject}: {problem}")


def _read_options(group: Row) -> dict[str, str]:
    options = group.datum("options")
    assert isinstance(options, dict)
    return {str(key): str(value) for key, value in options.items()}


def _format_standbys(group: Row) -> int | str:
    """Returns the number of standbys, or a question mark behind what stands there instead."""
    number = count_standbys(group)
    return f"{_read_options(group).get(_STANDBY, '')}?" if number is None else number


def _set_standby(row: Row, number: int) -> None:
    if count_standbys(row) != number or number == 0:
        row.remove("options", [_STANDBY])
    if number:
        row.insert("options", {_STANDBY: str(number)})


def _check_same(context: Context, row: Row, columns: dict[str, Datum], standby: int | None) -> None:
    """Raises UsageError if the group that may exist is not what was asked for."""
    complaint = f"{row.text('name')}: a group with this name already exists"
    if not context.has("may-exist"):
        raise UsageError(complaint)
    for column, datum in columns.items():
        have = row.datum(column)
        if column == "policy":
            have = have or (DEFAULT_POLICY,)
        if have != datum:
            raise UsageError(f"{complaint}, with another {column}")
    if standby not in (None, count_standbys(row)):
        raise UsageError(f"{complaint}, with another number of standbys")


def _set_reference(context: Context, column: str, table: str, noun: str) -> None:
    row = get_named(context.replica, TABLE, context.arguments[0], "group")
    name = context.argument(1)
    target = None if name is None else get_named(context.replica, table, name, noun)
    row.set_atom(column, target.uuid if target else None)


def _find_name(context: Context, table: str, uuid: str) -> str:
    row = context.replica.get(table, uuid)
    return row.text("name") if row else ""


def _name_services(users: Sequence[Row]) -> tuple[str, ...]:
    """Returns the names of the services among 'users', which are of any table but containers'."""
    return tuple(sorted(u.text("name") for u in users if u.table.name != "Service_Container"))
