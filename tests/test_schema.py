"""Schemas, their pages and the row classes say the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ovs.db.schema
import pytest

from ..lib import nb, sb, schema
from ..lib.rows import Row, find_columns
from ..northd.ovn import rows as ovn
from ..services.ipsec import rows as ipsec
from .ovn_south import OVN_SOUTHBOUND_SCHEMA
from .ovsdb import OVN_NORTHBOUND, find_schema

ROOT = Path(__file__).parent.parent
CKSUM = ROOT / "utilities" / "schema-cksum"
OWN_DATABASES = (schema.NORTHBOUND, schema.SOUTHBOUND)
ROW_MODULES = (
    (schema.NORTHBOUND, nb),
    (schema.NORTHBOUND, ipsec),
    (schema.SOUTHBOUND, sb),
    (OVN_NORTHBOUND, ovn),
)


def _load(database: str) -> Any:
    """Returns the schema, parsed by python-ovs, which refuses what is malformed."""
    with open(find_schema(database), encoding="utf-8") as file:
        return ovs.db.schema.DbSchema.from_json(json.load(file))


def _read_page(database: str) -> str:
    return Path(schema.find_path(database)).with_suffix(".rst").read_text(encoding="utf-8")


def _find_sections(page: str) -> dict[str, dict[str, str]]:
    """Returns by table the body of each column's section; '' has that of the table."""
    heading = re.compile(r"(?<=\n\n)(?P<title>\S+)\n(?P<line>=+|-+)\n\n")
    found = [each for each in heading.finditer(page) if len(each["title"]) == len(each["line"])]
    ends = [each.start() for each in found[1:]] + [len(page)]
    tables: dict[str, dict[str, str]] = {}
    table = ""
    for each, end in zip(found, ends, strict=True):
        body = page[each.end() : end].strip()
        if each["line"].startswith("="):
            table = each["title"]
            assert table not in tables, f"{table} has two sections"
            tables[table] = {"": body}
        else:
            assert each["title"] not in tables[table], f"{table}:{each['title']} twice"
            tables[table][each["title"]] = body
    return tables


def _format_type(table: Any, column: Any) -> str:
    """Returns the type of a column in the words of ovs.db.types, as ovn-nb(5) has it."""
    constraints = column.type.constraintsToEnglish()
    text = f"*{column.type.toEnglish()}{', ' if constraints else ''}{constraints}*"
    if any([each.name for each in index] == [column.name] for index in table.indexes):
        text += " (must be unique within table)"
    if not column.persistent:
        text += " (not persistent)"
    return text


@pytest.mark.parametrize("database", OWN_DATABASES)
def test_page_has_the_sections_of_the_schema_in_its_order(database: str) -> None:
    sections = _find_sections(_read_page(database))
    tables = schema.load(database)["tables"]
    assert list(sections) == list(tables)
    for name, table in tables.items():
        assert list(sections[name]) == ["", *table["columns"]], name


@pytest.mark.parametrize("database", OWN_DATABASES)
def test_page_says_the_type_of_each_column_and_something_more(database: str) -> None:
    sections = _find_sections(_read_page(database))
    for name, table in _load(database).tables.items():
        assert sections[name][""], f"{name} is not described"
        for column in table.columns.values():
            first, _, rest = sections[name][column.name].partition("\n\n")
            assert " ".join(first.split()) == _format_type(table, column), column.name
            assert rest.strip(), f"{name}:{column.name} is not described"


@pytest.mark.parametrize("database", OWN_DATABASES)
def test_page_lists_each_table_on_top(database: str) -> None:
    overview = _read_page(database).partition("\nTables:\n")[2]
    listed = re.findall(r"^(\w+) {2,}\S", overview, re.MULTILINE)
    assert listed == list(schema.load(database)["tables"])


# Columns of a newer OVN than the one that tests run with.
NEWER = {
    "Logical_Router_Port": {"dhcp_relay"},
    "Logical_Router_Static_Route": {"selection_fields"},
    "Logical_Router_Policy": {"bfd_sessions", "chain", "jump_chain", "output_port"},
    "Logical_Switch_Port": {"peer"},
    "NAT": {"match", "priority"},
}


def _row_classes(module: ModuleType) -> Iterator[type[Row]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Row) and value is not Row:
            yield value


@pytest.mark.parametrize(("database", "module"), ROW_MODULES)
def test_row_classes_name_only_what_the_schema_has(database: str, module: ModuleType) -> None:
    tables = _load(database).tables
    classes = list(_row_classes(module))
    assert classes
    for row_class in classes:
        assert row_class.TABLE in tables
        unknown = set(find_columns(row_class)) - tables[row_class.TABLE].columns.keys()
        unknown -= NEWER.get(row_class.TABLE, set())
        assert not unknown, f"{row_class.__name__}: {unknown}"


@pytest.mark.parametrize(("database", "module"), ROW_MODULES)
def test_row_classes_have_the_type_that_a_column_gives(database: str, module: ModuleType) -> None:
    tables = _load(database).tables
    for row_class in _row_classes(module):
        columns = tables[row_class.TABLE].columns
        for name in [each for each in find_columns(row_class) if each in columns]:
            column_type = columns[name].type
            annotation = str(row_class.__annotations__[name])
            assert annotation == _python_type(column_type), f"{row_class.__name__}.{name}"


def _python_type(column_type: Any) -> str:
    """Returns the annotation of a column as lib/rows.py reads it."""
    atoms = {"integer": "int", "real": "float", "boolean": "bool", "string": "str", "uuid": "UUID"}
    key = atoms[column_type.key.type.to_string()]
    if column_type.is_map():
        return f"dict[{key}, {atoms[column_type.value.type.to_string()]}]"
    if column_type.n_max == 1:
        return key if column_type.n_min == 1 else f"{key} | None"
    return f"tuple[{key}, ...]"


# As OVN has them, by whose names ovsdb-server knows them; all of their rows are compared.
WITHOUT_INDEX = {"RBAC_Role", "RBAC_Permission"}


@pytest.mark.parametrize("database", OWN_DATABASES)
def test_roles_are_kept_in_the_tables_of_ovn(database: str) -> None:
    theirs = json.loads(Path(OVN_SOUTHBOUND_SCHEMA).read_text())["tables"]
    for name in WITHOUT_INDEX:
        of_ours = _load(database).tables[name]
        of_theirs = ovs.db.schema.TableSchema.from_json(theirs[name], name)
        assert of_ours.to_json(True) == of_theirs.to_json(True)


@pytest.mark.parametrize("database", OWN_DATABASES)
def test_tables_that_rows_are_written_to_by_name_have_an_index(database: str) -> None:
    for name, table in _load(database).tables.items():
        if table.is_root and table.max_rows > 1 and name not in WITHOUT_INDEX:
            assert table.indexes, f"two rows of {name} could be the same one"


def _run_cksum(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [directory / "utilities" / "schema-cksum", *options],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The schemas and the program that checks them, to be edited."""
    (tmp_path / "utilities").mkdir()
    shutil.copy(CKSUM, tmp_path / "utilities")
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    return tmp_path


def test_cksum_is_that_of_the_schemas() -> None:
    result = _run_cksum(ROOT)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["svc-nb.ovsschema", "svc-sb.ovsschema"])
def test_cksum_fails_when_a_schema_is_edited(copy: Path, name: str) -> None:
    path = copy / "schemas" / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"isRoot": true', '"isRoot": false', 1), encoding="utf-8")
    result = _run_cksum(copy)
    assert result.returncode == 1
    assert f"schema-cksum: {name}: changed without a new cksum" in result.stderr
    assert result.stderr.count("\n") == 1
    assert _run_cksum(copy, "--update").returncode == 0
    assert _run_cksum(copy).returncode == 0
    assert path.read_text(encoding="utf-8") != text
