"""What a container was last made from: the columns of its two rows. Pure.

A chassis that cannot make a row true keeps the container as it was before, so
it has to remember that, over its own restart too (linux/records.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ..lib import sb


@dataclass(frozen=True, slots=True)
class Record:
    """Of the Container_Binding and Port_Binding; 'secrets' are still sealed, sorted by name."""

    service_type: str
    configuration: str
    secrets: tuple[tuple[str, str], ...]
    generation: int
    logical_port: str
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    mtu: int
    iface_id: str


def make_record(binding: sb.ContainerBinding, port: sb.PortBinding) -> Record:
    """Returns what the rows say."""
    return Record(
        service_type=binding.service_type,
        configuration=binding.configuration,
        secrets=tuple(sorted(binding.secrets.items())),
        generation=binding.generation,
        logical_port=port.logical_port,
        mac=port.mac,
        addresses=port.addresses,
        gateways=port.gateways,
        mtu=port.mtu,
        iface_id=port.iface_id,
    )


def format_record(record: Record) -> str:
    """Returns 'record' as JSON."""
    return json.dumps(asdict(record))


def parse_record(text: str) -> Record | None:
    """Returns the record in what format_record made; None if it is another text."""
    try:
        columns = json.loads(text)
        columns["secrets"] = tuple((str(name), str(each)) for name, each in columns["secrets"])
        for name in ("addresses", "gateways"):
            columns[name] = tuple(map(str, columns[name]))
        record = Record(**columns)
    except (ValueError, TypeError, KeyError):
        return None
    names = (record.service_type, record.logical_port, record.iface_id)
    texts = (*names, record.configuration, record.mac)
    numbers = (record.generation, record.mtu)
    well = all(type(each) is str for each in texts) and all(type(each) is int for each in numbers)
    return record if well else None
