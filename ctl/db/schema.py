"""The schema that a server speaks: tables, columns and their types (RFC 7047, section 3.2).

svcctl asks the server for it, so that it can work on databases that are older
or newer than itself.  Names of tables and columns may be shortened as in
ovs-vsctl: any case, '-' for '_', a prefix that is unique.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from ...lib.errors import UsageError
from ...lib.schema import describe_lack

UNLIMITED = 1 << 32

_T = TypeVar("_T")


class Known(dict[str, _T]):
    """What a schema has, by name; who needs what it has not is told so with 'lack'.

    That is a format with "{}" for the name.  Who can do without asks whether it is there.
    """

    def __init__(self, lack: str) -> None:
        super().__init__()
        self._lack = lack

    def __missing__(self, name: str) -> _T:
        raise UsageError(self._lack.replace("{}", name))


class Base:
    """The type of an atom, with its constraints."""

    __slots__ = ("choices", "maximum", "minimum", "ref_table", "strong", "type")

    def __init__(self, json: Any) -> None:
        if isinstance(json, str):
            json = {"type": json}
        self.type: str = json["type"]
        self.choices: tuple[Any, ...] | None = None
        if "enum" in json:
            enum = json["enum"]
            members = enum[1] if isinstance(enum, list) and enum[0] == "set" else [enum]
            self.choices = tuple(members)
        self.minimum: float | None = json.get("minInteger", json.get("minReal"))
        self.maximum: float | None = json.get("maxInteger", json.get("maxReal"))
        self.ref_table: str | None = json.get("refTable")
        self.strong: bool = json.get("refType", "strong") == "strong"


class ColumnSchema:
    """A column: 'key' is the type of its atoms, 'value' that of a map's values."""

    __slots__ = ("key", "max", "min", "name", "table", "value")

    def __init__(self, table: str, name: str, json: Any) -> None:
        if isinstance(json, str):
            json = {"key": json}
        self.table = table
        self.name = name
        self.key = Base(json["key"])
        self.value = Base(json["value"]) if "value" in json else None
        self.min: int = json.get("min", 1)
        most = json.get("max", 1)
        self.max: int = UNLIMITED if most == "unlimited" else most

    @property
    def is_map(self) -> bool:
        return self.value is not None

    def of_values(self) -> ColumnSchema:
        """Returns a set of this map's values, for a comparison with some of them."""
        assert self.value is not None
        column = ColumnSchema(self.table, self.name, "string")
        column.key = self.value
        column.min, column.max = 0, UNLIMITED
        return column


class TableSchema:
    """A table; 'columns' has '_uuid' first and the others by name.

    'lack' is as Known has it, for a column.
    """

    __slots__ = ("columns", "is_root", "name")

    def __init__(self, name: str, json: Mapping[str, Any], is_root: bool, lack: str) -> None:
        self.name = name
        self.is_root = is_root
        self.columns: Known[ColumnSchema] = Known(lack)
        self.columns["_uuid"] = ColumnSchema(name, "_uuid", "uuid")
        for column in sorted(json["columns"]):
            self.columns[column] = ColumnSchema(name, column, json["columns"][column]["type"])

    def get_column(self, text: str) -> ColumnSchema:
        """Returns the column that 'text' names or shortens; raises UsageError."""
        found = find_matches(text, self.columns)
        if len(found) > 1:
            raise UsageError(
                f'{self.name} contains more than one column whose name matches "{text}"'
            )
        if not found:
            raise UsageError(f'{self.name} does not contain a column whose name matches "{text}"')
        return self.columns[found[0]]

    def get_writable_column(self, text: str) -> ColumnSchema:
        """As get_column(), but '_uuid' cannot be meant."""
        column = self.get_column(text)
        if column.name == "_uuid":
            raise UsageError(f"{self.name}: column _uuid cannot be changed")
        return column


class DatabaseSchema:
    """A database at 'remote': its tables by name."""

    def __init__(self, json: Mapping[str, Any], remote: str) -> None:
        self.name: str = json["name"]
        self.version: str = json.get("version", "")
        tables = json["tables"]
        some_root = any(table.get("isRoot") for table in tables.values())
        self.tables: Known[TableSchema] = Known(describe_lack(self.name, remote, "table {}"))
        for name, table in tables.items():
            lack = describe_lack(self.name, remote, f"{{}} in {name}")
            is_root = table.get("isRoot", not some_root)
            self.tables[name] = TableSchema(name, table, is_root, lack)

    def get_table(self, text: str) -> TableSchema:
        """Returns the table that 'text' names or shortens; raises UsageError."""
        found = find_matches(text, self.tables)
        if len(found) > 1:
            names = ", ".join(sorted(found))
            raise UsageError(f'"{text}" matches multiple table names: {names}')
        if not found:
            raise UsageError(f'unknown table "{text}"')
        return self.tables[found[0]]


def find_matches(text: str, names: Collection[str]) -> list[str]:
    """Returns the names that 'text' can stand for: the one it is, or all that it starts."""
    if text in names:
        return [text]
    wanted = _fold(text)
    prefixed = [name for name in names if _fold(name).startswith(wanted)] if wanted else []
    exact = [name for name in prefixed if _fold(name) == wanted]
    return exact[:1] or prefixed


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")
