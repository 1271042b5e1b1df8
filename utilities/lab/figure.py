"""One figure of the bench: its samples, and what it is held against."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: samples in 'unit', those of a peer, and what is aimed at (in 'unit')."""

    name: str
    unit: str
    samples: list[float]
    peer: str = ""
    peer_samples: list[float] = field(default_factory=list)
    aim: float | None = None

    @property
    def median(self) -> float:
        return statistics.median_low(self.samples)

    @property
    def peer_median(self) -> float | None:
        return statistics.median_low(self.peer_samples) if self.peer_samples else None

    @property
    def ratio(self) -> float | None:
        return self.median / self.peer_median if self.peer_median else None
