"""svc-northd: options, the loop, the lock, nothing else.

The loop (ovn-northd.c is the model): run the three sessions; with the lock
held and all three in sync, hand changed tables to the engine, run it, and
start one transaction for each database whose rows are not as they should be.
A failed commit, a lost lock or a reconnection makes everything be computed
again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import ovs.poller
import ovs.unixctl
import ovs.vlog

from ..lib import dirs, loop, schema
from ..lib import nb as nb_rows
from ..lib import sb as sb_rows
from ..lib.delta import Change
from ..lib.idl import Session
from . import graph, ovn, sync_nb, sync_ovn, sync_sb
from .engine import Engine, format_graph
from .liveness import PASS_INTERVAL_MS, Liveness

vlog = ovs.vlog.Vlog("northd")

LOCK = "svc_northd"


class Northd:
    """The program: three sessions, the engine, the chassis' liveness."""

    def __init__(self, nb_remote: str, sb_remote: str, ovn_remote: str) -> None:
        self.nb = Session(
            nb_remote, schema.NORTHBOUND, graph.NB_CLASSES, schema=schema.load(schema.NORTHBOUND)
        )
        self.sb = Session(
            sb_remote,
            schema.SOUTHBOUND,
            graph.SB_CLASSES,
            schema=schema.load(schema.SOUTHBOUND),
            lock=LOCK,
        )
        own_rows = {
            row_class.TABLE: ovn.OWN_ROWS
            for row_class in (ovn.LogicalSwitch, ovn.LogicalSwitchPort)
        }
        self.ovn = Session(ovn_remote, ovn.DATABASE, ovn.ROW_CLASSES, conditions=own_rows)
        self.ovn_writer = sync_ovn.Writer(self.ovn)
        self.sessions = {"nb": self.nb, "sb": self.sb, "ovn": self.ovn}
        self.engine = Engine(graph.NODES)
        self.liveness = Liveness()
        self.paused = False
        self._alive: dict[str, bool] = {}
        self._stale = True
        self._was_active = False

    # -- the loop ----------------------------------------------------------

    def run(self) -> None:
        """One pass."""
        for session in self.sessions.values():
            session.run()
        if not self.active or not all(each.synced for each in self.sessions.values()):
            self._note_activity(False)
            return
        self._note_activity(True)
        self._feed()
        if self.engine.run():
            self._stale = True
        if self._stale:
            self._sync()

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller': the sessions, and the next look at the heartbeats."""
        for session in self.sessions.values():
            session.wait(poller)
        poller.timer_wait(PASS_INTERVAL_MS)

    def recover(self) -> None:
        """Forgets what was computed."""
        self.engine.recompute()
        self._stale = True

    def close(self) -> None:
        """Drops the connections, and the lock with them."""
        for session in self.sessions.values():
            session.close()

    @property
    def active(self) -> bool:
        """Whether this svc-northd is the one that writes.

        Without a connection it no longer knows that it holds the lock, nor
        whether the heartbeats go on.
        """
        return self.sb.connected and self.sb.has_lock and not self.paused

    @property
    def settled(self) -> bool:
        """Whether every row is as it should be, as far as this process knows."""
        return self._was_active and not self._stale

    # -- helpers -----------------------------------------------------------

    def _note_activity(self, active: bool) -> None:
        if active == self._was_active:
            return
        self._was_active = active
        if active:
            vlog.info("active: lock held and all databases in sync")
            self.recover()
        else:
            vlog.info("standby: no lock, or a database is not in sync")

    def _feed(self) -> None:
        """Hands what changed to the engine."""
        for prefix, session in self.sessions.items():
            tables = session.take_changes()
            for table in tables:
                self.engine.set_source(f"{prefix}.{table}", session.tables[table])
            if tables - {sb_rows.ChassisPrivate.TABLE}:
                self._stale = True
        if self.ovn_writer.take_outcome() or self.engine.get("refused") is None:
            self.engine.set_source("refused", dict(self.ovn_writer.refusals))
        alive = self.liveness.update(
            loop.monotonic_ms(),
            self._dead_after_ms(),
            self.sb.rows(sb_rows.ChassisPrivate).values(),
            self.sb.rows(sb_rows.ChassisWeight).values(),
        )
        if alive != self._alive or self.engine.get("alive") is None:
            self._log_liveness(alive)
            self._alive = dict(alive)
            self.engine.set_source("alive", dict(alive))
        self._stale = self._stale or self._hv_cfg_moved()

    def _dead_after_ms(self) -> int:
        options = self.engine.get("options")
        return options.chassis_dead_after_ms if options else 2**31

    def _log_liveness(self, alive: dict[str, bool] | Any) -> None:
        for name, now in alive.items():
            before = self._alive.get(name)
            if now and not before:
                vlog.info(f"chassis {name} is alive")
            elif before and not now:
                vlog.warn(f"chassis {name} is dead: its heartbeat stopped")

    def _hv_cfg_moved(self) -> bool:
        rows = list(self.nb.rows(nb_rows.SVCGlobal).values())
        return bool(rows) and rows[0].hv_cfg != sync_nb.find_hv_cfg(self.sb, self._alive)

    def _sync(self) -> None:
        """Starts what transactions are needed; stays stale while one is under way."""
        now_ms = loop.now_ms()
        ovn_changes = self._plan_ovn()
        sb_changes = self._plan_sb(now_ms)
        nb_changes = self._plan_nb(now_ms, settled=not ovn_changes and not sb_changes)
        writers: tuple[tuple[Session, Session | sync_ovn.Writer, list[Change]], ...] = (
            (self.ovn, self.ovn_writer, ovn_changes),
            (self.sb, self.sb, sb_changes),
            (self.nb, self.nb, nb_changes),
        )
        for session, writer, changes in writers:
            if not session.committing:
                writer.commit(changes, f"svc-northd: {len(changes)} changes")
        self._stale = bool(ovn_changes or sb_changes or nb_changes)

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


def register_commands(northd: Northd) -> None:
    """Registers the runtime commands, named as ovn-northd's."""

    def status(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        state = "paused" if northd.paused else "active" if northd.active else "standby"
        connection.reply(f"Status: {state}\n")

    def set_paused(connection: Any, _argv: Sequence[str], paused: bool) -> None:
        northd.paused = paused
        northd.sb.set_lock(None if paused else LOCK)
        connection.reply(None)

    def is_paused(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        connection.reply("true\n" if northd.paused else "false\n")

    def recompute(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        northd.recover()
        connection.reply(None)

    def show_stats(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        lines = [
            f"Node: {name}\n- recompute: {each.compute}\n- changed:   {each.changed}\n"
            f"- last:      {each.last_ms:.1f} ms\n- longest:   {each.longest_ms:.1f} ms"
            for name, each in northd.engine.stats().items()
        ]
        connection.reply("\n".join(lines) + "\n")

    def show_graph(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        connection.reply(format_graph(northd.engine.nodes) + "\n")

    def connection_status(connection: Any, _argv: Sequence[str], session: Session) -> None:
        connection.reply("connected\n" if session.connected else "not connected\n")

    register = ovs.unixctl.command_register
    register("status", "", 0, 0, status, None)
    register("pause", "", 0, 0, set_paused, True)
    register("resume", "", 0, 0, set_paused, False)
    register("is-paused", "", 0, 0, is_paused, None)
    register("inc-engine/recompute", "", 0, 0, recompute, None)
    register("inc-engine/show-stats", "", 0, 0, show_stats, None)
    register("inc-engine/show-graph", "", 0, 0, show_graph, None)
    for name, session in northd.sessions.items():
        register(f"{name}-connection-status", "", 0, 0, connection_status, session)


def main(argv: Sequence[str] | None = None) -> int:
    """The program svc-northd; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="svc-northd", description="compiles SVC_Northbound into SVC_Southbound and into OVN"
    )
    for option, variable, default in (
        ("--svcnb-db", "SVC_NB_DB", dirs.NB_REMOTE),
        ("--svcsb-db", "SVC_SB_DB", dirs.SB_REMOTE),
        ("--ovnnb-db", "OVN_NB_DB", dirs.OVN_NB_REMOTE),
    ):
        remote = os.environ.get(variable, default)
        parser.add_argument(option, default=remote, metavar="REMOTE", help=f"default: {remote}")
    options = loop.parse_options(parser, sys.argv[1:] if argv is None else argv)

    def make() -> Northd:
        northd = Northd(options.svcnb_db, options.svcsb_db, options.ovnnb_db)
        register_commands(northd)
        return northd

    return loop.serve("svc-northd", options, make)


if __name__ == "__main__":
    sys.exit(main())
