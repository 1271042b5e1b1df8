"""svc-northd's engine and ledgers on tables in memory, for thousands of changes in seconds.

What the ledgers plan is put into the tables as a server would, and chassis in
memory obey.  Nothing is written to a database; scenarios on real servers are in
cloud.py.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID

from ..lib import sb, sealing
from ..lib.delta import Change, Delete, Insert, Ref, SetKeys, Update
from ..lib.rows import Row
from ..northd import graph
from ..northd.engine.engine import Engine
from ..northd.engine.ledger import Ledger
from ..northd.liveness import Verdict
from ..northd.nodes.tables import CHASSIS_CFG, ONLY, OPTIONS, QUEUE_START, ROOT, VERDICT, WATCH
from ..northd.options import Options
from ..northd.ovn import rows as ovn
from ..northd.replicas import CHILDREN
from ..northd.scheduler.build_queue import BuildQueue
from ..northd.scheduler.clock import Clock
from ..northd.scheduler.health import Memory
from ..northd.sync import northbound, southbound
from ..northd.sync import ovn as ovn_sync
from ..services.api.compile import CompileHalf
from ..services.ipsec.compile import HALF
from .random_rows import find_violation, make_empty

KEY = sealing.format_public_key(bytes(range(32)))
SEED = base64.b64encode(bytes(32)).decode()
_MOST_ROUNDS = 60

# Those that have no datum, since only the ledgers look at them.
_LEDGER_ONLY: Mapping[str, tuple[type[Row], ...]] = {
    "sb": (sb.RedirectFlow, sb.ChassisWeight),
}


class MemoryCloud:
    """Tables by row class, the engine that follows them, a ledger for each database."""

    def __init__(self, halves: Mapping[str, CompileHalf] | None = None) -> None:
        self.halves = {"ipsec": HALF} if halves is None else halves
        self.now_ms, self.wall_ms = 1_000_000, 1_700_000_000_000
        self._memory = Memory(Clock())
        outputs = [datum for each in graph.OUTPUTS.values() for datum in each]
        statuses = [half.statuses for half in self.halves.values() if half.statuses is not None]
        self.statuses: list[Any] = statuses
        self.engine = Engine(
            graph.make_nodes(self.halves, self._memory), (*outputs, *statuses, *graph.WATCHED)
        )
        self.ledgers: dict[str, Ledger] = {
            "sb": southbound.SouthboundLedger(lambda _name: None, lambda: self.wall_ms),
            "ovn": Ledger(ovn_sync.find_mark, ovn.EMPTY),
            "nb": Ledger(northbound.find_mark),
        }
        tables = graph.find_tables(self.halves)
        self._data = {row_class: each[row_class] for each in tables.values() for row_class in each}
        self._databases = {row_class: name for name, each in tables.items() for row_class in each}
        for name, classes in _LEDGER_ONLY.items():
            self._databases.update(dict.fromkeys(classes, name))
        self.tables: dict[type[Row], dict[UUID, Any]] = {each: {} for each in self._databases}
        self._classes = {
            (name, row_class.TABLE): row_class for row_class, name in self._databases.items()
        }
        self._numbers = count(1)
        self._queue = BuildQueue()
        self.set_options()
        self.engine.put(ROOT, ONLY, True)
        self.engine.put(WATCH, ONLY, 1)

    # -- rows --------------------------------------------------------------

    def add(self, row_class: type[Row], **columns: Any) -> UUID:
        """Adds a row; returns its UUID."""
        uuid = self._make_uuid()
        self.put(make_empty(row_class, uuid, **columns))
        return uuid

    def put(self, row: Any) -> None:
        """Adds a row, or puts it in the place of the one with its UUID."""
        table = self.tables[type(row)]
        before = table.get(row.uuid)
        table[row.uuid] = row
        self._note(type(row), row.uuid, before, row)

    def change(self, row_class: type[Row], uuid: UUID, **columns: Any) -> None:
        """Sets columns of a row."""
        self.put(replace(self.tables[row_class][uuid], **columns))

    def remove(self, row_class: type[Row], uuid: UUID) -> None:
        """Removes a row, if it is there."""
        before = self.tables[row_class].pop(uuid, None)
        if before is not None:
            self._note(row_class, uuid, before, None)

    def rows(self, row_class: type[Row]) -> list[Any]:
        """Returns the rows of a table."""
        return list(self.tables[row_class].values())

    def set_options(self, **options: Any) -> None:
        """Sets the operator's options."""
        self.engine.put(OPTIONS, ONLY, Options(seal_seed=SEED, **options))

    def set_verdict(self, chassis: str, **columns: Any) -> None:
        """Sets what svc-northd thinks of a chassis."""
        verdict = Verdict(**{"alive": True, "incarnation": "1", **columns})
        self.engine.put(VERDICT, chassis, verdict)
        self.engine.put(CHASSIS_CFG, chassis, 1)

    def _note(self, row_class: type[Row], uuid: UUID, before: Any, after: Any) -> None:
        name = self._databases[row_class]
        if row_class in self._data:
            self.engine.put(self._data[row_class], uuid, after)
        if name not in self.ledgers:
            return
        if name == "ovn" and row_class.TABLE in CHILDREN:
            for column in CHILDREN[row_class.TABLE][1]:
                self.ledgers[name].note_children(row_class, column, before, after)
        self.ledgers[name].note_row(before, after)
        if row_class is sb.ContainerBinding:
            for spot in self._queue.update(self.now_ms, [(before, after)]):
                self.engine.put(QUEUE_START, spot, self._queue.find_start(spot) or None)

    def _make_uuid(self) -> UUID:
        # The name of a container is of the first digits, so that the numbers are turned round.
        return UUID(bytes=next(self._numbers).to_bytes(16, "little"))

    # -- passes ------------------------------------------------------------

    def run(self, spent_ms: int = 0) -> None:
        """One pass of the engine, 'spent_ms' later; the ledgers get what changed."""
        self.now_ms += spent_ms
        self.wall_ms += spent_ms
        self._memory.clock.tick(self.wall_ms, self.now_ms)
        changed = self.engine.run(self.now_ms)
        for name, outputs in graph.OUTPUTS.items():
            for datum, kind in outputs.items():
                for key in changed.get(datum, ()):
                    self._set((kind, key), name, datum, key)
        for datum in self.statuses:
            for key in changed.get(datum, ()):
                for each in self.engine.get(datum, key) or ():
                    self._set_status(each)

    def _set(self, owner: Any, name: str, datum: Any, key: Any) -> None:
        if self.engine.find_problem(datum, key) is not None:
            self.ledgers[name].freeze(owner)
        else:
            self.ledgers[name].set_owned(owner, self.engine.get(datum, key))

    def _set_status(self, status: Any) -> None:
        row = self.tables[status.row_class].get(status.uuid)
        if row is not None:
            self.tables[status.row_class][row.uuid] = replace(row, **status.columns)

    def plan(self) -> dict[str, list[Change]]:
        """Returns what the ledgers lack; nobody is dirty after it."""
        found: dict[str, list[Change]] = {}
        for name, ledger in self.ledgers.items():
            dirty, ledger.dirty = ledger.dirty, set()
            ledger.drop_planned()
            found[name] = [
                change
                for owner in sorted(dirty, key=repr)
                for change in ledger.finish(owner, ledger.plan(owner))
            ]
        return found

    def write(self) -> bool:
        """Puts what is planned into the tables; returns whether it is anything."""
        planned = self.plan()
        for name, changes in planned.items():
            made = {
                (each.table, each.key): self._make_uuid()
                for each in changes
                if isinstance(each, Insert)
            }
            for change in sorted(changes, key=lambda each: not isinstance(each, Delete)):
                self._apply(name, change, made)
        return any(planned.values())

    def _apply(self, name: str, change: Change, made: Mapping[Any, UUID]) -> None:
        row_class = self._classes[name, change.table]
        match change:
            case Insert():
                uuid = made[change.table, change.key]
                columns = _sort(_resolve(change.columns, made))
                self.put(_hold(make_empty(row_class, uuid, **columns)))
                self._hang(name, change.parent, uuid, made)
            case Update():
                row = self.tables[row_class][change.uuid]
                self.put(_hold(replace(row, **_sort(_resolve(change.columns, made)))))
            case Delete():
                self._unhang(name, change)
                self.remove(row_class, change.uuid)
            case SetKeys():
                before = getattr(self.tables[row_class][change.uuid], change.column)
                self.change(row_class, change.uuid, **{change.column: {**before, **change.keys}})

    def _hang(self, name: str, parent: Any, uuid: UUID, made: Mapping[Any, UUID]) -> None:
        if parent is None:
            return
        row_class = self._classes[name, parent.table]
        where = parent.row
        if isinstance(where, Ref):
            where = made[where.table, where.key]
        row = self.tables[row_class].get(where)
        if row is not None:
            members = {*getattr(row, parent.column), uuid}
            self.put(replace(row, **_sort({parent.column: tuple(members)})))

    def _unhang(self, name: str, change: Delete) -> None:
        if change.parent is None or not isinstance(change.parent.row, UUID):
            return
        row = self.tables[self._classes[name, change.parent.table]].get(change.parent.row)
        if row is not None:
            kept = tuple(each for each in getattr(row, change.parent.column) if each != change.uuid)
            self.put(replace(row, **{change.parent.column: kept}))

    def obey(self, chassis: Iterable[str]) -> bool:
        """Lets chassis build what is bound to them; returns whether any had anything to do."""
        there = set(chassis)
        requested = {
            row.name: row.options.get("requested-chassis")
            for row in self.rows(ovn.LogicalSwitchPort)
        }
        worked = False
        for row in self.rows(sb.ContainerBinding):
            wanted = {
                "status_code": "running",
                "status_message": "as told",
                "reached_generation": row.generation,
                "incarnation": "1",
            }
            if row.chassis in there and any(getattr(row, name) != wanted[name] for name in wanted):
                self.put(replace(row, **wanted))
                worked = True
        for row in self.rows(sb.PortBinding):
            up = requested.get(row.logical_port) == row.chassis
            if row.chassis in there and row.up != up:
                self.put(replace(row, up=up))
                worked = True
        return worked

    def settle(self, chassis: Iterable[str]) -> None:
        """Runs until nobody has anything to do."""
        names = tuple(chassis)
        for _ in range(_MOST_ROUNDS):
            self.run()
            wrote = self.write()
            if not self.obey(names) and not wrote:
                return
        raise AssertionError("it does not settle")

    # -- what is seen ------------------------------------------------------

    def see(self, prefixes: tuple[str, ...]) -> dict[Any, Any]:
        """Returns the outputs of containers whose names begin so, and of their rows."""
        found: dict[Any, Any] = {}
        for outputs in graph.OUTPUTS.values():
            for datum in outputs:
                for key, value in self.engine.get_all(datum).items():
                    if str(key).startswith(prefixes):
                        found[datum.name, key] = value
        return found


def _resolve(columns: Mapping[str, Any], made: Mapping[Any, UUID]) -> dict[str, Any]:
    """Returns columns with the UUIDs of the rows that are made beside them."""

    def find(value: Any) -> Any:
        return made[value.table, value.key] if isinstance(value, Ref) else value

    return {
        name: tuple(map(find, value)) if isinstance(value, tuple) else find(value)
        for name, value in columns.items()
    }


def _sort(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Returns columns as they are read back: sets in order."""
    return {
        name: tuple(sorted(value)) if isinstance(value, tuple) else value
        for name, value in columns.items()
    }


def _hold(row: Any) -> Any:
    """Returns a row, which a server must be able to take."""
    violation = find_violation(row)
    assert violation is None, violation
    return row
