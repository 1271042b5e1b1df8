"""The program of svc-controller; main.py makes it and lib/loop.py runs it.

Each pass: sessions, heartbeat, fence, services, what changed, reconcile, local
Open_vSwitch, status.  See main.py for the flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import ovs.poller
import ovs.vlog

from ..lib import loop, sb, sealing
from ..lib.errors import HostError
from ..lib.expiry import Expiry
from ..lib.idl import Session
from ..lib.loop import monotonic_ms
from ..lib.numbers import parse_number
from ..services.api.host import HostHalf
from . import leaving, readiness, southbound, status
from .certificate_name import CertificateName, explain_refusal
from .chassis import ChassisRows, Condition
from .containers import Containers, Losses, MakeHost
from .fence import Echoes, Fence, find_dead_after_ms
from .former_names import FormerNames
from .identity import Identity, find_identity
from .kept_names import KeptNames
from .linux import ovs as vswitch
from .linux import switch_rows
from .linux.directory import find_directory, find_log
from .linux.process import Strays
from .linux.sandbox import LinuxSandbox
from .lost_content import LostContent
from .status_writer import StatusWriter, Telling
from .switch_keys import SwitchKeys
from .underlay import Probes, Underlay

vlog = ovs.vlog.Vlog("controller")

_MOST = 2**63 - 1


class Events(Condition, Losses, Echoes, Probes, Protocol):
    """Tells of what went on the host, and how it is (linux/events.py)."""

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller'."""

    def close(self) -> None:
        """Stops watching."""


class Controller:
    """A loop.Program."""

    def __init__(
        self,
        database: str,
        types: Mapping[str, HostHalf],
        private_key: bytes,
        make_host: MakeHost,
        events: Events,
        kept_names: KeptNames,
    ) -> None:
        self.ovs = Session(
            database,
            switch_rows.DATABASE,
            switch_rows.ROW_CLASSES,
            # Who is refused is found by halves, and has a pause of its own.
            refused_backoff_ms=0,
        )
        self.sb: Session | None = None
        self.identity: Identity | None = None
        self._switch_keys = SwitchKeys()
        self._expiry = Expiry()
        self.ports = vswitch.PortDriver(self.ovs)
        self.containers = Containers(types, self._make_sandbox, self.ports, make_host)
        self.chassis = ChassisRows(types, sealing.format_public_key(private_key), events)
        self.fence = Fence(events)
        self._underlay = Underlay(events)
        self._private_key = private_key
        self.former_names = FormerNames(
            kept_names, sealing.format_public_key(private_key), self.chassis.heartbeat.incarnation
        )
        self._strays = Strays()
        self._events = events
        self._writer = StatusWriter()
        self._lost_content = LostContent()
        self.certificate = CertificateName()
        # Why the southbound does not take the rows of this chassis, and what to do.
        self._refusal = self._told = ""
        self._obstacle: str | None = None
        self._waiting_for = ""
        self._waiting = readiness.Waiting("nothing is changed on this host")
        self._ovn_waiting = readiness.Waiting("what is asked is not acknowledged")
        self._sentence = ""

    # -- loop.Program ------------------------------------------------------

    def run(self) -> None:
        clock_ms = monotonic_ms()
        self.ovs.run()
        if self.ovs.synced:
            self.containers.follow_switch()
            self._switch_keys.follow(self.ovs)
            self._follow_identity()
        if self.sb is not None:
            self.sb.run()
            self.chassis.follow(self.sb, self._options, clock_ms)
            self._see_to_certificate(self.sb, clock_ms)
        self._obstacle = self.find_obstacle()
        self._waiting.note(readiness.find_obstacle(self._situation), clock_ms)
        if self.ready:
            self._beat(clock_ms)
        self._guard(clock_ms)
        self.containers.run_services(clock_ms)
        if self.ready:
            self._pass(clock_ms)
            if self.chassis.acknowledged is not None:
                self.former_names.note_registered()
            # A name that it has not yet is no reason to give up another.
            self.former_names.run(clock_ms)

    def wait(self, poller: ovs.poller.Poller) -> None:
        clock_ms = monotonic_ms()
        self.ovs.wait(poller)
        if self.sb is not None:
            self.sb.wait(poller)
        self.containers.services.wait(poller, clock_ms)
        self.chassis.wait(poller, clock_ms)
        self.certificate.wait(poller, clock_ms)
        self.fence.wait(poller, clock_ms)
        self._waiting.wait(poller, clock_ms)
        if self.ready:
            self.former_names.wait(poller, clock_ms)
            self._events.wait(poller, clock_ms)
            self._ovn_waiting.wait(poller, clock_ms)
            self.chassis.wait_beat(poller, clock_ms)
            self.containers.wait(poller, clock_ms)
            self._writer.wait(poller, clock_ms)
            self._lost_content.wait(poller, clock_ms)

    def recover(self) -> None:
        self.containers.recompute()
        self.containers.check_all()

    def close(self) -> None:
        """Ends; what runs in the containers stays."""
        self.containers.services.release()
        self._events.close()
        self.ovs.close()
        self.former_names.close()
        if self.sb is not None:
            self.sb.close()

    # -- loop.Leaver -------------------------------------------------------

    def leave(self) -> None:
        """Begins to end for good: the rows of this chassis go once its containers are gone."""
        vlog.info("leaving: the containers of this chassis are to be moved away")
        self.chassis.heartbeat.stopping = True

    @property
    def left(self) -> bool:
        """Whether nothing of this chassis is left in the southbound."""
        return self.chassis.left

    # -- what the commands ask ---------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether both databases are in sync and the chassis is ours: the host may be changed."""
        return not readiness.find_obstacle(self._situation)

    @property
    def registered(self) -> bool:
        """Whether the southbound has this chassis as it is, and its heartbeat."""
        if not self.ready or self.sb is None or not self.sb.connected or self.identity is None:
            return False
        names = {row.name for row in self.sb.rows(sb.Chassis).values()}
        return self.identity.chassis in names and self.chassis.acknowledged is not None

    def explain_obstacle(self) -> str:
        """Returns why this chassis is not registered, or has no connection; "" if all is well."""
        session = self.sb
        causes = readiness.Causes(
            self.ovs.trouble,
            self._waiting_for,
            session.trouble if session is not None else "",
            self._describe_rival(),
            self._refusal,
        )
        obstacle = readiness.explain_obstacle(self._situation, causes)
        if obstacle:
            return obstacle
        if self.registered:
            return self._refusal
        why = f": {self._refusal}" if self._refusal else ""
        return f"the southbound has not taken the row of this chassis yet{why}"

    @property
    def dead_after_ms(self) -> int:
        """For how long svc-northd waits for a heartbeat before it places containers elsewhere."""
        return find_dead_after_ms(self._options)

    @property
    def identity_problem(self) -> str:
        """Why what the local Open_vSwitch says of this chassis is not followed; "" if it is."""
        return self._waiting_for

    def check_all(self) -> None:
        """Makes the next pass look at everything."""
        self.containers.check_all()

    def make_reports(self) -> dict[str, status.Report]:
        """Returns how each wanted container is."""
        reports = ((name, self.containers.make_report(name)) for name in self.containers.wanted)
        return {name: report for name, report in reports if report is not None}

    def find_obstacle(self) -> str | None:
        """Returns what the end for good waits for, "" if for nothing; None if none was asked."""
        if not self.chassis.heartbeat.stopping:
            return None
        if not self.ready or self.sb is None or not self.sb.connected:
            return leaving.find_obstacle(leaving.Situation(False))
        reconciler = self.containers.reconciler
        situation = leaving.Situation(
            reachable=True,
            told=self.containers.compiled and self.chassis.stopping_told,
            bound=set(self.containers.bindings.names),
            left_over=reconciler.find_owned(),
            problems=[reconciler.failures[each].sentence for each in sorted(reconciler.failures)],
        )
        obstacle = leaving.find_obstacle(situation)
        if obstacle and obstacle != self._obstacle:
            vlog.info(f"leaving: {obstacle}")
        return obstacle

    # -- helpers, in the order they are called -----------------------------

    def _follow_identity(self) -> None:
        """Connects to the southbound that the local Open_vSwitch names, when that changes."""
        if not self.ports.rows.identity_changed:
            return
        self.ports.rows.identity_changed = False
        try:
            identity = find_identity(
                self.ovs.rows(switch_rows.OpenvSwitch).values(),
                self.ovs.rows(switch_rows.Bridge).values(),
            )
        except HostError as error:
            if str(error) != self._waiting_for:
                self._waiting_for = str(error)
                vlog.warn(f"waiting: {error}")
            return
        before, self.identity = self.identity, identity
        self._waiting_for = ""
        if before is None or before.label_problems != identity.label_problems:
            for problem in identity.label_problems:
                vlog.warn(f"external_ids:svc-labels of the local Open_vSwitch: {problem}")
        if before != identity:
            self._set_identity(before, identity)

    def _set_identity(self, before: Identity | None, identity: Identity) -> None:
        where = identity.remote, identity.chassis
        other = before is None or (before.remote, before.chassis) != where
        if other:
            vlog.info(f"chassis {identity.chassis}, southbound {identity.remote}")
            self.former_names.note(identity.chassis, identity.remote)
        self.chassis.set_identity(identity, other, self.former_names.find_lives())
        self.containers.set_identity(identity, other)
        if not other:
            return
        if self.sb is not None:
            self.sb.close()
        self.sb = southbound.open_session(identity)
        self._writer = StatusWriter()

    def _see_to_certificate(self, session: Session, clock_ms: int) -> None:
        """Notes, and tells once, what is wrong with whom the southbound takes this chassis for."""
        assert self.identity is not None
        words = self.chassis.find_refusal(session)
        self.certificate.run(self.identity.chassis, session, words, clock_ms)
        problem = self.certificate.problem
        refusal = explain_refusal(words, problem, self.identity.remote) if words else ""
        if refusal and refusal != self._told:
            # What is wrong with the certificate was told, and so were the words of a session.
            known = problem or words in session.refusals.words.values()
            (vlog.info if known else vlog.warn)(refusal)
            self._told = refusal
        elif self._told and not refusal and self.registered:
            vlog.info("the southbound takes what this chassis writes")
            self._told = ""
        self._refusal = refusal

    def _beat(self, clock_ms: int) -> None:
        """Writes that this chassis lives, before anything that can fail."""
        assert self.sb is not None
        self._underlay.run(self.ports.rows.peers, self.containers.find_mtu, clock_ms)
        left_over = leaving.describe_left_over(self.containers.reconciler.find_left_over())
        ending = self._find_key_warnings(clock_ms)
        refused = self.former_names.warning, self._writer.warning
        told = self._underlay.warning, left_over, *refused, *ending
        self.chassis.warnings = tuple(filter(None, told))
        if self.chassis.beat(self._options, clock_ms):
            self.fence.note_beat(self.chassis.heartbeat.number, clock_ms)
        if self._obstacle != "":
            self.chassis.write(self.sb, clock_ms)

    def _find_key_warnings(self, clock_ms: int) -> tuple[str, ...]:
        # One that went back to TCP has had keys, and needs none.
        if self.identity is None or "ssl:" not in self.identity.remote:
            return ()
        return self._expiry.find_warnings(clock_ms, loop.now_ms() / 1000)

    def _guard(self, clock_ms: int) -> None:
        """Fences the containers as soon as this chassis is isolated, in sync or not."""
        self.fence.set_peers(self.ports.rows.peers)
        number = self.chassis.acknowledged
        if number is not None:
            self.fence.note_acknowledged(number)
        if self._global is not None:
            self.fence.set_options(self._options)
        on = self.fence.run(clock_ms)
        # The fence is lifted once there are rows to trust again.
        if on != self.containers.fenced and (on or self.ready):
            self.containers.fence(on)

    def _pass(self, clock_ms: int) -> None:
        assert self.sb is not None
        containers = self.containers
        containers.defer(self.chassis.pending_types)
        changed = containers.follow(self.sb, self._is_told(clock_ms))
        bindings = map(containers.bindings.find_binding, changed)
        if any(row is not None and row.status_code is None for row in bindings):
            self._write_status(clock_ms)
        sentence = containers.reconcile(self._events, clock_ms) if containers.compiled else ""
        if sentence and sentence != self._sentence:
            vlog.info(sentence)
        self._sentence = sentence
        containers.run_services(monotonic_ms())
        self._plug(clock_ms)
        if self._obstacle == "":
            self.chassis.remove(self.sb, clock_ms)
        else:
            self._write_status(clock_ms)
            self._acknowledge(clock_ms)
            self.chassis.write(self.sb, clock_ms)

    def _is_told(self, clock_ms: int) -> bool:
        """Returns whether the bindings are what svc-northd wants, as far as can be known."""
        assert self.sb is not None
        lost = self._lost_content
        if self.chassis.take_outdated():
            lost.begin(clock_ms)
        if lost.holding:
            self.containers.follow(self.sb, told=False)
            lost.run(self.sb, self.containers.find_unbound(), clock_ms)
        return self._global is not None and not lost.holding

    def _plug(self, clock_ms: int) -> None:
        """Starts one transaction with what is wanted of the local Open_vSwitch."""
        if self.ovs.committing or not self.ovs.connected:
            return
        self.ports.note_outcome(self.ovs.take_outcome())
        changes = self.ports.plan()
        if changes:
            self.ovs.commit(changes, "svc-controller: ports of containers")

    def _write_status(self, clock_ms: int) -> None:
        """Writes how the containers are of which something changed."""
        assert self.sb is not None
        assert self.identity is not None
        if not self.containers.compiled:
            return
        self._writer.touch(self.containers.touched)
        self.containers.touched.clear()
        comment = f"svc-controller: containers of {self.identity.chassis}"
        self._writer.run(self.sb, self._find_telling, comment, clock_ms)

    def _find_telling(self, name: str, figures: bool) -> Telling:
        return self.containers.find_telling(name, figures, self.chassis.heartbeat.incarnation)

    def _acknowledge(self, clock_ms: int) -> None:
        """Notes SB_Global:nb_cfg as reached if all is applied that can be, and told."""
        asked = self._global
        if asked is None or asked.nb_cfg == self.chassis.heartbeat.nb_cfg:
            self._ovn_waiting.note("", clock_ms)
            return
        containers = self.containers
        if self._lost_content.holding:
            return
        told = containers.compiled and not containers.touched and self._writer.settled
        obstacle = self._find_ovn_obstacle(asked.ovn_nb_cfg)
        self._ovn_waiting.note(obstacle, clock_ms)
        if told and containers.settled and not obstacle:
            self.chassis.acknowledge(asked.nb_cfg)

    def _find_ovn_obstacle(self, asked: int) -> str:
        """Returns that ovn-controller, if there is one, has not OVN's part of the change."""
        assert self.identity is not None
        bridge = self.ports.rows.find_bridge(self.identity.bridge)
        reached = bridge.external_ids.get("ovn-nb-cfg", "") if bridge else ""
        number = parse_number(reached, 0, _MOST)
        if not asked or number is None or number >= asked:
            return ""
        return f"ovn-controller does not follow: external_ids:ovn-nb-cfg of {self.identity.bridge}"

    def _describe_rival(self) -> str:
        """Returns who has the name of this chassis, as far as its row there says it."""
        rival = self.chassis.rival
        if not rival or self.sb is None:
            return ""
        host = next((row.hostname for row in self.sb.rows(sb.Chassis).values()), "")
        return f"{rival} (it is registered by host {host})" if host else rival

    @property
    def _situation(self) -> readiness.Situation:
        identity, session = self.identity, self.sb
        if identity is None or session is None:
            return readiness.Situation(switch_synced=self.ovs.synced)
        return readiness.Situation(
            identity.chassis,
            identity.remote,
            self.ovs.synced,
            session.synced,
            self.chassis.has_name,
        )

    @property
    def _global(self) -> sb.SBGlobal | None:
        """The root row as svc-northd made it, which always writes options.

        One that says only where the southbound listens, as of a new one, says nothing of bindings.
        """
        if self.sb is None:
            return None
        return next((row for row in self.sb.rows(sb.SBGlobal).values() if row.options), None)

    @property
    def _options(self) -> Mapping[str, str]:
        return self._global.options if self._global is not None else {}

    def _make_sandbox(self, container: str) -> LinuxSandbox:
        directory, log_path = find_directory(container), find_log(container)
        return LinuxSandbox(container, directory, log_path, self._private_key, self._strays)
