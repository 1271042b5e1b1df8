"""The heartbeat of this chassis: when it beats, and what Chassis_Private is to say.

'incarnation' tells a restart from a pause.  Each beat says in 'heartbeat_interval' how
long it is to the next, so that svc-northd never judges by an interval that the chassis has not
heard of yet.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..lib.options import find_numbers
from .bounded import bound_warnings

# Chassis that were started together must not beat together.
_JITTER = 0.1


def find_interval_ms(options: Mapping[str, str]) -> int:
    """Returns SB_Global:options:heartbeat-interval, or the default if that cannot be read."""
    return find_numbers(options)["heartbeat-interval"]


@dataclass(slots=True)
class Heartbeat:
    """What this svc-controller tells of itself.

    'load' and 'warnings' are to be set when run() said that it beat, so that they go
    along with the heartbeat and with nothing else; 'nb_cfg' is None until it is known what
    the chassis has reached before.
    """

    incarnation: str = field(default_factory=lambda: uuid.uuid4().hex)
    number: int = 0
    made_ms: int = 0
    interval_ms: int = 0
    stopping: bool = False
    ovn_problem: str = ""
    load: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    nb_cfg: int | None = None
    nb_cfg_ms: int = 0
    _beat_at_ms: int = 0
    _beaten_ms: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.incarnation)

    def run(self, now_ms: int, wall_ms: int, interval_ms: int) -> bool:
        """Beats when it is time to; returns whether it did."""
        if interval_ms < self.interval_ms:
            self._beat_at_ms = min(self._beat_at_ms, self._beaten_ms + interval_ms)
        if now_ms < self._beat_at_ms:
            return False
        share = self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._beat_at_ms = now_ms + round(interval_ms * share)
        self._beaten_ms = now_ms
        self.interval_ms = interval_ms
        self.number += 1
        self.made_ms = wall_ms
        return True

    def find_next_ms(self) -> int:
        """Returns when run() has something to do again."""
        return self._beat_at_ms

    def make_columns(self) -> dict[str, Any]:
        """Returns what the row of Chassis_Private is to be."""
        return {
            "incarnation": self.incarnation,
            "heartbeat": self.number,
            "heartbeat_timestamp": self.made_ms,
            "heartbeat_interval": self.interval_ms,
            "nb_cfg": self.nb_cfg or 0,
            "nb_cfg_timestamp": self.nb_cfg_ms,
            "stopping": self.stopping,
            "ovn_problem": self.ovn_problem,
            "load": dict(self.load),
            "warnings": bound_warnings(self.warnings),
        }
