"""What a mass failure keeps from new places, for the engine, and in words.

mass_failure.py says which chassis went silent at once, turns.py which of the
containers that are lost there may have a new place; nodes/en_withheld.py keeps
the others where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

import ovs.vlog

from ..lib import sb
from ..lib.moment import format_time
from .engine.engine import Engine
from .mass_failure import HELD, PACED, MassFailure, Now, Numbers
from .nodes.en_withheld import WITHHELD
from .nodes.tables import HAS_TURN, HOLD, MASS_FAILURE, ONLY
from .options import Options
from .sync.forgotten import format_names
from .turns import Turns

vlog = ovs.vlog.Vlog("failover")

_COMMAND = "'svcctl failover-now'"
_WAITS_FOR_TURN = "it waits for its turn to get a new place"


class Failover:
    """Each pass: note what changed of the chassis, run(); once all is computed, follow()."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mass = MassFailure()
        self._turns = Turns()
        self._marked: dict[str, str] = {}
        self._state = ""
        self._restored = False

    def note_verdict(self, chassis: str, was_alive: bool, is_alive: bool) -> None:
        """Takes whether a chassis is alive; one that is not there any more is not silent."""
        if is_alive:
            self._mass.note_life(chassis)
        elif was_alive:
            self._mass.note_death(chassis)

    def forget(self, chassis: str) -> None:
        """Notes that a chassis is not there any more, or that no container may be on it."""
        self._mass.note_life(chassis)

    def restore(
        self, weights: Iterable[sb.ChassisWeight], find_dead: Callable[[], AbstractSet[str]]
    ) -> None:
        """Takes what an earlier svc-northd left, at the first reading of this process.

        What is inserted later is not svc-northd's.  A row of a chassis that is not there, as in
        a southbound of another day, holds nobody.
        """
        if self._restored:
            return
        self._restored, dead = True, find_dead()
        for row in weights:
            if not row.alive and row.mass_failure is not None and row.chassis in dead:
                self._mass.restore(row.chassis, row.mass_failure)

    def interrupt(self) -> None:
        """Notes that nothing is known of the chassis for the time being."""
        self._mass.interrupt()

    def run(self, now: Now, options: Options, numbers: Numbers) -> None:
        """Finds out what is held, and gives turns."""
        self._mass.run(now, options, numbers)
        if self._mass.state != self._state:
            self._change_state(options)
        if self._mass.state == PACED:
            for name in self._turns.give(now.monotonic_ms, options.mass_failure_rate):
                self._engine.put(HAS_TURN, name, True)
        self._mark()

    def follow(self, changed: Iterable[str]) -> None:
        """Takes the containers of which it changed whether they get no new place."""
        waits: list[str] = []
        others: list[str] = []
        for name in changed:
            withheld = self._engine.get(WITHHELD, name) is not None
            (waits if withheld else others).append(name)
        self._turns.note(waits, others)
        if self._mass.state == PACED and not self._turns.waiting:
            self._mass.finish()

    def find_next_ms(self) -> int | None:
        """Returns when the next has its turn (monotonic)."""
        return self._turns.find_next_ms() if self._mass.state == PACED else None

    @property
    def held_cfg(self) -> int | None:
        """The number of what is held, None if nothing is."""
        return self._mass.number

    @property
    def problem(self) -> str | None:
        """A sentence while new places are held."""
        mass = self._mass
        if mass.state != HELD:
            return None
        return f"{self._describe()}; what is lost there gets {self._describe_hold()}"

    # -- helpers -----------------------------------------------------------

    def _change_state(self, options: Options) -> None:
        before, self._state = self._state, self._mass.state
        if self._state != PACED:
            for name in self._turns.stop():
                self._engine.put(HAS_TURN, name, None)
        if self._state == HELD:
            vlog.warn(f"{self.problem}")
        elif self._state == PACED:
            why = self._mass.ended or "a svc-northd before this one had begun"
            vlog.info(
                f"mass failure: {why}; what is lost gets new places,"
                f" {options.mass_failure_rate} in a second"
            )
        elif before:
            why = self._mass.ended if before == HELD else "nobody waits for a new place"
            vlog.info(f"mass failure: over, {why}")

    def _mark(self) -> None:
        """Tells the engine which chassis are of it, and what their containers wait for."""
        wanted = dict.fromkeys(self._mass.members, self._mass.state)
        if wanted != self._marked:
            for name in self._marked.keys() - wanted.keys():
                self._engine.put(MASS_FAILURE, name, None)
            for name, state in wanted.items():
                self._engine.put(MASS_FAILURE, name, state)
            self._marked = wanted
        words = {HELD: self._describe_hold(), PACED: _WAITS_FOR_TURN}.get(self._mass.state)
        self._engine.put(HOLD, ONLY, words)

    def _describe(self) -> str:
        mass = self._mass
        silent = max(mass.silent, len(mass.members))
        count = f"{silent} of {mass.total}" if mass.total else f"{silent}"
        return f"{count} chassis went silent at once, {format_names(mass.members)} among them"

    def _describe_hold(self) -> str:
        return f"no new place before {format_time(self._mass.until_wall_ms)} or {_COMMAND}"
