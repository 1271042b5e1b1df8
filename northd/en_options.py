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
# A chassis is dead, unless the operator says otherwise, when so many heartbeats are missing.
HEARTBEATS_MISSED = 4
_LARGEST_MTU = 65535
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Options:
    """Times in ms, loads in percent.

    'seal_seed' is the seed of lib/sealing.py, None until it is made.
    """

    heartbeat_interval_ms: int = 1000
    chassis_dead_after_ms: int = 4000
    container_start_timeout_ms: int = 15_000
    drain_moves: int = 2
    enforce_container_limit: bool = False
    load_threshold: int = 80
    load_hysteresis: int = 10
    container_mtu: int = DEFAULT_CONTAINER_MTU
    seal_seed: str | None = None


def run(rows: Mapping[UUID, nb.SVCGlobal]) -> Options:
    """Returns the options of the root row, defaults where there is none."""
    for row in rows.values():
        interval_ms = _read(row, "heartbeat-interval", 100, 1000)
        patience_ms = max(500, HEARTBEATS_MISSED * interval_ms)
        return Options(
            heartbeat_interval_ms=interval_ms,
            chassis_dead_after_ms=_read(row, "chassis-dead-after", 500, patience_ms),
            container_start_timeout_ms=_read(row, "container-start-timeout", 1000, 15_000),
            drain_moves=_read(row, "drain-moves", 1, 2),
            enforce_container_limit=_read_flag(row, "enforce-container-limit"),
            load_threshold=_read(row, "load-threshold", 1, 80, 100),
            load_hysteresis=_read(row, "load-hysteresis", 0, 10, 100),
            container_mtu=_read(row, "container-mtu", 1280, DEFAULT_CONTAINER_MTU, _LARGEST_MTU),
            seal_seed=row.seal_seed if sealing.is_seed(row.seal_seed) else None,
        )
    return Options()


def _read(row: nb.SVCGlobal, key: str, least: int, default: int, most: int = 2**31 - 1) -> int:
    text = row.options.get(key)
    if text is None:
        return default
    number = parse_number(text, least, most)
    if number is None:
        span = f"from {least} on" if most == 2**31 - 1 else f"from {least} to {most}"
        _warn(key, text, f"a number {span}", default)
        return default
    return number


def _read_flag(row: nb.SVCGlobal, key: str) -> bool:
    text = row.options.get(key, "false").lower()
    if text not in ("true", "false"):
        _warn(key, text, "true or false", "false")
    return text == "true"


def _warn(key: str, text: str, wanted: str, default: object) -> None:
    shown = text[:_LONGEST_SHOWN]
    vlog.warn(f"options:{key} is {shown!r}, not {wanted}; using {default}")
