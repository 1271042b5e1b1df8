"""Turns planned changes (delta.py) into one transaction of ovs.db.idl.

Called by idl.Session only.  All changes of a list go together or not at all; a
'Ref' in a column stands for a row inserted beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import ovs.db.idl

from .delta import Change, Delete, Insert, Parent, Ref, SetKeys, Update, Verify

_Inserted = Mapping[tuple[str, Any], Any]


def make(idl: Any, changes: Sequence[Change], comment: str) -> Any:
    """Returns a transaction of 'idl' that holds 'changes', ready to commit."""
    txn = ovs.db.idl.Transaction(idl)
    try:
        txn.add_comment(comment)
        _fill(txn, idl.tables, changes)
    except Exception:
        # The IDL cannot run while a transaction is open.
        txn.abort()
        raise
    return txn


def _fill(txn: Any, tables: Any, changes: Sequence[Change]) -> None:
    inserted = {
        (change.table, change.key): txn.insert(tables[change.table])
        for change in changes
        if isinstance(change, Insert)
    }
    for change in changes:
        if isinstance(change, Insert):
            row = inserted[change.table, change.key]
            _set(tables, row, change.columns, inserted)
            _attach(tables, row, change.parent, inserted)
        else:
            _change_row(tables, change, inserted)


def _change_row(
    tables: Any, change: Update | Delete | Verify | SetKeys, inserted: _Inserted
) -> None:
    row = tables[change.table].rows.get(change.uuid)
    if row is None:
        return
    if isinstance(change, Update):
        _set(tables, row, change.columns, inserted)
    elif isinstance(change, Verify):
        row.verify(change.column)
    elif isinstance(change, SetKeys):
        for key, value in change.keys.items():
            row.setkey(change.column, key, value)
    else:
        _delete(tables, row, change.parent)


def _delete(tables: Any, row: Any, parent: Parent | None) -> None:
    """Removes a row, or its reference, which is all that keeps it."""
    if parent is None:
        row.delete()
        return
    assert isinstance(parent.row, UUID)
    holder = tables[parent.table].rows.get(parent.row)
    if holder is not None:
        holder.delvalue(parent.column, row)


def _set(tables: Any, row: Any, columns: Mapping[str, Any], inserted: _Inserted) -> None:
    for name, value in columns.items():
        setattr(row, name, _to_idl(tables, row, name, value, inserted))


def _to_idl(tables: Any, row: Any, column: str, value: Any, inserted: _Inserted) -> Any:
    """Returns 'value' as the IDL wants it: lists for sets, rows for references."""
    if isinstance(value, Ref):
        return inserted[value.table, value.key]
    if isinstance(value, UUID):
        table = tables[row._table.name].columns[column].type.key.ref_table_name
        return tables[table].rows[value] if table else value
    if isinstance(value, tuple):
        return [_to_idl(tables, row, column, each, inserted) for each in value]
    return [] if value is None else value


def _attach(tables: Any, row: Any, parent: Parent | None, inserted: _Inserted) -> None:
    if parent is None:
        return
    if isinstance(parent.row, Ref):
        holder = inserted[parent.row.table, parent.row.key]
    else:
        holder = tables[parent.table].rows[parent.row]
    holder.addvalue(parent.column, row)
