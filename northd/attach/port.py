"""What an attachment comes to: a port as the chassis gets it, or why there can be none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from ...lib.delta import Desired, Keys, Parent
from ...lib.rows import Row, find_defaults
from ..ovn import rows as ovn


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a container.

    'addresses' have their prefix length; 'gateways' are the next hops out of the
    container, 'next_hops' those into it by IP version.  'in_port' is the port by
    which the container's packets come into 'router'.
    """

    interface: str
    kind: str
    logical_port: str
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    router: UUID
    in_port: str
    next_hops: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Unattached:
    """Why a container cannot have a port."""

    interface: str
    problem: str


def make_mac(seed: str) -> str:
    """Returns a locally administered unicast MAC address that depends on 'seed' only."""
    octets = bytearray(hashlib.sha256(seed.encode()).digest()[:6])
    octets[0] = (octets[0] & 0xFC) | 0x02
    return octets.hex(":")


def make_row(
    row_class: type[Row],
    key: str,
    columns: Mapping[str, object],
    parent: Parent | None = None,
) -> Desired:
    """Returns a row of OVN with our mark, for 'key'; what is not in 'columns' is kept empty."""
    marked = {**columns, ovn.MARKED_COLUMN: Keys(ovn.make_mark(key))}
    defaults = _list_defaults(row_class, tuple(columns))
    return Desired(row_class.TABLE, key, marked, defaults=defaults, parent=parent)


def make_update(row_class: type[Row], key: str, columns: Mapping[str, object]) -> Desired:
    """Returns what is kept true of a row of OVN that is there for 'key'."""
    marked = {**columns, ovn.MARKED_COLUMN: Keys(ovn.make_mark(key))}
    return Desired(row_class.TABLE, key, marked)


# By row class and the columns that are given; there are a few, shared by all rows.
_DEFAULTS: dict[tuple[type[Row], tuple[str, ...]], Mapping[str, object]] = {}


def _list_defaults(row_class: type[Row], given: tuple[str, ...]) -> Mapping[str, object]:
    """Returns what has its default on a row of ours: all but what is 'given'."""
    found = _DEFAULTS.get((row_class, given))
    if found is None:
        defaults = find_defaults(row_class)
        found = {name: value for name, value in defaults.items() if name not in given}
        _DEFAULTS[row_class, given] = found
    return found
