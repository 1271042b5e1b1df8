"""How a container is where it is bound, and where it failed.

One that is unwell has its time: the chassis restarts it in place.  When that
time is over it failed there, and the chassis is avoided for it with a pause
that doubles with each failure (failures.py).  For how long it has been unwell
this process remembers (spells.py, build_queue.py): time counts only while
svc-northd watches and the chassis is at work on it.

Times that are written are of the wall clock, and nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...lib import sb
from .clock import Clock, IsPast, Reading
from .failures import ChassisLife, Failures, FindOrders
from .model import ACTIVE, Avoidance, Place
from .ovn_wait import Wait, Word
from .spells import ERROR, STARTING, STEADY_MS, WAITING, WELL, Condition, Spell, Spells

# A step that fails once is tried again by the chassis within this time.
ERROR_PATIENCE_MS = 2000


def _order_nothing(_chassis: str) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the southbound says of one container.

    'ports_up' are the chassis on which all its ports are up, 'queue_start' says
    of a chassis when its time there began anew (build_queue.py), 'reported' is
    the northbound's last word on its chassis.  'wait' and 'word' are that it
    waits for OVN, as find_wait() has it, and what is known of OVN.  'find_orders'
    returns what the operator wants of it on a chassis.
    """

    bindings: Collection[sb.ContainerBinding] = ()
    ports_up: Collection[str] = ()
    avoided: Collection[sb.AvoidedChassis] = ()
    queue_start: Mapping[str, int] = field(default_factory=dict)
    reported: str | None = None
    wait: Wait | None = None
    word: Word | None = None
    find_orders: FindOrders = _order_nothing


@dataclass(frozen=True, slots=True)
class Health:
    """The places of a container; by chassis, since when it is unwell and where to avoid it.

    'avoided' are the rows that should be there, 'pending' those whose pause is
    not over: a container is not to be tried there.  'unwell' are ms of the wall
    clock.
    """

    places: tuple[Place, ...] = ()
    unwell: Mapping[str, int] = field(default_factory=dict)
    avoided: Mapping[str, Avoidance] = field(default_factory=dict)
    pending: Mapping[str, Avoidance] = field(default_factory=dict)


class Memory:
    """What a process keeps for the health of containers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.spells = Spells()

    def begin(self) -> None:
        """Gives every container its whole time again: svc-northd begins to watch."""
        self.spells.begin()


def judge(
    container: str,
    evidence: Evidence,
    find_chassis: Callable[[str], ChassisLife],
    timeout_ms: int,
    memory: Memory,
    is_past: IsPast,
) -> Health:
    """Returns how 'container' is at this moment.

    It may be another at a moment that 'is_past' was asked about, though nothing
    changed.  'timeout_ms' is the operator's container-start-timeout.
    """
    rows = sorted(evidence.bindings, key=lambda row: (row.role != ACTIVE, row.chassis))
    names = {row.chassis for row in rows} | {row.chassis for row in evidence.avoided}
    chassis = {name: find_chassis(name) for name in names}
    reading = memory.clock.read(container)
    look = _Look(
        evidence,
        chassis,
        timeout_ms,
        Failures(evidence.avoided, chassis, reading, is_past, evidence.find_orders),
        is_past,
    )
    conditions = look.find_conditions(rows)
    spells = memory.spells.note(container, reading.monotonic_ms, conditions)
    unwell = {
        row.chassis: _find_since(row, reading)
        for row in rows
        if row.chassis in conditions and conditions[row.chassis].kind != WELL
    }
    return look.conclude(rows, spells, unwell)


def find_wait(
    rows: Iterable[sb.ContainerBinding],
    ports_up: Collection[str],
    find_chassis: Callable[[str], ChassisLife],
) -> Wait | None:
    """Returns where a container is active and runs, but has not its ports; None if nowhere."""
    for row in rows:
        if row.role != ACTIVE or row.chassis in ports_up:
            continue
        chassis = find_chassis(row.chassis)
        if chassis.is_fit and _is_running(row, chassis):
            return Wait(row.chassis, row.incarnation)
    return None


class _Look:
    """One look at one container."""

    def __init__(
        self,
        evidence: Evidence,
        chassis: Mapping[str, ChassisLife],
        timeout_ms: int,
        failures: Failures,
        is_past: IsPast,
    ) -> None:
        self._evidence = evidence
        self._chassis = chassis
        self._timeout_ms = timeout_ms
        self._error_patience_ms = min(ERROR_PATIENCE_MS, timeout_ms)
        self._failures = failures
        self._is_past = is_past

    def find_conditions(self, rows: Sequence[sb.ContainerBinding]) -> dict[str, Condition]:
        """Returns how it is on each chassis that can be judged.

        On the others its time begins when they are back.
        """
        return {
            row.chassis: self._find_condition(row)
            for row in rows
            if self._chassis[row.chassis].is_fit
        }

    def conclude(
        self,
        rows: Sequence[sb.ContainerBinding],
        spells: Mapping[str, Spell],
        unwell: Mapping[str, int],
    ) -> Health:
        """Returns the health, given for how long it has been so."""
        problems = {row.chassis: self._find_problem(row, spells.get(row.chassis)) for row in rows}
        avoided = self._failures.find_kept(
            {
                name
                for name, problem in problems.items()
                if problem is None and name not in unwell and self._chassis[name].is_fit
            }
        )
        return Health(
            places=self._make_places(rows, problems),
            unwell=unwell,
            avoided=avoided,
            pending={
                name: each for name, each in avoided.items() if self._failures.is_pending(name)
            },
        )

    # -- where it is bound -------------------------------------------------

    def _find_condition(self, row: sb.ContainerBinding) -> Condition:
        incarnation = self._chassis[row.chassis].incarnation
        # Before its chassis has said anything it is in the hands of the life that is there.
        life = (row.role, row.incarnation or incarnation)
        if self._is_running(row) and (row.role != ACTIVE or row.chassis in self._evidence.ports_up):
            return Condition(WELL, life)
        if self._waits(row) and self._is_late():
            return Condition(WAITING, life)
        failing = row.status_code == "error" and self._is_confirmed(row)
        return Condition(ERROR if failing else STARTING, life)

    def _is_confirmed(self, row: sb.ContainerBinding) -> bool:
        """Whether what the row says was said by the svc-controller that is there.

        One of an earlier life knows nothing of a host that was started anew.
        """
        return row.incarnation == self._chassis[row.chassis].incarnation

    def _is_running(self, row: sb.ContainerBinding) -> bool:
        return _is_running(row, self._chassis[row.chassis])

    def _waits(self, row: sb.ContainerBinding) -> bool:
        """Whether the container waits for nothing but its ports here."""
        wait = self._evidence.wait
        return wait is not None and row.role == ACTIVE and row.chassis == wait.chassis

    def _is_late(self) -> bool:
        """Whether OVN was asked in this wait, and does not follow."""
        word = self._evidence.word
        return word is not None and word.late and word.wait == self._evidence.wait

    def _is_excused(self, row: sb.ContainerBinding) -> bool:
        """Whether it is not known that OVN has compiled what the container waits for."""
        wait, word = self._evidence.wait, self._evidence.word
        return self._waits(row) and (word is None or word.wait != wait or word.late)

    def _make_places(
        self, rows: Sequence[sb.ContainerBinding], problems: Mapping[str, str | None]
    ) -> tuple[Place, ...]:
        """Returns the places; the northbound's last word where the southbound knows nothing.

        So it is when the southbound's file was lost.
        """
        if not rows and self._evidence.reported:
            return (Place(self._evidence.reported, ready=False, serving=False),)
        # A chassis may refuse what the row of the active one says: then its standbys may as well.
        outdated = any(row.role == ACTIVE and self._is_outdated(row) for row in rows)
        return tuple(
            Place(
                chassis=row.chassis,
                role=row.role,
                ready=self._is_running(row)
                and (not self._is_outdated(row) or (row.role != ACTIVE and outdated)),
                serving=row.role == ACTIVE
                and row.reached_generation > 0
                and row.chassis in self._evidence.ports_up
                and self._is_confirmed(row),
                failure=problems[row.chassis],
            )
            for row in rows
        )

    def _is_outdated(self, row: sb.ContainerBinding) -> bool:
        return self._is_running(row) and row.reached_generation != row.generation

    # -- where it fails ----------------------------------------------------

    def _find_problem(self, row: sb.ContainerBinding, spell: Spell | None) -> str | None:
        """Returns why a container cannot go on where it is, once its time is over."""
        if spell is None:
            return None
        if spell.condition.kind == WELL:
            return self._find_unsteady(row.chassis, spell)
        if spell.condition.kind == WAITING or self._is_excused(row):
            return None
        failing = spell.condition.kind == ERROR
        start_ms = spell.since_ms - spell.spent_ms
        if not failing and not row.reached_generation:
            start_ms = max(start_ms, self._evidence.queue_start.get(row.chassis, 0))
        patience_ms = self._error_patience_ms if failing else self._timeout_ms
        if not self._is_past(start_ms + patience_ms):
            return None
        problem = _describe(row, self._is_confirmed(row), self._timeout_ms)
        self._failures.note(row.chassis, problem)
        return problem

    def _find_unsteady(self, chassis: str, spell: Spell) -> str | None:
        """Returns what was wrong with one that runs at this moment, as it did before it failed."""
        spent = spell.starting_ms >= self._timeout_ms or spell.error_ms >= self._error_patience_ms
        if self._is_past(spell.since_ms + STEADY_MS) or spell.count == 1 or not spent:
            return None
        return self._failures.find_reason(chassis) or "it does not keep running"


def _is_running(row: sb.ContainerBinding, chassis: ChassisLife) -> bool:
    confirmed = row.incarnation == chassis.incarnation
    return row.reached_generation > 0 and row.status_code == "running" and confirmed


def _find_since(row: sb.ContainerBinding, reading: Reading) -> int:
    """Returns since when it is unwell; a time that lies ahead counts as this moment."""
    if row.unwell_since is None:
        return reading.wall_ms
    return reading.find_deadline(row.unwell_since, 0).wall_ms


def _describe(row: sb.ContainerBinding, confirmed: bool, timeout_ms: int) -> str:
    """Returns what went wrong with a container that had its time."""
    time = f"{timeout_ms / 1000:g} s"
    if row.status_code is None:
        return f"the chassis has not taken it up after {time}"
    if not confirmed:
        return f"the chassis has started anew and not taken it up after {time}"
    if row.status_code == "error":
        return row.status_message or "error"
    if row.status_code == "running" and row.reached_generation > 0:
        return f"OVN has not installed its port after {time}"
    said = f" ({row.status_message})" if row.status_message else ""
    return f"{row.status_code} after {time}{said}"
