"""Hands what changed in the databases to the engine and to the ledgers.

Called once in a pass, with the sessions that are in sync.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from ..lib import nb, sb
from ..lib.idl import Session
from ..lib.rows import Row
from ..services.api.node import Datum
from .engine.engine import Engine
from .engine.ledger import Ledger, Mark
from .nodes.tables import KNOWN_PORTS, ONLY, QUEUE_START, VANISHED
from .ovn import rows as ovn
from .ovn.outside import OutsideReplica
from .ovn.southbound import PortReplica
from .ovn.uncompiled import Uncompiled
from .scheduler.build_queue import BuildQueue
from .sync import northbound, southbound
from .sync import ovn as ovn_sync
from .sync.content import Content
from .sync.forgotten import Forgotten
from .sync.kept_rows import Key
from .sync.surplus import Surplus

Pair = tuple[Any, Any]
Tables = Mapping[str, Mapping[type[Row], Datum[Any, Any]]]

# As what a container has rows, by database.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "sb": (southbound.CONTAINER, southbound.REDIRECT),
    "ovn": ovn_sync.ORDER,
    "nb": (northbound.CONTAINER,),
}

# Sets of OVN that hold rows of ours.
CHILDREN: Mapping[str, tuple[type[Row], tuple[str, ...]]] = {
    ovn.LogicalRouter.TABLE: (ovn.LogicalRouter, ("ports", "static_routes", "policies", "nat")),
    ovn.LogicalSwitch.TABLE: (ovn.LogicalSwitch, ("ports",)),
}


class Replicas:
    """Follows the sessions for one engine and the ledger of each database."""

    def __init__(
        self,
        engine: Engine,
        sessions: Mapping[str, Session],
        ledgers: Mapping[str, Ledger],
        tables: Tables,
        rules: Uncompiled,
        content: Content,
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._content = content
        self._followed = False
        self._sessions = sessions
        self._ledgers = ledgers
        self._data = {
            prefix: {row_class.TABLE: datum for row_class, datum in each.items()}
            for prefix, each in tables.items()
        }
        self.queue = BuildQueue()
        self.forgotten = Forgotten()
        self.surplus = Surplus()
        self._held: frozenset[str] = frozenset()

    def follow(self, now_ms: int) -> set[str]:
        """Takes what changed; returns the tables, as "nb.SVC_Global"."""
        changed: set[str] = set()
        for prefix, session in self._sessions.items():
            rows: Mapping[str, Mapping[UUID, Pair]] = session.take_changed_rows()
            counted: dict[Key, Any] = {}
            if prefix == "nb":
                counted = self._count(session, rows)
            else:
                is_wanted = partial(self._is_wanted, prefix)
                self.forgotten.note(prefix, session.connection, rows, is_wanted)
            if prefix == "sb":
                rows = self._leave_out_surplus(rows)
            for table, pairs in rows.items():
                if pairs:
                    changed.add(f"{prefix}.{table}")
                    self._take(prefix, table, pairs, counted, now_ms)
            self._put_counted(counted)
        self._followed = True
        self._hold()
        return changed

    def _leave_out_surplus(
        self, rows: Mapping[str, Mapping[UUID, Pair]]
    ) -> Mapping[str, Mapping[UUID, Pair]]:
        """Returns the changes without those of rows that are too many."""
        self.surplus.note_bindings(rows.get(sb.ContainerBinding.TABLE, {}).values())
        items = self.surplus.take(rows.get(sb.ContainerItem.TABLE, {}))
        return {**rows, sb.ContainerItem.TABLE: items}

    def review_held(self) -> frozenset[str]:
        """Returns the containers that go on only because a database forgot them.

        Those of which nothing is left are forgotten here too.
        """
        names = self.forgotten.names
        held = frozenset(name for name in names if self._has_rows(name, held=True))
        # Who is wanted is filled in again.
        self.forgotten.release(
            {name for name in names - held if not self._has_rows(name, held=False)}
        )
        return held

    def _is_wanted(self, prefix: str, table: str, mark: Mark) -> bool:
        """Returns whether a row is to be there, or is not to go as far as is known."""
        ledger = self._ledgers[prefix]
        if ledger.is_frozen(mark.owner):
            return True
        owned = ledger.find_owned(mark.owner)
        wanted = (*owned.rows, *owned.updates)
        return owned.keeps_all or any(
            (each.table, each.key) == (table, mark.key) for each in wanted
        )

    def _has_rows(self, name: str, *, held: bool) -> bool:
        """Returns whether any database has rows of a container, or wants some; or holds them."""
        for prefix, kinds in _KINDS.items():
            ledger = self._ledgers[prefix]
            for owner in ((kind, name) for kind in kinds):
                if held and ledger.is_frozen(owner) and any(ledger.find_rows(owner)):
                    return True
                if not held and (ledger.is_wanted(owner) or any(ledger.find_rows(owner))):
                    return True
        return False

    def follow_ports(self, ports: PortReplica) -> None:
        """Takes what changed of OVN_Southbound; without a connection nothing is known of it."""
        if ports.known is None:
            for datum in self._data["ovn_sb"].values():
                for uuid in list(self._engine.get_all(datum)):
                    self._engine.put(datum, uuid, None)
        for table, pairs in ports.take_changed_rows().items():
            datum = self._data["ovn_sb"][table]
            for uuid, (_, new) in pairs.items():
                self._engine.put(datum, uuid, new)
        self._engine.put(KNOWN_PORTS, ONLY, ports.known)

    def follow_outside(self, outside: OutsideReplica) -> None:
        """Takes what changed of OVN_Southbound on the networks outside."""
        for table, pairs in outside.take_changed_rows().items():
            datum = self._data["outside"][table]
            for uuid, (_, new) in pairs.items():
                self._engine.put(datum, uuid, new)

    def restart_queue(self, now_ms: int) -> None:
        """Gives every container that is yet to be built its whole time again."""
        self.queue.begin()
        for spot in list(self._engine.get_all(QUEUE_START)):
            self._engine.put(QUEUE_START, spot, None)
        rows = self._sessions["sb"].rows(sb.ContainerBinding).values()
        self.queue.update(now_ms, [(None, row) for row in rows])

    def _hold(self) -> None:
        names = self.forgotten.names
        if names != self._held:
            self._held = names
            for ledger in self._ledgers.values():
                ledger.hold(names)

    def _take(
        self,
        prefix: str,
        table: str,
        pairs: Mapping[UUID, Pair],
        counted: Mapping[Key, Any],
        now_ms: int,
    ) -> None:
        datum = self._data[prefix].get(table)
        ledger = self._ledgers[prefix]
        holder = CHILDREN.get(table) if prefix == "ovn" else None
        for uuid, (old, new) in pairs.items():
            counts = counted.get((table, uuid), new)
            if datum is not None:
                self._engine.put(datum, uuid, counts)
            if holder is not None:
                for column in holder[1]:
                    ledger.note_children(holder[0], column, old, new)
            ledger.note_row(old, new)
            if table == ovn.RouterPolicy.TABLE:
                self._note_rule(uuid, new, now_ms)
            if counts is None:
                # A row that is an owner of its own; nobody else takes its status back.
                ledger.forget((table, uuid))
        if table == sb.ContainerBinding.TABLE:
            for spot in self.queue.update(now_ms, pairs.values()):
                self._engine.put(QUEUE_START, spot, self.queue.find_start(spot) or None)

    def _count(self, session: Session, rows: Mapping[str, Mapping[UUID, Pair]]) -> dict[Key, Any]:
        """Returns the rows of operators that count in place of what is there."""
        root = next(iter(session.rows(nb.SVCGlobal).values()), None)
        followed = {table: rows[table] for table in rows.keys() & self._data["nb"].keys()}
        return self._content.take(session.connection, root, followed)

    def _put_counted(self, counted: Mapping[Key, Any]) -> None:
        for (table, uuid), row in counted.items():
            self._engine.put(self._data["nb"][table], uuid, row)
            vanished = row is not None and uuid not in self._sessions["nb"].tables[table]
            self._engine.put(VANISHED, uuid, vanished or None)
            if row is None:
                self._ledgers["nb"].forget((table, uuid))

    def accept_content(self) -> None:
        """Takes what is in the databases for what is meant."""
        self.forgotten.accept()
        self._put_counted(self._content.accept())

    def _note_rule(self, uuid: UUID, new: Row | None, now_ms: int) -> None:
        """Takes a rule on a router that OVN is yet to compile, or that is away."""
        mark = ovn_sync.find_mark(new) if new is not None else None
        if mark is None:
            self._rules.forget(uuid)
        elif self._followed:
            assert isinstance(mark.owner, tuple)
            self._rules.note(uuid, mark.owner[1], mark.subject, now_ms)
