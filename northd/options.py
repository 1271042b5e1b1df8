"""Source 'options': what the operator set in SVC_Global:options, with defaults.  Pure.

A value that is not used is told by lib/options.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..lib import sealing
from ..lib.options import NUMBERS, find_numbers, read_flag

DEFAULT_CONTAINER_MTU = NUMBERS["container-mtu"].default


@dataclass(frozen=True, slots=True)
class Options:
    """Times in ms, loads and shares in percent, a rate in containers a second.

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
    mass_failure_share: int = 40
    mass_failure_hold_ms: int = 60_000
    mass_failure_rate: int = 50
    seal_seed: str | None = field(default=None, repr=False)


def make_options(options: Mapping[str, str], seal_seed: str | None) -> Options:
    """Returns the options that count, of the columns of the root row."""
    numbers = find_numbers(options)
    return Options(
        heartbeat_interval_ms=numbers["heartbeat-interval"],
        chassis_dead_after_ms=numbers["chassis-dead-after"],
        container_start_timeout_ms=numbers["container-start-timeout"],
        drain_moves=numbers["drain-moves"],
        enforce_container_limit=read_flag(options, "enforce-container-limit"),
        load_threshold=numbers["load-threshold"],
        load_hysteresis=numbers["load-hysteresis"],
        container_mtu=numbers["container-mtu"],
        mass_failure_share=numbers["mass-failure-share"],
        mass_failure_hold_ms=numbers["mass-failure-hold"],
        mass_failure_rate=numbers["mass-failure-rate"],
        seal_seed=seal_seed if sealing.is_seed(seal_seed) else None,
    )
