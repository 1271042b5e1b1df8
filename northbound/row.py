"""A row of python-ovs's replica as the commands of service types take it (TableRow)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..lib.sequence import count_on
from ..services.api.commands import Atom, Datum
from ..services.api.row_reading import RowReading
from .errors import make_lack
from .values import check_member, check_value, make_member, make_value, read_datum


class Row(RowReading):
    """A row, with the changes of the current transaction applied; 'idl_row' is python-ovs's."""

    __slots__ = ("idl_row", "revision", "uuid")

    def __init__(self, idl_row: Any) -> None:
        self.idl_row = idl_row
        self.uuid = str(idl_row.uuid)
        self.revision = 0

    @property
    def table(self) -> Any:
        """The table of python-ovs."""
        return self.idl_row._table

    @property
    def is_new(self) -> bool:
        """Whether the current transaction inserts this row."""
        return self.idl_row._data is None

    def has(self, column: str) -> bool:
        """Returns whether the server's schema has 'column'; an older one may not."""
        return column in self.table.columns

    def datum(self, column: str) -> Datum:
        """Returns the value of 'column'; raises Refused if the server's schema lacks it."""
        self._check_known(column)
        return read_datum(self.idl_row, column)

    def pairs(self, column: str) -> dict[str, str]:
        """Returns a map of strings."""
        datum = self.datum(column)
        assert isinstance(datum, dict)
        return {str(key): str(value) for key, value in datum.items()}

    def columns(self) -> Mapping[str, Datum]:
        """Returns every column by name, '_uuid' aside."""
        return {name: self.datum(name) for name in self.table.columns}

    def set(self, column: str, datum: Datum) -> None:
        """Sets 'column' to 'datum'; raises Refused."""
        self._check_known(column)
        kind = self.table.columns[column].type
        value = make_value(kind, datum)
        check_value(self.table, column, value)
        setattr(self.idl_row, column, value)
        self.revision += 1

    def set_atom(self, column: str, atom: Atom | None) -> None:
        """Sets 'column' to 'atom', or to nothing; raises Refused."""
        self.set(column, () if atom is None else (atom,))

    def insert(self, column: str, elements: Datum) -> None:
        """Adds 'elements' to a set or a map; a key that the map has keeps its value."""
        have = self.datum(column)
        kind = self.table.columns[column].type
        if isinstance(elements, dict):
            assert isinstance(have, dict)
            check_value(self.table, column, elements)
            for key in elements.keys() - have.keys():
                self.idl_row.setkey(column, key, elements[key])
        else:
            for atom in elements:
                member = make_member(kind, atom)
                check_member(self.table, column, member)
                self.idl_row.addvalue(column, member)
        self.revision += 1

    def remove(self, column: str, elements: Sequence[Atom]) -> None:
        """Takes members out of a set, or keys out of a map."""
        self._check_known(column)
        kind = self.table.columns[column].type
        for atom in elements:
            if kind.is_map():
                self.idl_row.delkey(column, atom)
            else:
                self.idl_row.delvalue(column, make_member(kind, atom))
        self.revision += 1

    def change_key(self, column: str, key: str, value: str | None) -> None:
        """Sets a key of a map, or takes it out; other keys are left to whoever changes them."""
        if value is None:
            self.remove(column, (key,))
            return
        self._check_known(column)
        check_value(self.table, column, {key: value})
        self.idl_row.setkey(column, key, value)
        self.revision += 1

    def increment(self, column: str) -> int:
        """Counts a number on, and returns it; two who do it at once count twice."""
        self.verify(column)
        number = count_on(int(self.find(column) or 0))
        self.set_atom(column, number)
        return number

    def verify(self, *columns: str) -> None:
        """Makes everything run again if one of 'columns' has changed since it was read."""
        for column in columns:
            self.idl_row.verify(column)

    def _check_known(self, column: str) -> None:
        if column not in self.table.columns:
            raise make_lack(self.table.idl, f"{column} in {self.table.name}")
