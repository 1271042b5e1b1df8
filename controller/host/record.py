"""What a container was last made from: the columns of its rows. Pure.

A chassis that cannot make a row true keeps the container as it was before, so
it has to remember that, over its own restart too (linux/records.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ...lib import sb


@dataclass(frozen=True, slots=True)
class PortRecord:
    """Of a Port_Binding."""

    logical_port: str
    interface: str
    kind: str
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    mtu: int
    parent_port: str | None
    tag: int | None
    iface_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """Of the Container_Binding; 'ports' are sorted by interface.

    'secrets' are still sealed, sorted by name.
    """

    service_type: str
    configuration: str
    secrets: tuple[tuple[str, str], ...] = field(repr=False)
    generation: int
    ports: tuple[PortRecord, ...]


def make_record(binding: sb.ContainerBinding, ports: Iterable[sb.PortBinding]) -> Record:
    """Returns what the rows say."""
    return Record(
        service_type=binding.service_type,
        configuration=binding.configuration,
        secrets=tuple(sorted(binding.secrets.items())),
        generation=binding.generation,
        ports=tuple(map(_make_port, sorted(ports, key=lambda row: (row.interface, row.uuid)))),
    )


def _make_port(row: sb.PortBinding) -> PortRecord:
    columns = {name: getattr(row, name) for name in PortRecord.__dataclass_fields__}
    return PortRecord(**columns)


def format_record(record: Record) -> str:
    """Returns 'record' as JSON."""
    return json.dumps(asdict(record))


def parse_record(text: str) -> Record | None:
    """Returns the record in what format_record made; None if it is another text."""
    try:
        columns = json.loads(text)
        columns["secrets"] = tuple(_read_pair(each) for each in columns["secrets"])
        columns["ports"] = tuple(_read_port(each) for each in columns["ports"])
        record = Record(**columns)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    texts = (record.service_type, record.configuration)
    well = all(type(each) is str for each in texts) and type(record.generation) is int
    return record if well else None


def _read_pair(value: Any) -> tuple[str, str]:
    name, text = value
    return _read_text(name), _read_text(text)


def _read_port(columns: Mapping[str, Any]) -> PortRecord:
    """Returns the port; raises TypeError for one with a value of another kind."""
    sets = {name: tuple(map(_read_text, columns[name])) for name in ("addresses", "gateways")}
    port = PortRecord(**{**columns, **sets})
    for text in (port.logical_port, port.interface, port.kind, port.mac, port.iface_id):
        _read_text(text)
    numbers = (port.mtu,) if port.tag is None else (port.mtu, port.tag)
    if any(type(each) is not int for each in numbers):
        raise TypeError
    if port.parent_port is not None:
        _read_text(port.parent_port)
    return port


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value
