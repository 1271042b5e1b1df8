"""The program svc-northd: one pass, in its order.

Each pass (ovn-northd.c is the model): run the sessions; hand what changed to the
engine and the ledgers (replicas.py); compute; and, as the active one
(leader/leadership.py), start what transactions are needed (writers.py).  What is
computed is computed by one that stands by as well, so that it has it when it
takes over; so it watches the heartbeats of the chassis, and knows who is dead.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import ovs.poller
import ovs.vlog

from ..lib import dirs, loop, sealing
from ..lib import nb as nb_rows
from ..lib import options as option_rules
from ..lib import sb as sb_rows
from ..lib.failures import describe
from ..lib.log_pattern import escape
from ..services.api.compile import UNCOMPILED, CompileHalf
from . import graph
from .engine.engine import Engine
from .failover import Failover
from .host_problems import HostProblems
from .leader.leadership import Leadership
from .liveness import Liveness, Verdict
from .mass_failure import Now, Numbers
from .nodes.en_chassis import PUBLIC_KEY, REMOVAL
from .nodes.en_health import OVN_WAIT
from .nodes.en_port_group import find_ports
from .nodes.en_withheld import WITHHELD
from .nodes.tables import (
    CHASSIS_CFG,
    CONTAINER_GROUP,
    ONLY,
    OPTIONS,
    OVN_PROBLEM,
    OVN_WORD,
    PORT_GROUP,
    REMOVAL_PROBLEM,
    ROOT,
    VERDICT,
    WATCH,
)
from .options import make_options
from .ovn import rows as ovn
from .ovn.outside import OutsideReplica
from .ovn.progress import Progress
from .ovn.southbound import PortReplica
from .replicas import Replicas
from .scheduler.clock import Clock
from .scheduler.health import Memory
from .sessions import open_sessions
from .sync import ovn as ovn_sync
from .sync.chassis_removal import ChassisRemoval
from .sync.lost_content import LostContent
from .sync.surplus_removal import SurplusRemoval
from .writers import Writers

vlog = ovs.vlog.Vlog("northd")


class Northd:
    """The program: its sessions, the engine, the chassis' liveness, what is written."""

    def __init__(
        self,
        nb_remote: str,
        sb_remote: str,
        ovn_remote: str,
        ovn_sb_remote: str = dirs.OVN_SB_REMOTE,
        *,
        halves: Mapping[str, CompileHalf],
    ) -> None:
        tables = graph.find_tables(halves)
        self.sessions = open_sessions(nb_remote, sb_remote, ovn_remote, tables)
        self.nb, self.sb, self.ovn = (self.sessions[name] for name in ("nb", "sb", "ovn"))
        self.ports = PortReplica(ovn_sb_remote)
        self.outside = OutsideReplica(ovn_sb_remote)
        self.leadership = Leadership(self.sb, {self.nb: nb_rows.SVCGlobal, self.ovn: ovn.NBGlobal})
        self._memory = Memory(Clock())
        statuses = [half.statuses for half in halves.values() if half.statuses is not None]
        outputs = [datum for each in graph.OUTPUTS.values() for datum in each]
        self.engine = Engine(
            graph.make_nodes(halves, self._memory), (*outputs, *statuses, *graph.WATCHED)
        )
        self.engine.put(ROOT, ONLY, True)
        self.progress = Progress()
        self.failover = Failover(self.engine)
        self.removal = ChassisRemoval(self.sb)
        self.writers = Writers(self.engine, self.sessions, statuses, self.progress, self.failover)
        self.replicas = Replicas(
            self.engine,
            self.sessions,
            self.writers.ledgers,
            tables,
            self.progress.rules,
            self.writers.content,
        )
        self.surplus = SurplusRemoval(self.sb, self.replicas.surplus, self.writers.add_news)
        self.liveness = Liveness()
        self.paused = False
        # Computes everything twice, and says what came out otherwise; for tests.
        self.checking = False
        self._lost_content = LostContent(self.sessions, self.replicas.forgotten)
        self._probe: int | None = None
        self._ovn_probe: int | None = None
        self._verdicts: dict[str, Verdict] = {}
        self._was_active = False
        self._watches = 0
        self._told_options: list[str] = []
        self._held_for: str | None = None
        self._host_problems = HostProblems()

    # -- the loop ----------------------------------------------------------

    def run(self) -> None:
        """One pass."""
        started_ms = loop.monotonic_ms()
        for session in self.sessions.values():
            session.run()
        self._follow_ports()
        self.outside.run()
        self.leadership.run(self.paused)
        try:
            self._pass()
        except Exception as error:
            self.leadership.note_failure(describe(error))
            raise
        if self.active:
            self.leadership.note_pass(loop.monotonic_ms() - started_ms)

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller': the sessions, the next look at heartbeats, the engine's next moment."""
        now_ms = loop.monotonic_ms()
        for session in self.sessions.values():
            session.wait(poller)
        self.ports.wait(poller)
        self.outside.wait(poller)
        self.leadership.wait(poller)
        poller.timer_wait(self.liveness.find_wait_ms(now_ms, self._has_news_of_chassis()))
        moments = [self.engine.find_next_ms(), self.failover.find_next_ms()]
        if self.active:
            moments.append(self.progress.find_next_ms())
            # While nothing is written it is not for a moment of theirs that this goes on.
            if self._held_for is None:
                parts = (self.writers, self.removal, self.surplus)
                moments += [each.find_next_ms() for each in parts]
            if self.progress.has_words:
                poller.immediate_wake()
        for moment_ms in moments:
            if moment_ms is not None:
                poller.timer_wait(max(0, moment_ms - now_ms))

    def recover(self) -> None:
        """Makes everything be computed and compared again."""
        self.engine.recompute()
        self.writers.recover()

    def close(self) -> None:
        """Gives up the lead, and drops the connections, the locks with them."""
        self.leadership.close()
        self.ports.close()
        self.outside.close()
        for session in self.sessions.values():
            session.close()

    @property
    def active(self) -> bool:
        """Whether this svc-northd is the one that writes.

        Without a connection it no longer knows that it leads, nor whether the
        heartbeats go on.
        """
        northbounds = (self.nb, self.ovn)
        ready = all(each.connected and each.synced and each.has_lock for each in northbounds)
        return ready and not self.outside.awaited and self.leadership.leading and not self.paused

    def set_paused(self, paused: bool) -> None:
        """Stands by, or takes part again."""
        self.paused = paused

    def accept_content(self) -> None:
        """Ends what goes on, or waits, only because a database lost content."""
        self.replicas.accept_content()
        if self._held_for is not None:
            self._lost_content.accept()

    @property
    def settled(self) -> bool:
        """Whether every row is as it should be, as far as this process knows."""
        unread = self._has_news_of_chassis() or self.progress.has_words
        return self._was_active and self.writers.settled and not unread

    # -- helpers, in the order they are called -----------------------------

    def _follow_ports(self) -> None:
        """Follows the ports of the Port_Groups in use in OVN_Southbound."""
        if self.nb.synced:
            groups = self.engine.get_all(CONTAINER_GROUP)
            self.ports.run(find_ports(groups, self.engine.get_all(PORT_GROUP)))

    def _pass(self) -> None:
        active = self.active
        self._note_activity(active)
        if self.outside.awaited or not all(each.synced for each in self.sessions.values()):
            self.liveness.interrupt()
            self.failover.interrupt()
            return
        self._judge()
        self._fail_over()
        self._follow_ovn(active)
        for name, problem in self.removal.take_problems(loop.monotonic_ms()).items():
            self.engine.put(REMOVAL_PROBLEM, name, problem)
        self._compute()
        if not active:
            self.writers.compare()
        elif self._is_held():
            self.writers.run_roles(loop.monotonic_ms())
        else:
            self.removal.run(loop.monotonic_ms())
            self.surplus.run(loop.monotonic_ms(), loop.now_ms())
            self.writers.run(loop.monotonic_ms())
        self._tell_problems()

    def _note_activity(self, active: bool) -> None:
        if active == self._was_active:
            return
        self._was_active = active
        if not active:
            vlog.info("standby: another one leads, or a database is not in sync")
            return
        vlog.info("active: the row Northd and the locks are held, and all databases in sync")
        self._watches += 1
        self._memory.begin()
        self.progress.begin(loop.monotonic_ms())
        self.engine.put(WATCH, ONLY, self._watches)
        self.replicas.restart_queue(loop.monotonic_ms())
        self.writers.resume()

    def _judge(self) -> None:
        """Judges the chassis by their heartbeats, also while it stands by.

        Without a southbound it cannot know that a heartbeat stopped.
        """
        now_ms = loop.monotonic_ms()
        self._read_options()
        if not self.sb.connected:
            self.liveness.interrupt()
            return
        if not self.liveness.is_due(now_ms):
            return
        # What is not this process' own work is waiting, or time in which it was stopped.
        self.liveness.tick(now_ms, time.process_time_ns() // 1_000_000)
        beats = self.sb.take_rows(sb_rows.ChassisPrivate)
        weights = self.sb.take_rows(sb_rows.ChassisWeight)
        for old, new in beats:
            if old is not None and new is None:
                self.engine.put(CHASSIS_CFG, old.name, None)
            elif new is not None and (old is None or old.nb_cfg != new.nb_cfg):
                self.engine.put(CHASSIS_CFG, new.name, new.nb_cfg)
        options = self.engine.get(OPTIONS, ONLY)
        assert options is not None
        self.liveness.read(options, beats, weights)
        self.failover.restore((new for _, new in weights if new is not None), self._find_dead)
        if self.liveness.judge(self._probe is None or self.sb.has_answered(self._probe)):
            self._probe = self.sb.probe()
        for name, verdict in self.liveness.take_changed().items():
            self._note_verdict(name, verdict)

    def _fail_over(self) -> None:
        """Finds out whether so many chassis are silent that new places wait."""
        options = self.engine.get(OPTIONS, ONLY)
        if options is None or not self.sb.connected:
            self.failover.interrupt()
            return
        count_silent = partial(self.liveness.count_silent, self._can_serve)
        now = Now(loop.monotonic_ms(), loop.now_ms(), self.liveness.alive, count_silent)
        roots = self.nb.rows(nb_rows.SVCGlobal).values()
        root = next(iter(roots), None)
        numbers = Numbers(root.failover_cfg, root.mass_failure_cfg) if root else Numbers()
        before = self.failover.held_cfg
        self.failover.run(now, options, numbers)
        if self.failover.held_cfg != before:
            self.writers.tell_held()

    def _has_news_of_chassis(self) -> bool:
        """Whether heartbeats, or an answer to a probe, wait until they are taken together."""
        if self.liveness.asking and self._probe is not None and self.sb.has_answered(self._probe):
            return True
        tables = (sb_rows.ChassisPrivate, sb_rows.ChassisWeight)
        return self.sb.connected and any(self.sb.has_rows_to_take(table) for table in tables)

    def _note_verdict(self, name: str, now: Verdict | None) -> None:
        before = self._verdicts.pop(name, Verdict(alive=False))
        self.engine.put(VERDICT, name, now)
        if now is None:
            self.failover.forget(name)
            return
        self._verdicts[name] = now
        self.failover.note_verdict(name, before.alive and self._can_serve(name), now.alive)
        if now.alive and not before.alive:
            vlog.info(escape(f"chassis {name} is alive"))
        elif before.alive and not now.alive:
            vlog.warn(escape(f"chassis {name} is dead: its heartbeat stopped"))
        if now.ovn_problem and now.ovn_problem != before.ovn_problem:
            vlog.warn(escape(f"chassis {name} is unfit: {now.ovn_problem}"))

    def _can_serve(self, chassis: str) -> bool:
        """Returns whether a chassis is one that containers may be on: rows by hand are not."""
        return self.engine.get(PUBLIC_KEY, chassis) is not None

    def _find_dead(self) -> set[str]:
        """Returns the chassis that could serve and are not heard.

        For the first reading, of which the engine knows nothing yet.
        """
        rows = self.sb.rows(sb_rows.Chassis).values()
        dead = {name for name, verdict in self.liveness.verdicts.items() if not verdict.alive}
        return {each.name for each in rows if sealing.is_public_key(each.public_key)} & dead

    def _read_options(self) -> None:
        rows = list(self.nb.rows(nb_rows.SVCGlobal).values())
        options = rows[0].options if rows else {}
        self.engine.put(OPTIONS, ONLY, make_options(options, rows[0].seal_seed if rows else None))
        problems = option_rules.find_problems(options)
        if problems != self._told_options:
            self._told_options = problems
            for problem in problems:
                vlog.warn(f"{problem}; it counts as not set")

    def _follow_ovn(self, active: bool) -> None:
        """Takes what OVN has compiled, and asks it as the active one, which alone may."""
        now_ms = loop.monotonic_ms()
        self._read_rules(now_ms)
        for row in self.ovn.rows(ovn.NBGlobal).values():
            self.progress.read(row.nb_cfg, row.sb_cfg, now_ms)
        if active:
            self.progress.run(now_ms)
        for container, word in self.progress.take_words().items():
            self.engine.put(OVN_WORD, container, word)
        for container, subjects in self.progress.rules.take_changed().items():
            self.engine.put(UNCOMPILED, container, subjects)
        self.engine.put(OVN_PROBLEM, ONLY, self.progress.problem if active else None)
        if active and self.progress.asks:
            self.writers.ask_ovn()

    def _read_rules(self, now_ms: int) -> None:
        """Takes how far OVN is with rules; what it is late with, once nothing of it is unread."""
        rules = self.progress.rules
        if not self.ovn.connected:
            rules.interrupt(now_ms)
        for row in self.ovn.rows(ovn.NBGlobal).values():
            rules.read(row.nb_cfg, row.sb_cfg, now_ms, ours=ovn_sync.is_raised_by_us(row))
        if not rules.is_overdue:
            self._ovn_probe = None
        elif self._ovn_probe is None:
            self._ovn_probe = self.ovn.probe()
        elif self.ovn.has_answered(self._ovn_probe):
            self._ovn_probe = None
            rules.judge()

    def _compute(self) -> None:
        """Hands what changed to the engine, and what came out to the writers."""
        now_ms = loop.monotonic_ms()
        self._memory.clock.tick(loop.now_ms(), now_ms)
        tables = self.replicas.follow(now_ms)
        self.writers.note_tables(tables)
        if not tables.isdisjoint({CONTAINER_GROUP.name, PORT_GROUP.name}):
            self._follow_ports()
        self.replicas.follow_ports(self.ports)
        self.replicas.follow_outside(self.outside)
        changed = self.engine.run(now_ms)
        self.writers.note_changes(changed)
        self.failover.follow(changed.get(WITHHELD, ()))
        for name in changed.get(PUBLIC_KEY, ()):
            if not self._can_serve(name):
                self.failover.forget(name)
        removed = changed.get(REMOVAL, set())
        gone = {name for name in removed if self.engine.get(REMOVAL, name)}
        self.removal.note(gone, removed - gone)
        for container in changed.get(OVN_WAIT, ()):
            self.progress.note(container, self.engine.get(OVN_WAIT, container), now_ms)
        for place, fault in self.engine.take_faults().items():
            vlog.err(f"{place[0]} of {place[1]}: {fault.sentence}\n{fault.trace}")
        if self.checking and self.settled:
            differences = self.engine.find_differences()
            assert not differences, f"incremental is not recompute: {differences}"

    def _is_held(self) -> bool:
        """Whether the databases look as if content was lost; says so once."""
        options: Any = self.engine.get(OPTIONS, ONLY)
        reason = self._lost_content.find_reason(loop.monotonic_ms(), options.chassis_dead_after_ms)
        if reason != self._held_for:
            self._held_for = reason
            if reason is not None:
                vlog.warn(f"nothing is written: {reason}")
            else:
                vlog.info("writing again")
            self.recover()
        return reason is not None

    def _tell_problems(self) -> None:
        """Says in the southbound's table Northd what is wrong with what is computed or written."""
        sentences = [fault.sentence for fault in self.engine.faults.values()]
        sentences += [f"{name}: {each}" for (name, _), each in self.writers.refused.items()]
        if self._was_active:
            words = (self.progress.problem, self.progress.exhausted)
            sentences += [each for each in words if each is not None]
        if self._held_for is not None:
            sentences.append(f"nothing is written: {self._held_for}")
        sentences += self._host_problems.find(loop.monotonic_ms(), loop.now_ms() / 1000)
        sentences += self.surplus.tell(loop.now_ms())
        sentences += self.replicas.forgotten.tell(self.replicas.review_held())
        urgent = self.writers.content.sentences
        sentences += urgent
        if self._was_active and self.failover.problem is not None:
            sentences.append(self.failover.problem)
            urgent = [self.failover.problem]
        more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        # What waits for an operator's word is named whatever else there is.
        self.leadership.set_problem(min(urgent or sentences) + more if sentences else "")
