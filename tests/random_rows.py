"""Rows at random, of whatever a schema allows: for tests that a row harms only itself.

A row is made from the schema of its table: types, enumerations, bounds.  Text is
nasty, or looks like what is meant: addresses, names and UUIDs that other rows
have as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from random import Random
from typing import Any
from uuid import UUID

from ..lib import sb, schema
from ..lib.rows import Row, find_kept_keys
from ..northd.ovn import outside
from ..northd.ovn import rows as ovn
from ..northd.ovn import southbound as ovn_sb
from .ovsdb import OVN_NORTHBOUND_SCHEMA

OVN_SOUTHBOUND_SCHEMA = "/usr/share/ovn/ovn-sb.ovsschema"

NASTY = (
    "",
    " ",
    "x" * 10_000,
    "\n\t\r\x01\x1b[31m\x7f",
    "\u202egnp\u200b\ufeff \U0001f600 ٣²",
    "'\"\\;--$(reboot)`{}[]/../%s%n",
    "a/b/c/d/e",
    "svc_northd",
    "svc-northd",
    "none",
    "null",
    "-1",
    "9" * 30,
    "1e400",
    str(2**63),
    "{",
    '{"connections":null}',
    '{"connections":[{"id":1}],"outer_addresses":7}',
    "[" * 3000,
    str(UUID(int=0)),
    str(UUID(int=2**128 - 1)).upper(),
)
ADDRESSES = (
    "0.0.0.0/0",
    "::/0",
    "10.7.0.0/16",
    "10.7.1.0/24",
    "10.8.0.0/16",
    "10.9.0.1/24",
    "10.9.0.1/33",
    "10.9.0.7",
    "172.16.0.9",
    "172.16.0.1/24",
    "169.254.0.1/30",
    "169.254.169.254",
    "fd00::/64",
    "fd00::1",
    "fd00::1%eth0",
    "::ffff:10.9.0.7",
    "255.255.255.255",
    "224.0.0.1/32",
    "10.9.0.1/255.255.255.0",
    "1.2.3",
    "dynamic",
)
KEYS = (
    "ovnsvc",
    "ovnsvc-key",
    "ovnsvc-nb-cfg",
    "chassis",
    "standby",
    "requested-chassis",
    "rack",
    "load",
    "ipsec",
    "heartbeat-interval",
    "chassis-dead-after",
    "stateless",
)
# What stands where a document should have something else.
_ODD: tuple[Any, ...] = (
    None,
    7,
    True,
    "",
    [],
    {},
    [None],
    [[]],
    {"a": {}},
    ["x"],
    [7, "x"],
    "10.7.0.0/16",
    -1e99,
)
# Columns whose text is an address more often than not.
_OF_ADDRESSES = ("_ip", "ips", "subnets", "address", "networks", "prefix", "nexthop", "gateways")


@cache
def _load(path: str) -> Mapping[str, Any]:
    with open(path, encoding="utf-8") as file:
        tables: Mapping[str, Any] = json.load(file)["tables"]
    return tables


def load_tables(row_class: type[Row]) -> Mapping[str, Any]:
    """Returns the tables of the schema that a row class is of."""
    paths = {
        sb.__name__: schema.find_path(schema.SOUTHBOUND),
        ovn.__name__: OVN_NORTHBOUND_SCHEMA,
        ovn_sb.__name__: OVN_SOUTHBOUND_SCHEMA,
        outside.__name__: OVN_SOUTHBOUND_SCHEMA,
    }
    # What is left are tables of the northbound, those of service types among them.
    return _load(paths.get(row_class.__module__, schema.find_path(schema.NORTHBOUND)))


def find_types(row_class: type[Row]) -> dict[str, Any]:
    """Returns the type of each column that a row class has, as JSON."""
    columns = load_tables(row_class)[row_class.TABLE]["columns"]
    # A newer schema may have others.
    known = (each.name for each in fields(row_class) if each.name in columns)
    types = {name: columns[name]["type"] for name in known}
    return {name: {"key": each} if isinstance(each, str) else each for name, each in types.items()}


def make_empty(row_class: type[Row], uuid: UUID, **columns: Any) -> Any:
    """Returns a row with 'columns', the rest as the server fills it in."""
    values: dict[str, Any] = {}
    for name, each in find_types(row_class).items():
        if "value" in each:
            values[name] = {}
        elif each.get("max", 1) != 1:
            values[name] = ()
        elif each.get("min", 1) == 0:
            values[name] = None
        else:
            base = each["key"] if isinstance(each["key"], dict) else {"type": each["key"]}
            first = base.get("enum", ["set", [None]])[1][0]
            empty = {"string": "", "integer": 0, "boolean": False, "real": 0.0}
            values[name] = empty[base["type"]] if first is None else first
    return row_class(uuid, **{**values, **columns})


class Weather(Random):
    """Draws rows; 'words' are names that rows share, 'find_uuids' the UUIDs of a table."""

    def __init__(
        self, seed: int, words: Iterable[str], find_uuids: Callable[[str], list[UUID]]
    ) -> None:
        super().__init__(seed)
        self._words = tuple(words)
        self._find_uuids = find_uuids

    def draw_row(self, row_class: type[Row], uuid: UUID) -> Any:
        """Returns a row of 'row_class'."""
        values = {name: self.draw_column(row_class, name) for name in find_types(row_class)}
        return row_class(uuid, **values)

    def change_row(self, row: Any) -> Any:
        """Returns 'row' with another value in one or two columns."""
        names = self.choices(sorted(find_types(type(row))), k=self.choice((1, 1, 2)))
        return replace(row, **{name: self.draw_column(type(row), name) for name in names})

    def draw_column(self, row_class: type[Row], name: str) -> Any:
        """Returns a value as a row holds it."""
        each = find_types(row_class)[name]
        least, most = each.get("min", 1), each.get("max", 1)
        if "value" in each:
            count = self.choice((0, 1, 3))
            drawn = {self._draw_key(): self._draw(each["value"], name) for _ in range(count)}
            kept = find_kept_keys(row_class).get(name)
            return {key: drawn[key] for key in drawn if kept is None or key in kept}
        if most == 1:
            return None if least == 0 and self.random() < 0.3 else self._draw(each["key"], name)
        return tuple(
            sorted({self._draw(each["key"], name) for _ in range(self.choice((0, 1, 1, 2, 4)))})
        )

    def draw_text(self, column: str = "") -> str:
        """Returns a text, an address rather in a column of addresses."""
        if any(part in column for part in _OF_ADDRESSES) and self.random() < 0.8:
            return self.choice(ADDRESSES)
        dice = self.random()
        if dice < 0.55:
            return self.choice(self._words)
        if dice < 0.65:
            return "/".join(self.choice((*self._words, "drop-in")) for _ in range(4))
        return self.choice(NASTY if dice < 0.9 else ADDRESSES)

    def _draw_configuration(self) -> str:
        """Returns a document that nearly is the configuration of a container."""
        entry: dict[str, Any] = {
            "id": self.choice(self._words),
            "local_address": "100.64.0.100",
            "local_id": "us",
            "peer_id": "them",
            "local_subnets": ["192.168.1.0/24"],
            "peer_subnets": ["10.7.0.0/16", "fd00::/64"],
        }
        document: dict[str, Any] = {"outer_addresses": ["100.64.0.100"], "connections": [entry]}
        for part in (document, entry):
            if self.random() < 0.5:
                part[self.choice(sorted(part))] = self.choice((*_ODD, self.draw_text("ips")))
        return json.dumps(document)

    def _draw_key(self) -> str:
        return self.choice(KEYS) if self.random() < 0.7 else self.draw_text()

    def _draw(self, base: Any, column: str) -> Any:
        if column == "configuration" and self.random() < 0.7:
            return self._draw_configuration()
        kind = base if isinstance(base, str) else base["type"]
        if isinstance(base, dict) and "enum" in base:
            return self.choice(base["enum"][1])
        bounds = base if isinstance(base, dict) else {}
        if kind == "integer":
            return self._draw_number(bounds)
        if kind == "uuid":
            known = self._find_uuids(bounds["refTable"]) if bounds else []
            return self.choice([*known, UUID(int=self.getrandbits(128))])
        others = {"boolean": (True, False), "real": (0.0, -1e308, 1e308)}
        return self.choice(others[kind]) if kind in others else self.draw_text(column)

    def _draw_number(self, bounds: Mapping[str, Any]) -> int:
        least, most = bounds.get("minInteger", -(2**63)), bounds.get("maxInteger", 2**63 - 1)
        near = max(least, min(most, self.choice((0, 1, 2, 60))))
        drawn: int = self.choice((least, most, near, self.randint(least, most)))
        return drawn


def format_row(row: Row) -> dict[str, Any]:
    """Returns a row as OVSDB's JSON, without references to rows that may not be there."""
    formatted: dict[str, Any] = {}
    for name, each in find_types(type(row)).items():
        value = getattr(row, name)
        key = each["key"] if isinstance(each["key"], dict) else {"type": each["key"]}
        if key["type"] == "uuid":
            continue
        if isinstance(value, dict):
            formatted[name] = ["map", [list(pair) for pair in value.items()]]
        elif isinstance(value, tuple):
            formatted[name] = ["set", list(value)]
        else:
            formatted[name] = ["set", []] if value is None else value
    return formatted


def find_violation(row: Row) -> str | None:
    """Returns what of a row its schema does not allow, None if a server would take it."""
    for name, each in find_types(type(row)).items():
        value = getattr(row, name)
        values = [*value, *value.values()] if isinstance(value, dict) else value
        atoms = values if isinstance(values, (tuple, list)) else [values]
        base = each["key"] if isinstance(each["key"], dict) else {}
        for atom in atoms:
            bounded = isinstance(atom, int) and not isinstance(atom, bool)
            least, most = base.get("minInteger", -(2**63)), base.get("maxInteger", 2**63 - 1)
            if bounded and not least <= atom <= most:
                return f"{row.TABLE}:{name} is {atom}, not {least} to {most}"
            if "enum" in base and atom is not None and atom not in base["enum"][1]:
                return f"{row.TABLE}:{name} is {atom!r}"
    return None
