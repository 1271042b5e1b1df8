"""The program of svc-controller; main.py makes it and lib/loop.py runs it.

Each pass: sessions, heartbeat, services, what changed, reconcile, local Open_vSwitch,
status.  See main.py for the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import ovs.poller
import ovs.vlog

from ..lib import sb, sealing
from ..lib.delta import Desired
from ..lib.errors import HostError
from ..lib.idl import Session
from ..lib.loop import monotonic_ms, now_ms
from ..lib.rows import Row
from ..services.api.host import HostHalf
from . import chassis, desired, leaving, southbound, status
from .claim import Claim
from .desired import Container, Wanted
from .fence import Echoes, Fence
from .host import Host
from .identity import Identity, find_identity
from .linux import ovs as vswitch
from .linux.directory import find_directory, find_log
from .linux.process import Strays
from .linux.records import Records
from .linux.sandbox import LinuxSandbox
from .name import is_name
from .order import SwitchPort
from .programs.driver import ServiceDriver
from .reconcile import Reconciler

vlog = ovs.vlog.Vlog("controller")

CHECK_INTERVAL_MS = 30_000


class Events(Echoes, Protocol):
    """Tells of what went on the host, and how it is (linux/events.py)."""

    def take_lost(self, containers: Collection[str]) -> set[str]:
        """Returns those of 'containers' of which something is gone."""

    def find_ovn_problem(self, now_ms: int, look: bool, known: bool, expected: bool) -> str:
        """Returns Chassis_Private:ovn_problem; see linux/ovn.py."""

    def find_load(self, now_ms: int) -> Mapping[str, str]:
        """Returns Chassis_Private:load."""

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller'."""

    def close(self) -> None:
        """Stops watching."""


MakeHost = Callable[[vswitch.PortDriver, ServiceDriver], Host]


class Controller:
    """A loop.Program."""

    def __init__(
        self,
        database: str,
        types: Mapping[str, HostHalf],
        private_key: bytes,
        make_host: MakeHost,
        events: Events,
    ) -> None:
        self.ovs = Session(database, vswitch.DATABASE, vswitch.ROW_CLASSES)
        self.sb: Session | None = None
        self.identity: Identity | None = None
        self.wanted: dict[str, Wanted] = {}
        self.ports = vswitch.PortDriver(self.ovs)
        self.services = ServiceDriver(types, self._make_sandbox, self._find_restarts)
        self.reconciler = Reconciler(make_host(self.ports, self.services))
        self.fence = Fence(events)
        self._records = Records()
        self._types = types
        self._private_key = private_key
        self._strays = Strays()
        self._events = events
        public_key = sealing.format_public_key(private_key)
        self._registration = chassis.Registration(types, public_key)
        self._claim = Claim(self._registration.incarnation)
        self._nb_cfg: tuple[int, int] | None = None
        self._obstacle: str | None = None
        self._left = False
        self._compiled = False
        self._waiting_for = ""
        self._stale = True
        self._check_at_ms = 0
        self._sentence = ""
        self._ovs_commits = status.Gate()
        self._sb_commits = status.Gate()
        self._beats = status.Gate()
        self._departures = status.Gate()

    # -- loop.Program ------------------------------------------------------

    def run(self) -> None:
        clock_ms = monotonic_ms()
        self.ovs.run()
        if self.ovs.synced:
            self._follow_identity()
        if self.sb is not None:
            self.sb.run()
        if self.sb is not None and self.identity is not None:
            self._claim.run(self.sb, self.identity.chassis, clock_ms)
        self._obstacle = self.find_obstacle()
        if self.ready:
            self._beat(clock_ms)
        self._guard(clock_ms)
        if self.ovs.synced:
            self.services.note_installed(self.ports.find_installed())
        self.services.run(clock_ms)
        if self.ready:
            self._pass(clock_ms)

    def wait(self, poller: ovs.poller.Poller) -> None:
        clock_ms = monotonic_ms()
        self.ovs.wait(poller)
        if self.sb is not None:
            self.sb.wait(poller)
        self.services.wait(poller, clock_ms)
        self._claim.wait(poller, clock_ms)
        self.fence.wait(poller, clock_ms)
        if not self.ready:
            return
        self._events.wait(poller, clock_ms)
        moments = [self._registration.find_next_ms(), self._check_at_ms]
        retry_ms = self.reconciler.find_next_ms()
        if retry_ms is not None:
            moments.append(retry_ms)
        poller.timer_wait(max(0, min(moments) - clock_ms))

    def recover(self) -> None:
        self._stale = True
        self._check_at_ms = 0

    def close(self) -> None:
        """Ends; what runs in the containers stays."""
        self.services.release()
        self._events.close()
        self.ovs.close()
        if self.sb is not None:
            self.sb.close()

    # -- loop.Leaver -------------------------------------------------------

    def leave(self) -> None:
        """Begins to end for good: the rows of this chassis go once its containers are gone."""
        vlog.info("leaving: the containers of this chassis are to be moved away")
        self._registration.stopping = True

    @property
    def left(self) -> bool:
        """Whether nothing of this chassis is left in the southbound."""
        return self._left

    # -- what the commands ask ---------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether both databases are in sync and the chassis is ours: the host may be changed."""
        return self.ovs.synced and self.sb is not None and self.sb.synced and self.sb.has_lock

    def check_all(self) -> None:
        """Makes the next pass look at everything."""
        self._check_at_ms = 0

    def make_reports(self) -> dict[str, status.Report]:
        """Returns how each wanted container is."""
        reports = {}
        installed = self.ports.find_installed()
        for name, wanted in self.wanted.items():
            service = self.services.find_service(name)
            reports[name] = status.Report(
                wanted,
                self.reconciler.find_problem(name) or self.services.find_problem(name),
                service.status() if service is not None else None,
                name in installed,
                self.fence.on,
            )
        return reports

    def find_obstacle(self) -> str | None:
        """Returns what the end for good waits for, "" if for nothing; None if none was asked."""
        if not self._registration.stopping:
            return None
        reachable = self.sb is not None and self.ready and self.sb.connected
        if not reachable or self.sb is None:
            return leaving.find_obstacle(leaving.Situation(False))
        drivers = self.reconciler.host.values()
        failures = self.reconciler.failures
        situation = leaving.Situation(
            reachable=True,
            told=self._compiled and (self._private is None or self._private.stopping),
            bound={row.container for row in self.sb.rows(sb.ContainerBinding).values()},
            left_over={name for driver in drivers for name in driver.owned()},
            problems=[failures[each].sentence for each in sorted(failures)],
        )
        obstacle = leaving.find_obstacle(situation)
        if obstacle and obstacle != self._obstacle:
            vlog.info(f"leaving: {obstacle}")
        return obstacle

    # -- helpers, in the order they are called -----------------------------

    def _follow_identity(self) -> None:
        """Connects to the southbound that the local Open_vSwitch names, when that changes."""
        try:
            identity = find_identity(
                self.ovs.rows(vswitch.OpenvSwitch).values(),
                self.ovs.rows(vswitch.Bridge).values(),
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
        if before is not None and (before.remote, before.chassis) == (
            identity.remote,
            identity.chassis,
        ):
            self._stale = self._stale or before != identity
            return
        vlog.info(f"chassis {identity.chassis}, southbound {identity.remote}")
        if self.sb is not None:
            self.sb.close()
        self.sb = southbound.open_session(identity, self._owned)
        self._nb_cfg = None
        self._compiled = False
        self.recover()

    @property
    def _owned(self) -> dict[type[Row], status.Key]:
        return status.OWNED

    def _beat(self, clock_ms: int) -> None:
        """Writes that this chassis lives, before anything that can fail."""
        assert self.sb is not None
        assert self.identity is not None
        options = self._global.options if self._global else {}
        interval_ms = chassis.find_heartbeat_interval_ms(options)
        beaten = self._registration.run(clock_ms, now_ms(), interval_ms)
        if beaten:
            self.fence.note_beat(self._registration.heartbeat, clock_ms)
            self._registration.load = self._events.find_load(clock_ms)
        known = self._private is not None and self._private.ovn_problem != ""
        self._registration.ovn_problem = self._events.find_ovn_problem(
            clock_ms, beaten, known, self.identity.has_ovn
        )
        if not beaten or self._obstacle == "" or self.sb.committing or not self.sb.connected:
            return
        rows = self._registration.rows(self.identity, self._find_last_nb_cfg())
        changes = status.make_changes(self.sb, rows, {}, ())
        if self._beats.admit(changes, clock_ms):
            self.sb.commit(changes, f"svc-controller: heartbeat of {self.identity.chassis}")

    def _guard(self, clock_ms: int) -> None:
        """Fences the containers as soon as this chassis is isolated, in sync or not.

        The fence is lifted with the next look at the rows, since there are none to trust before.
        """
        fenced = self.fence.on
        if self.ovs.synced:
            self.fence.set_peers(vswitch.find_peers(self.ovs.rows(vswitch.Interface).values()))
        row = self._private if self.sb is not None and self.sb.synced else None
        if row is not None and row.incarnation == self._registration.incarnation:
            self.fence.note_acknowledged(row.heartbeat)
        if self.sb is not None and self._global is not None:
            self.fence.set_options(self._global.options)
        if self.fence.run(clock_ms) and not fenced:
            self.wanted = desired.set_up(self.wanted, up=False)
            self.reconciler.fence(self.wanted)
        self._stale = self._stale or self.fence.on != fenced

    def _pass(self, clock_ms: int) -> None:
        assert self.sb is not None
        self._note_changes(clock_ms)
        if any(row.status_code is None for row in self.sb.rows(sb.ContainerBinding).values()):
            self._write_status(clock_ms)
        sentence = self.reconciler.run(self.wanted) if self._compiled else ""
        if sentence and sentence != self._sentence:
            vlog.info(sentence)
        self._sentence = sentence
        self.services.run(monotonic_ms())
        self.reconciler.mark(self.services.take_failed())
        self._plug(clock_ms)
        if self._obstacle == "":
            self._unregister(clock_ms)
        else:
            self._write_status(clock_ms)

    def _unregister(self, clock_ms: int) -> None:
        """Removes all rows of this chassis; notes when they are gone."""
        assert self.sb is not None
        if self.sb.committing:
            return
        changes = status.make_changes(self.sb, (), self._owned, ())
        self._left = not changes
        if self._left:
            vlog.info("left: nothing of this chassis is in the southbound")
        if self._departures.admit(changes, clock_ms):
            self.sb.commit(changes, "svc-controller: leaves")

    def _note_changes(self, clock_ms: int) -> None:
        """Marks the containers that may not be as they should be."""
        assert self.sb is not None
        changed = self.sb.take_changes()
        self._stale |= bool(changed & {sb.PortBinding.TABLE, sb.ContainerBinding.TABLE})
        # SB_Global is svc-northd's word that the bindings are what it wants: a southbound
        # without it was just made, and what is on the host stays as it is.
        if self._stale and self._global is not None:
            self._stale, self._compiled = False, True
            self._compute()
        if self.ovs.take_changes():
            self.reconciler.mark(self._find_unplugged())
        names = {name for name in self.wanted if is_name(name)}
        self.reconciler.mark(self._events.take_lost(names))
        if clock_ms >= self._check_at_ms:
            self._check_at_ms = clock_ms + CHECK_INTERVAL_MS
            self._records.check()
            self.reconciler.mark_all(self.wanted)

    def _compute(self) -> None:
        assert self.sb is not None
        assert self.identity is not None
        before = self.wanted
        self.wanted = desired.run(
            self.sb.rows(sb.ContainerBinding).values(),
            self.sb.rows(sb.PortBinding).values(),
            self._types,
            self.identity,
            self.fence.on,
            self._records.by_name,
        )
        self._records.forget_others(self.wanted)
        for name, each in self.wanted.items():
            if isinstance(each, Container):
                self._records.propose(name, each.record)
        names = before.keys() | self.wanted.keys()
        self.reconciler.mark(name for name in names if before.get(name) != self.wanted.get(name))

    def _find_unplugged(self) -> set[str]:
        """Returns the containers whose rows in the local Open_vSwitch are not as they should be."""
        return {
            name
            for name, wanted in self.wanted.items()
            if isinstance(wanted, Container)
            and self.ports.read(name) != wanted.resources[SwitchPort]
        }

    def _plug(self, clock_ms: int) -> None:
        """Starts one transaction with what is wanted of the local Open_vSwitch."""
        if self.ovs.committing or not self.ovs.connected:
            return
        changes = self.ports.plan()
        if self._ovs_commits.admit(changes, clock_ms):
            self.ovs.commit(changes, "svc-controller: ports of containers")

    def _write_status(self, clock_ms: int) -> None:
        """Starts one transaction with all that the southbound does not know yet."""
        assert self.sb is not None
        assert self.identity is not None
        if self.sb.committing or not self.sb.connected:
            return
        reports = self.make_reports() if self._compiled else {}
        bindings = {row.container: row for row in self.sb.rows(sb.ContainerBinding).values()}
        for name, each in reports.items():
            if isinstance(each.wanted, Container) and status.runs_as_wanted(each):
                self._records.keep(name, each.wanted.record)
        told = [each for name, each in reports.items() if status.is_known(each, bindings.get(name))]
        rows = self._registration.rows(self.identity, self._find_nb_cfg(reports))
        rows.extend(self._make_port_rows(reports) if self._compiled else ())
        for each in told:
            rows.append(status.make_container_row(each, now_ms()))
            service = self.services.find_service(each.wanted.name)
            items = service.items() if service is not None else ()
            rows.extend(
                status.make_item_row(name, self.identity.chassis, item, now_ms())
                for name, item in ((each.wanted.name, item) for item in items)
            )
        unknown = reports.keys() - {each.wanted.name for each in told}
        owned = self._owned if self._global is not None and self._compiled else {}
        changes = status.make_changes(self.sb, rows, owned, unknown)
        if self._sb_commits.admit(changes, clock_ms):
            self.sb.commit(changes, f"svc-controller: chassis {self.identity.chassis}")

    @property
    def _global(self) -> sb.SBGlobal | None:
        assert self.sb is not None
        return next(iter(self.sb.rows(sb.SBGlobal).values()), None)

    @property
    def _private(self) -> sb.ChassisPrivate | None:
        assert self.sb is not None
        return next(iter(self.sb.rows(sb.ChassisPrivate).values()), None)

    def _make_port_rows(self, reports: Mapping[str, status.Report]) -> list[Desired]:
        assert self.sb is not None
        return [
            status.make_port_row(
                row.logical_port, row.container in reports and reports[row.container].installed
            )
            for row in self.sb.rows(sb.PortBinding).values()
        ]

    def _find_nb_cfg(self, reports: Mapping[str, status.Report]) -> tuple[int, int]:
        """Returns the nb_cfg that this chassis has reached, and when it did."""
        asked, last = self._global, self._find_last_nb_cfg()
        if asked is not None and asked.nb_cfg != last[0] and self._has_reached(reports):
            self._nb_cfg = (asked.nb_cfg, now_ms())
        return self._find_last_nb_cfg()

    def _find_last_nb_cfg(self) -> tuple[int, int]:
        """Returns what this chassis last said that it has reached."""
        assert self.sb is not None
        if self._nb_cfg is None:
            row = self._private
            self._nb_cfg = (row.nb_cfg, row.nb_cfg_timestamp) if row else (0, 0)
        return self._nb_cfg

    def _has_reached(self, reports: Mapping[str, status.Report]) -> bool:
        """Returns whether all is applied that can be, and OVN has caught up on this chassis."""
        assert self.identity is not None
        under_way = self.reconciler.removing | self.reconciler.waiting
        if self.reconciler.dirty or under_way - self.reconciler.failures.keys():
            return False
        if not all(status.is_settled(each) for each in reports.values()):
            return False
        bridges = self.ovs.rows(vswitch.Bridge).values()
        bridge = vswitch.find_bridge(bridges, self.identity.bridge)
        reached = bridge.external_ids.get("ovn-nb-cfg", "") if bridge else ""
        asked = self._global.ovn_nb_cfg if self._global else 0
        return not asked or not reached.isdecimal() or int(reached) >= asked

    def _make_sandbox(self, container: str) -> LinuxSandbox:
        directory, log_path = find_directory(container), find_log(container)
        return LinuxSandbox(container, directory, log_path, self._private_key, self._strays)

    def _find_restarts(self, container: str) -> int:
        """Returns how often the programs had been restarted before this process began."""
        rows = self.sb.rows(sb.ContainerBinding).values() if self.sb else ()
        return next((row.restarts for row in rows if row.container == container), 0)
