"""What a change costs svc-northd in clouds of several sizes; on databases of its own.

Databases and svc-northd are real, and the chassis are rows (crowd.py).  A change
is measured from the pass that reads its rows until the transactions that follow
from it are handed over (stepped.py), so that what a server takes is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import ovn_peer
from .crowd import CHASSIS, Crowd
from .figure import Figure
from .stepped import Memory, Watcher, Work

SIZES = (1000, 5000, 20_000)
_MOST_MS = 20.0
_MOST_GROWTH = 1.5
_MOST_DEATH_MS = 200.0
_MOST_FIRST_S = 30.0
_MOST_MB = {5000: 1024.0}
# Nobody is given up while this machine builds the cloud.
_PATIENT = {"chassis_dead_after": "600000", "container_start_timeout": "3600000"}
_DEAD_AFTER = {**_PATIENT, "chassis_dead_after": "2500"}
_PEER = "ovn-nbctl --wait=sb lsp-add"

Act = Callable[[int], object]


def measure(runs: int) -> Iterator[Figure]:
    """Yields the figures of each size; those of the smallest are what the others are held to."""
    least: dict[str, float] = {}
    for size in SIZES:
        peer = ovn_peer.measure(size, runs)
        with Crowd() as crowd:
            yield from _Bench(crowd, size, runs, peer, least).run()


@dataclass(frozen=True, slots=True)
class _Bench:
    """One size; 'least' has the ms of each kind of change at the smallest size."""

    crowd: Crowd
    size: int
    runs: int
    peer: list[float]
    least: dict[str, float]

    def run(self) -> Iterator[Figure]:
        self.crowd.build(self.size, **_PATIENT)
        watcher = Watcher(self.crowd.remotes, self.crowd.spare_core)
        try:
            yield from self._start(watcher)
            yield from self._change(watcher)
            yield from self._tell_memory(watcher.measure_memory())
        finally:
            watcher.close()

    def _start(self, watcher: Watcher) -> Iterator[Figure]:
        yield Figure(f"change: load of replicas at {self.size}", "s", [watcher.load()])
        first = watcher.start()
        seconds = first.taken_ms / 1000
        name = f"change: first computation at {self.size}"
        yield Figure(name, "s", [seconds], aim=_MOST_FIRST_S)
        yield Figure(f"{name}, node runs", "", [float(first.runs)])
        watcher.settle()
        self.crowd.obey()
        watcher.settle()

    def _change(self, watcher: Watcher) -> Iterator[Figure]:
        crowd = self.crowd
        acts: dict[str, Act] = {
            "key": lambda number: crowd.change_key(number, f"another secret of {number}"),
            "connection added": crowd.add_connection,
            "status": crowd.break_tunnel,
        }
        for name, act in acts.items():
            works = [self._time(watcher, act, run * 7) for run in range(self.runs)]
            yield from self._tell(name, works, _MOST_MS, self.peer if name != "status" else [])
        crowd.set_options(**_DEAD_AFTER)
        deaths = [self._time(watcher, self._kill, run * 7) for run in range(self.runs)]
        yield from self._tell("chassis dead", deaths, _MOST_DEATH_MS, [])

    def _time(self, watcher: Watcher, act: Act, number: int) -> Work:
        watcher.settle()
        work = watcher.time(lambda: act(number))
        watcher.settle()
        self.crowd.obey()
        return work

    def _kill(self, number: int) -> None:
        self.crowd.kill(f"hv{number % CHASSIS:03}")

    def _tell(
        self, name: str, works: list[Work], aim: float, peer: list[float]
    ) -> Iterator[Figure]:
        figure = Figure(
            f"change: {name} at {self.size}",
            "ms",
            [each.taken_ms for each in works],
            _PEER if peer else "",
            peer,
            min(aim, _MOST_GROWTH * self.least.get(name, aim)) if aim == _MOST_MS else aim,
        )
        self.least.setdefault(name, figure.median)
        yield figure
        yield Figure(f"{figure.name}, node runs", "", [float(each.runs) for each in works])

    def _tell_memory(self, memory: Memory) -> Iterator[Figure]:
        name = f"change: memory at {self.size}"
        yield Figure(name, "MB", [memory.resident], aim=_MOST_MB.get(self.size))
        yield Figure(f"{name}, at most", "MB", [memory.peak])
        for part, megabytes in memory.parts.items():
            yield Figure(f"{name}, {part}", "MB", [megabytes])
