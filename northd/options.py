"""Source 'options': what the operator set in SVC_Global:options, with defaults.

A value that cannot be read counts as not set; the problem is told once in the
log, since the root row has no status column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import ovs.vlog

from ..lib import nb, sealing
from ..lib.options import find_problems, read_flag, read_number

vlog = ovs.vlog.Vlog("en_options")

# Geneve costs 58 bytes of a 1500-byte underlay (IPv4 + UDP + Geneve + Ethernet).
DEFAULT_CONTAINER_MTU = 1442
# A chassis is dead, unless the operator says otherwise, when so many heartbeats are missing.
HEARTBEATS_MISSED = 4


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
        for problem in find_problems(row.options):
            vlog.warn(f"{problem}; it counts as not set")
        return _make(row)
    return Options()


def _make(row: nb.SVCGlobal) -> Options:
    def read(key: str, default: int) -> int:
        number = read_number(row.options, key)
        return default if number is None else number

    interval_ms = read("heartbeat-interval", 1000)
    patience_ms = max(500, HEARTBEATS_MISSED * interval_ms)
    return Options(
        heartbeat_interval_ms=interval_ms,
        chassis_dead_after_ms=read("chassis-dead-after", patience_ms),
        container_start_timeout_ms=read("container-start-timeout", 15_000),
        drain_moves=read("drain-moves", 2),
        enforce_container_limit=read_flag(row.options, "enforce-container-limit"),
        load_threshold=read("load-threshold", 80),
        load_hysteresis=read("load-hysteresis", 10),
        container_mtu=read("container-mtu", DEFAULT_CONTAINER_MTU),
        seal_seed=row.seal_seed if sealing.is_seed(row.seal_seed) else None,
    )
