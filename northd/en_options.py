"""Node 'options': what the operator set in SVC_Global:options, with defaults.

A value that cannot be read counts as not set; the problem is told once in the
log, since the root row has no status column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import ovs.vlog

from ..lib import nb, sealing
from ..lib.numbers import parse_number

vlog = ovs.vlog.Vlog("en_options")

# Geneve costs 58 bytes of a 1500-byte underlay (IPv4 + UDP + Geneve + Ethernet).
DEFAULT_CONTAINER_MTU = 1442
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Options:
    """Times in ms; 'seal_seed' is the seed of lib/sealing.py, None until it is made."""

    heartbeat_interval_ms: int = 1000
    chassis_dead_after_ms: int = 4000
    container_mtu: int = DEFAULT_CONTAINER_MTU
    seal_seed: str | None = None


def run(rows: Mapping[UUID, nb.SVCGlobal]) -> Options:
    """Returns the options of the root row, defaults where there is none."""
    for row in rows.values():
        return Options(
            heartbeat_interval_ms=_read(row, "heartbeat-interval", 100, 1000),
            chassis_dead_after_ms=_read(row, "chassis-dead-after", 500, 4000),
            container_mtu=_read(row, "container-mtu", 1280, DEFAULT_CONTAINER_MTU),
            seal_seed=row.seal_seed if sealing.is_seed(row.seal_seed) else None,
        )
    return Options()


def _read(row: nb.SVCGlobal, key: str, least: int, default: int) -> int:
    text = row.options.get(key)
    if text is None:
        return default
    number = parse_number(text, least, 2**31 - 1)
    if number is None:
        shown = text[:_LONGEST_SHOWN]
        vlog.warn(f"options:{key} is {shown!r}, not a number from {least} on; using {default}")
        return default
    return number
