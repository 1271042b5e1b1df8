"""The API of SVC_Northbound for programs that use ovsdbapp.

Each method returns a command, as with ovsdbapp's OVN API: execute() runs it, or
add() of a transaction runs several together, all or none.  A method is named as
the svcctl command that does the same, and refuses what that refuses, with the
same sentence; of OVN and of chassis nothing is asked, as with --no-check.
'may_exist' takes a row that is there as it was asked for, 'if_exists' one that
is not there.

An object has a connection of its own, so that one process may have several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import ovsdbapp.api
from ovs.db.idl import Row
from ovsdbapp.backend import ovs_idl
from ovsdbapp.backend.ovs_idl import rowview

from . import command as commands
from . import hiding, root, vpn
from .errors import NotFound
from .index import find_rows
from .placement_api import PlacementApi
from .run import NOUNS
from .transaction import Transaction
from .waiting_api import WaitingApi
from .words import Words, make_list, make_options, make_text

_CONNECTION_OPTIONS = frozenset(
    (
        *("peer_address", "peer_subnets", "psk", "peer_id", "local_id", "ike_policy"),
        *("ipsec_policy", "initiator", "mtu", "dpd_action", "dpd_interval", "dpd_timeout"),
        *("force_udp_encapsulation", "enabled"),
    )
)
_EXTRAS = frozenset({"external_ids", "options"})


class NorthboundApi(PlacementApi, WaitingApi, ovs_idl.Backend, ovsdbapp.api.API):
    """Commands on SVC_Northbound; connect() makes one.

    On a connection that a program made by itself, rows by name cost what the table
    has, and nothing can be waited for, unless its replica is a NorthboundIdl.
    """

    schema = "SVC_Northbound"

    def __init__(self, connection: Any, start: bool = True, **options: Any) -> None:
        hiding.install()
        self.attempts: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._own_connection = connection
        # python-ovs's indexes fail where others change a row (index.py).
        super().__init__(connection, start=start, auto_index=False, **options)

    @property
    def ovsdb_connection(self) -> Any:
        """The connection of this object; ovsdbapp itself would keep it in the class."""
        return self._own_connection

    @ovsdb_connection.setter
    def ovsdb_connection(self, connection: Any) -> None:
        self._own_connection = connection

    def close(self) -> None:
        """Ends the connection and its threads."""
        self.ovsdb_connection.stop()
        handler = getattr(self.idl, "notify_handler", None)
        if handler is not None:
            handler.shutdown()

    def transaction(
        self, check_error: bool = True, log_errors: bool = True, nested: bool = True, **options: Any
    ) -> AbstractContextManager[Transaction]:
        """Returns a context to add commands to; they are committed at its end.

        What one of them raises is raised there, and nothing is written; with
        check_error=False it is logged.
        """
        made: AbstractContextManager[Transaction] = super().transaction(
            check_error, log_errors, nested, **options
        )
        return made

    def create_transaction(
        self, check_error: bool = True, log_errors: bool = True, **options: Any
    ) -> Transaction:
        """Returns a transaction; transaction() is what a program wants."""
        connection = self.ovsdb_connection
        timeout = options.get("timeout") or connection.timeout
        return Transaction(self, connection, timeout, check_error, log_errors)

    # -- VPN services ---------------------------------------------------------

    def vpn_add(
        self,
        name: str,
        router: str,
        external_ips: str | Iterable[Any],
        local_subnets: str | Iterable[Any],
        may_exist: bool = False,
        **columns: Any,
    ) -> commands.Command:
        """Adds a VPN service; the result is its row.

        'columns' may be group (a name), mode, enabled, external_ids and options.
        """
        taken, extras = _divide("vpn_add", columns, {"group", "mode"}, {*_EXTRAS, "enabled"})
        given = {key: value for key, value in taken.items() if value is not None}
        words = Words(name, router, make_list(external_ips), make_list(local_subnets))
        options = make_options(given, may_exist=may_exist)
        request = words.ask(options, columns=extras)
        return self._command("vpn-add", request, vpn.add_service, vpn.find_service)

    def vpn_set(self, vpn_name: str, if_exists: bool = False, **columns: Any) -> commands.Command:
        """Changes group, local_subnets, enabled, external_ids or options; None is the default.

        Keys of maps that are not named stay; one that becomes None goes.
        """
        taken, extras = _divide(
            "vpn_set", columns, {"group", "enabled", "local_subnets"}, set(_EXTRAS)
        )
        subnets = taken.pop("local_subnets", None)
        values: dict[str, Any] = {"if_exists": if_exists}
        if subnets is not None:
            values["local_subnets"] = tuple(make_list(subnets).split(","))
        request = Words(vpn_name).ask(make_options(taken), values, extras)
        return self._command("vpn-set", request, vpn.set_service)

    def vpn_del(self, vpn_name: str, if_exists: bool = False) -> commands.Command:
        """Removes a VPN service with its connections."""
        request = Words(vpn_name).ask(make_options(if_exists=if_exists))
        return self._command("vpn-del", request, vpn.delete_service)

    def vpn_list(self) -> commands.ReadCommand:
        """Returns all VPN services as rows."""
        return self._list("vpn-list", vpn.SERVICE)

    def vpn_get(self, vpn_name: str) -> commands.ReadCommand:
        """Returns the row of a VPN service; raises NotFound."""
        return self._get("vpn-get", vpn.SERVICE, vpn_name)

    # -- connections ------------------------------------------------------------

    def conn_add(
        self,
        vpn_name: str,
        name: str,
        peer_address: Any,
        peer_subnets: str | Iterable[Any],
        may_exist: bool = False,
        **columns: Any,
    ) -> commands.Command:
        """Adds a connection to a VPN service; the result is its row.

        'columns' are those of IPsec_Connection, with ike_policy and ipsec_policy by
        name.  A 'psk' is in no log and in no text of the command.
        """
        taken, extras = _divide("conn_add", columns, _CONNECTION_OPTIONS, _EXTRAS)
        given = {key: value for key, value in taken.items() if value is not None}
        words = Words(vpn_name, name, make_text(peer_address), make_list(peer_subnets))
        request = words.ask(make_options(given, may_exist=may_exist), columns=extras)
        return self._command("conn-add", request, vpn.add_connection)

    def conn_set(
        self, vpn_name: str, name: str, if_exists: bool = False, **columns: Any
    ) -> commands.Command:
        """Changes columns of a connection; None is the default."""
        taken, extras = _divide("conn_set", columns, _CONNECTION_OPTIONS, _EXTRAS)
        values = {"if_exists": if_exists}
        request = Words(vpn_name, name).ask(make_options(taken), values, extras)
        return self._command("conn-set", request, vpn.set_connection)

    def conn_del(self, vpn_name: str, name: str, if_exists: bool = False) -> commands.Command:
        """Removes a connection."""
        request = Words(vpn_name, name).ask(make_options(if_exists=if_exists))
        return self._command("conn-del", request, vpn.delete_connection)

    def conn_list(self, vpn_name: str) -> commands.ReadCommand:
        """Returns the connections of a VPN service as rows."""

        def read() -> list[Any]:
            return [
                rowview.RowView(row) for row in self._get_row(vpn.SERVICE, vpn_name).connections
            ]

        return commands.ReadCommand(self, "conn-list", read)

    def conn_get(self, vpn_name: str, name: str) -> commands.ReadCommand:
        """Returns the row of a connection; raises NotFound."""
        return self._get("conn-get", vpn.CONNECTION, (vpn_name, name))

    # -- policies -----------------------------------------------------------------

    def ike_policy_add(
        self, name: str, may_exist: bool = False, **columns: Any
    ) -> commands.Command:
        """Adds an IKE policy with columns of IKE_Policy; the result is its row."""
        return self._add_policy("ike-policy", name, may_exist, columns)

    def ike_policy_del(self, name: str, if_exists: bool = False) -> commands.Command:
        """Removes an IKE policy that no connection uses."""
        return self._delete_policy("ike-policy", name, if_exists)

    def ipsec_policy_add(
        self, name: str, may_exist: bool = False, **columns: Any
    ) -> commands.Command:
        """Adds an IPsec policy with columns of IPsec_Policy; the result is its row."""
        return self._add_policy("ipsec-policy", name, may_exist, columns)

    def ipsec_policy_del(self, name: str, if_exists: bool = False) -> commands.Command:
        """Removes an IPsec policy that no connection uses."""
        return self._delete_policy("ipsec-policy", name, if_exists)

    def _add_policy(
        self, noun: str, name: str, may_exist: bool, columns: Mapping[str, Any]
    ) -> commands.Command:
        table, add, _ = vpn.POLICIES[noun]
        extras = {key: value for key, value in columns.items() if key in _EXTRAS}
        values = {key: value for key, value in columns.items() if key not in extras}
        request = Words(name, *values).ask(make_options(may_exist=may_exist), values, extras)
        return self._command(f"{noun}-add", request, add, lambda run: run.find(table, "name", name))

    def _delete_policy(self, noun: str, name: str, if_exists: bool) -> commands.Command:
        request = Words(name).ask(make_options(if_exists=if_exists))
        return self._command(f"{noun}-del", request, vpn.POLICIES[noun][2])

    # -- ovsdbapp's own commands ----------------------------------------------------

    def db_create(self, table: str, **col_values: Any) -> commands.DbCreate:
        """As ovsdbapp's; raises Refused where the schema refuses a value."""
        return commands.DbCreate(self, table, **col_values)

    def db_create_row(self, table: str, **col_values: Any) -> commands.DbCreate:
        """As ovsdbapp's; raises Refused where the schema refuses a value."""
        return commands.DbCreate(self, table, _as_row=True, **col_values)

    def db_destroy(self, table: str, record: Any) -> commands.DbDestroy:
        """As ovsdbapp's."""
        return commands.DbDestroy(self, table, record)

    def db_set(
        self, table: str, record: Any, *col_values: Any, if_exists: bool = True, **columns: Any
    ) -> commands.DbSet:
        """As ovsdbapp's; raises Refused where the schema refuses a value."""
        return commands.DbSet(self, table, record, *col_values, if_exists=if_exists, **columns)

    def db_add(self, table: str, record: Any, column: str, *values: Any) -> commands.DbAdd:
        """As ovsdbapp's; raises Refused where the schema refuses a value."""
        return commands.DbAdd(self, table, record, column, *values)

    def db_remove(
        self, table: str, record: Any, column: str, *values: Any, **keyvalues: Any
    ) -> commands.DbRemove:
        """As ovsdbapp's."""
        return commands.DbRemove(self, table, record, column, *values, **keyvalues)

    def db_clear(self, table: str, record: Any, column: str) -> commands.DbClear:
        """As ovsdbapp's."""
        return commands.DbClear(self, table, record, column)

    def db_get(self, table: str, record: Any, column: str) -> commands.DbGet:
        """As ovsdbapp's."""
        return commands.DbGet(self, table, record, column)

    def db_list(
        self, table: str, records: Any = None, columns: Any = None, if_exists: bool = False
    ) -> commands.DbList:
        """As ovsdbapp's."""
        return commands.DbList(self, table, records, columns, if_exists)

    def db_list_rows(
        self, table: str, records: Any = None, if_exists: bool = False
    ) -> commands.DbList:
        """As ovsdbapp's."""
        return commands.DbList(self, table, records, None, if_exists, row=True)

    def db_find(self, table: str, *conditions: Any, **options: Any) -> commands.DbFind:
        """As ovsdbapp's."""
        return commands.DbFind(self, table, *conditions, **options)

    def db_find_rows(self, table: str, *conditions: Any, **options: Any) -> commands.DbFind:
        """As ovsdbapp's."""
        return commands.DbFind(self, table, *conditions, row=True, **options)

    # -- rows by name -----------------------------------------------------------------

    def _lookup(self, table: str, record: Any) -> Any:
        """Returns the row that a UUID, a name or a command means; lookup() of ovsdbapp asks.

        A connection is (name of its service, its name), or its name if that is the only one.
        The root row has any name.
        """
        if isinstance(record, ovsdbapp.api.Command):
            record = record.result
        if isinstance(record, (Row, rowview.RowView)):
            return record
        if isinstance(record, tuple):
            return self._find_connection(*record)
        rows = self.tables[table].rows
        if table == root.TABLE and rows:
            return next(iter(rows.values()))
        uuid = record if isinstance(record, UUID) else _find_uuid(record)
        if uuid in rows:
            return rows[uuid]
        column = "target" if table == "Connection" else "name"
        found = find_rows(self.idl, table, column, record) if self._has(table, column) else []
        if len(found) > 1:
            raise NotFound(f"{len(found)} connections are named {record}; name the service too")
        if not found:
            raise NotFound(f"{record}: {NOUNS.get(table, table)} not found")
        return found[0]

    def _has(self, table: str, column: str) -> bool:
        return column in self.tables[table].columns

    def _find_connection(self, vpn_name: str, name: str) -> Any:
        for row in self._get_row(vpn.SERVICE, vpn_name).connections:
            if row.name == name:
                return row
        raise NotFound(f"{name}: connection not found in VPN service {vpn_name}")


def _divide(
    method: str, columns: Mapping[str, Any], options: Iterable[str], extras: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the columns that are words of svcctl's, and the others; TypeError for neither."""
    options, extras = set(options), set(extras)
    for key in columns:
        if key not in options | extras:
            raise TypeError(f"{method}() got an unexpected keyword argument {key!r}")
    taken = {key: value for key, value in columns.items() if key in options}
    return taken, {key: value for key, value in columns.items() if key in extras}


def _find_uuid(record: Any) -> UUID | None:
    try:
        return UUID(record)
    except (AttributeError, TypeError, ValueError):
        return None
