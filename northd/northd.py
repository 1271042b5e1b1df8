"""The program svc-northd: the loop, nothing else.

The loop (ovn-northd.c is the model): run the three sessions; with the locks
held (leader) and all three in sync, hand changed tables to the engine, run
it, and start one transaction for each database whose rows are not as they
should be.  A failed commit, a lost lock or a reconnection makes everything be
computed again.

One that stands by watches the heartbeats of the chassis as the active one
does, so that it knows who is dead when it takes over.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import ovs.poller
import ovs.vlog

from ..lib import dirs, loop, schema
from ..lib import nb as nb_rows
from ..lib import sb as sb_rows
from ..lib.delta import Change
from ..lib.idl import Session
from . import en_options, en_port_group, graph, hold, ovn, sync_nb, sync_ovn, sync_sb
from .engine import Engine
from .leader.leadership import Leadership
from .liveness import Liveness, Verdict
from .ovn_sb import PortReplica
from .ovn_writer import Writer
from .patience import Patience

vlog = ovs.vlog.Vlog("northd")

# The engine is told of no other source.
_READ = frozenset(name for node in graph.NODES for name in node.inputs)
# Which rows are to be compared after a change of each database: its own, and what follows them.
_READERS = {"sb": {"sb", "nb"}, "ovn": {"ovn", "sb"}, "nb": {"nb"}}
_BINDINGS = f"sb.{sb_rows.ContainerBinding.TABLE}"
# A change of these may begin or end a time that is counted.
_TIMED = frozenset(
    {
        _BINDINGS,
        f"sb.{sb_rows.PortBinding.TABLE}",
        f"sb.{sb_rows.AvoidedChassis.TABLE}",
        "nb.SVC_Global",
    }
)
# What changes in these tables is no reason to compare rows.
_SILENT = frozenset({sb_rows.ChassisPrivate.TABLE, sb_rows.Northd.TABLE})


class Northd:
    """The program: three sessions, the engine, the chassis' liveness."""

    def __init__(
        self,
        nb_remote: str,
        sb_remote: str,
        ovn_remote: str,
        ovn_sb_remote: str = dirs.OVN_SB_REMOTE,
    ) -> None:
        # A lock is known to one server only, so in a cluster it is the leader's that counts.
        self.nb = Session(
            nb_remote,
            schema.NORTHBOUND,
            graph.NB_CLASSES,
            schema=schema.load(schema.NORTHBOUND),
            leader_only=True,
        )
        self.sb = Session(
            sb_remote,
            schema.SOUTHBOUND,
            (*graph.SB_CLASSES, sb_rows.Northd),
            schema=schema.load(schema.SOUTHBOUND),
            leader_only=True,
        )
        own_rows = {
            row_class.TABLE: ovn.OWN_ROWS
            for row_class in (ovn.LogicalSwitch, ovn.LogicalSwitchPort)
        }
        self.ovn = Session(
            ovn_remote, ovn.DATABASE, ovn.ROW_CLASSES, conditions=own_rows, leader_only=True
        )
        self.ovn_writer = Writer(self.ovn)
        self._hold = hold.Hold(self.nb, self.sb, self.ovn)
        self.sessions = {"nb": self.nb, "sb": self.sb, "ovn": self.ovn}
        self.ports = PortReplica(ovn_sb_remote)
        roots = {self.nb: nb_rows.SVCGlobal, self.ovn: ovn.NBGlobal}
        self.leadership = Leadership(self.sb, roots)
        self.engine = Engine(graph.NODES)
        self.liveness = Liveness()
        self.patience = Patience()
        self.paused = False
        self._probe: int | None = None
        self._alive: Mapping[str, Verdict] = {}
        # Whose rows may differ from what they should be, whose did, and how often that was asked.
        self._stale: set[str] = set(self.sessions)
        self._behind: set[str] = set()
        self.compared = Counter(dict.fromkeys(self.sessions, 0))
        self._was_active = False
        self._told_options: list[tuple[dict[str, str], str | None]] | None = None
        self._options = en_options.Options()
        self._held_for: str | None = None

    # -- the loop ----------------------------------------------------------

    def run(self) -> None:
        """One pass."""
        started_ms = loop.monotonic_ms()
        for session in self.sessions.values():
            session.run()
        self._follow_ports()
        self.leadership.run(self.paused)
        self._note_activity(self.active)
        self._judge()
        if self.active:
            self._compile()
            self.leadership.note_pass(loop.monotonic_ms() - started_ms)

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller': the sessions, the next look at heartbeats, the plan's next moment."""
        for session in self.sessions.values():
            session.wait(poller)
        self.ports.wait(poller)
        self.leadership.wait(poller)
        poller.timer_wait(self.liveness.find_wait_ms(loop.monotonic_ms()))
        next_ms = self._find_next_ms()
        if next_ms is not None and self.active:
            poller.timer_wait(max(0, next_ms - loop.now_ms()))

    def recover(self) -> None:
        """Forgets what was computed."""
        self.engine.recompute()
        self._stale = set(self.sessions)

    def close(self) -> None:
        """Drops the connections, and the lock with them."""
        self.ports.close()
        for session in self.sessions.values():
            session.close()

    @property
    def active(self) -> bool:
        """Whether this svc-northd is the one that writes.

        Without a connection it no longer knows that it holds the lock, nor
        whether the heartbeats go on.
        """
        ready = all(
            session.connected and session.synced and session.has_lock
            for session in self.sessions.values()
        )
        return ready and self.leadership.leading and not self.paused

    def set_paused(self, paused: bool) -> None:
        """Stands by, or takes part again."""
        self.paused = paused

    @property
    def settled(self) -> bool:
        """Whether every row is as it should be, as far as this process knows."""
        return self._was_active and not (self._stale or self._behind)

    # -- helpers -----------------------------------------------------------

    def _compile(self) -> None:
        """Computes what should be, and starts what transactions are needed for it."""
        if self._is_held():
            return
        self._feed()
        changed = self.engine.run()
        self._stale |= {name for name, outputs in graph.OUTPUTS.items() if changed & outputs}
        self._sync()

    def _follow_ports(self) -> None:
        """Follows the ports of the Port_Groups in use in OVN_Southbound."""
        if self.nb.synced:
            groups = self.nb.rows(nb_rows.ContainerGroup)
            self.ports.run(en_port_group.find_ports(groups, self.nb.rows(nb_rows.PortGroup)))

    def _is_held(self) -> bool:
        """Whether the databases look as if content was lost; says so once."""
        reason = self._hold.find_reason(loop.monotonic_ms(), self._options.chassis_dead_after_ms)
        if reason != self._held_for:
            self._held_for = reason
            if reason is not None:
                vlog.warn(f"nothing is written: {reason}")
            else:
                vlog.info("writing again")
            self.recover()
        return reason is not None

    def _note_activity(self, active: bool) -> None:
        if active == self._was_active:
            return
        self._was_active = active
        if active:
            vlog.info("active: locks held and all databases in sync")
            self.patience.begin(loop.now_ms())
            self.engine.set_source("patience", None)
            self.recover()
        else:
            vlog.info("standby: no lock, or a database is not in sync")

    def _judge(self) -> None:
        """Judges the chassis by their heartbeats, also while it stands by.

        Without a southbound it cannot know that a heartbeat stopped, and without
        a northbound not how long one may take.
        """
        if not (self.sb.connected and self.sb.synced and self.nb.synced):
            self.liveness.interrupt()
            return
        self._read_options()
        # What is not this process' own work is waiting, or time in which it was stopped.
        self.liveness.tick(loop.monotonic_ms(), time.process_time_ns() // 1_000_000)
        beats = self.sb.take_rows(sb_rows.ChassisPrivate)
        weights = self.sb.take_rows(sb_rows.ChassisWeight)
        self.liveness.read(self._options, beats, weights)
        if self.liveness.judge(self._probe is None or self.sb.has_answered(self._probe)):
            self._probe = self.sb.probe()
        alive = self.liveness.verdicts
        if alive is not self._alive or self.engine.get("alive") is None:
            self._log_liveness(alive)
            self._alive = alive
            self.engine.set_source("alive", alive)

    def _read_options(self) -> None:
        """Reads the operator's options, once for the engine and for one that stands by."""
        rows = self.nb.rows(nb_rows.SVCGlobal)
        told = [(row.options, row.seal_seed) for row in rows.values()]
        if told != self._told_options:
            self._told_options = told
            self._options = en_options.run(rows)
            self.engine.set_source("options", self._options)

    def _feed(self) -> None:
        """Hands what changed to the engine."""
        sources: dict[str, Any] = dict(self.ports.take_changes())
        for prefix, session in self.sessions.items():
            tables = session.take_changes()
            sources.update({f"{prefix}.{table}": session.tables[table] for table in tables})
            if tables - _SILENT:
                self._stale |= _READERS[prefix]
            if nb_rows.SVCGlobal.TABLE in tables:
                self._stale.add("ovn")
        self.ovn_writer.take_outcome(loop.monotonic_ms())
        if self.ovn_writer.refusals != self.engine.get("refused"):
            sources["refused"] = self.ovn_writer.refusals
        for name in sources.keys() & _READ:
            self.engine.set_source(name, sources[name])
        self._set_clock(loop.now_ms(), sources.keys())
        if self.ovn_writer.is_due(loop.monotonic_ms()) and not self.ovn.committing:
            self._stale.add("ovn")
        if not self._behind and self._hv_cfg_moved():
            self._stale.add("nb")

    def _set_clock(self, now_ms: int, changed: Collection[str]) -> None:
        """Moves the engine's clock when it matters: for what is unwell, or when the plan asks."""
        if _BINDINGS in changed:
            patience = self.patience.update(now_ms, self.sb.rows(sb_rows.ContainerBinding).values())
            if patience != self.engine.get("patience"):
                self.engine.set_source("patience", patience)
        next_ms = self._find_next_ms()
        due = next_ms is not None and next_ms <= now_ms
        if due or not _TIMED.isdisjoint(changed) or self.engine.get("clock") is None:
            self.engine.set_source("clock", now_ms)

    def _find_next_ms(self) -> int | None:
        """Returns when the plan may change though no row does, in ms of the wall clock."""
        plan, clock_ms = self.engine.get("binding"), self.engine.get("clock") or 0
        if plan is None or plan.next_ms is None or plan.next_ms <= clock_ms:
            return None
        return int(plan.next_ms)

    def _log_liveness(self, alive: Mapping[str, Verdict]) -> None:
        for name, now in alive.items():
            before = self._alive.get(name, Verdict(alive=False))
            if now.alive and not before.alive:
                vlog.info(f"chassis {name} is alive")
            elif before.alive and not now.alive:
                vlog.warn(f"chassis {name} is dead: its heartbeat stopped")
            if now.ovn_problem and now.ovn_problem != before.ovn_problem:
                vlog.warn(f"chassis {name} is unfit: {now.ovn_problem}")

    def _hv_cfg_moved(self) -> bool:
        rows = list(self.nb.rows(nb_rows.SVCGlobal).values())
        return bool(rows) and rows[0].hv_cfg != sync_nb.find_hv_cfg(self.sb, self._alive)

    def _sync(self) -> None:
        """Compares what may differ, and starts what transactions are needed.

        While a transaction of a database is under way there is nothing to
        compare there.  A chassis has the most to do for a change, and nobody's
        traffic waits for the way north, so that it comes last; but before there
        is a root row in the northbound nothing else is written, since without
        one it looks lost (hold.py).
        """
        begun = bool(self.nb.rows(nb_rows.SVCGlobal))
        now_ms = loop.now_ms()
        for name, sync in (
            ("sb", self._sync_sb),
            ("ovn", self._sync_ovn),
            ("nb", self._sync_nb),
        ):
            committing = self.sessions[name].committing
            if not begun and name != "nb":
                continue
            if name not in self._stale and (committing or name not in self._behind):
                continue
            self.compared[name] += not committing
            differs = committing or sync(now_ms)
            self._stale.discard(name)
            if differs != (name in self._behind):
                self._behind ^= {name}
                # 'hv_cfg' waits for the others.
                self._stale |= {"nb"} - {name}

    def _sync_sb(self, now_ms: int) -> bool:
        changes = self._plan_sb(now_ms)
        self.sb.commit(changes, _format_comment(changes))
        return bool(changes)

    def _sync_ovn(self, _now_ms: int) -> bool:
        changes = self._plan_ovn()
        self.ovn_writer.commit(changes, _format_comment(changes), loop.monotonic_ms())
        return bool(self.ovn_writer.find_pending(changes))

    def _sync_nb(self, now_ms: int) -> bool:
        changes = self._plan_nb(now_ms, settled=not self._behind - {"nb"})
        self.nb.commit(changes, _format_comment(changes))
        return bool(changes)

    def _nb_cfg(self) -> int:
        return max((row.nb_cfg for row in self.nb.rows(nb_rows.SVCGlobal).values()), default=0)

    def _plan_ovn(self) -> list[Change]:
        changes = sync_ovn.plan_rows(self.engine.get("ovn"), self.ovn)
        return changes + sync_ovn.plan_nb_cfg(self.ovn, self._nb_cfg())

    def _plan_sb(self, now_ms: int) -> list[Change]:
        """The southbound's nb_cfg follows once OVN counts it too."""
        wanted = (*self.engine.get("southbound"), *self.engine.get("redirect_rows"))
        installed = sync_sb.find_installed(self.ovn)
        changes = sync_sb.plan_rows(wanted, self.sb, installed, now_ms)
        changes += sync_sb.plan_history(
            changes, self.sb, self.engine.get("container"), self.engine.get("binding"), now_ms
        )
        reached, ovn_nb_cfg = sync_ovn.read_nb_cfg(self.ovn)
        changes += sync_sb.plan_global(
            self.sb, reached, self.engine.get("options"), now_ms, ovn_nb_cfg
        )
        return changes

    def _plan_nb(self, now_ms: int, settled: bool) -> list[Change]:
        """'hv_cfg' waits until OVN and the southbound hold everything."""
        wanted = (*self.engine.get("container_status"), *self.engine.get("vpn_status"))
        changes = sync_nb.plan_rows(wanted, self.nb)
        before = max((row.hv_cfg for row in self.nb.rows(nb_rows.SVCGlobal).values()), default=0)
        hv_cfg = sync_nb.find_hv_cfg(self.sb, self._alive) if settled else before
        return changes + sync_nb.plan_global(self.nb, self.sb, hv_cfg, now_ms)


def _format_comment(changes: list[Change]) -> str:
    return f"svc-northd: {len(changes)} changes"
