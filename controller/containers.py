"""The containers of this chassis: what is wanted of each, what is done for it, how it is.

Everything is by container, and only of those of which something changed:

    southbound rows, identity ──> wanted ──> reconciler ──> host
    local Open_vSwitch rows   ──> ports installed ──> services
    what changed of either, what ran, what was done ──> touched ──> status_writer.py
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import ovs.poller

from ..lib.container import is_name
from ..lib.idl import Session
from ..lib.loop import monotonic_ms, now_ms
from ..services.api.host import HostHalf, Sandbox
from .host.bindings import Bindings
from .host.desired import Chassis, Container, Problem, Wanted, make_wanted, set_up
from .host.driver import Host
from .host.kinds import Links, SwitchPorts
from .host.reconcile import Reconciler
from .host.record import Record, make_record
from .host.sweep import BUDGET_MS, Sweep
from .identity import Identity
from .linux.ovs import PortDriver
from .linux.records import Records
from .programs.driver import ServiceDriver
from .registration import PENDING
from .status import Report, Rows, differ, is_settled, make_changes, runs_as_wanted
from .status_writer import Telling

MakeHost = Callable[[PortDriver, ServiceDriver], Host]
_Inputs = tuple[Record, str]


class Losses(Protocol):
    """Tells of what went on the host (linux/events.py)."""

    def take_lost(self, containers: Collection[str], links: Mapping[str, str]) -> set[str]:
        """Returns those of 'containers' of which something is gone.

        'links' are the containers by the names of their links outside.
        """


class Containers:
    """'wanted' is what is wanted by name, once the southbound has been read ('compiled').

    'touched' are those of which something may have changed that is told.
    """

    def __init__(
        self,
        types: Mapping[str, HostHalf],
        make_sandbox: Callable[[str], Sandbox],
        ports: PortDriver,
        make_host: MakeHost,
    ) -> None:
        self.wanted: dict[str, Wanted] = {}
        self.touched: set[str] = set()
        self.compiled = False
        self.bindings = Bindings("")
        self.ports = ports
        self.services = ServiceDriver(types, make_sandbox, self._find_restarts)
        self.reconciler = Reconciler(make_host(ports, self.services))
        self.fenced = False
        self._types = types
        self._chassis: Chassis | None = None
        self._pending: Collection[str] = ()
        self._deferred: set[str] = set()
        self._inputs: dict[str, _Inputs] = {}
        self._names: set[str] = set()
        self._links: dict[str, str] = {}
        self._records = Records()
        self._sweep = Sweep()
        self._stale = True

    # -- what is wanted ------------------------------------------------------

    def set_identity(self, identity: Identity, other_chassis: bool) -> None:
        """Notes who this chassis is; 'other_chassis': rows come from another session."""
        self._chassis = Chassis(identity, self._types)
        self._stale = True
        if other_chassis:
            self.bindings = Bindings(identity.chassis)
            self.compiled = False
            self._sweep.hasten()

    def defer(self, pending: Collection[str]) -> None:
        """Leaves containers of the types 'pending' as they are: these cannot plan yet."""
        if pending != self._pending:
            self._pending = pending
            self._stale = self._stale or bool(self._deferred)

    def recompute(self) -> None:
        """Makes everything be computed and looked at again."""
        self._stale = True
        self._sweep.hasten()

    def follow(self, session: Session, told: bool) -> set[str]:
        """Takes the rows that changed and computes what follows; returns the containers.

        Without 'told', svc-northd's word that the bindings are what it wants, what
        is wanted stays as it is.
        """
        changed = self.bindings.take(session)
        if not told:
            self._stale = self._stale or bool(changed)
            return set()
        if self._stale:
            self._stale, self.compiled = False, True
            self._inputs.clear()
            changed = self.bindings.known | self.wanted.keys()
            self._records.forget_others(set(self.bindings.names))
        for name in changed:
            self._compute(name)
        self.touched |= changed
        return changed

    def find_mtu(self) -> int:
        """Returns the largest MTU of a link of a container, 0 if there is none."""
        kinds = (each.resources for each in self.wanted.values() if isinstance(each, Container))
        links = (resources.get(Links) for resources in kinds)
        return max(
            (link.mtu for each in links if isinstance(each, Links) for link in each.links),
            default=0,
        )

    def find_unbound(self) -> set[str]:
        """Returns the containers that are wanted still and no row binds any more."""
        return self.wanted.keys() - set(self.bindings.names)

    def fence(self, on: bool) -> None:
        """Brings all links down, at once, or lets the next pass bring them up."""
        self.fenced = on
        self.wanted = {name: set_up(each, not on) for name, each in self.wanted.items()}
        self.touched |= self.wanted.keys()
        if on:
            self.reconciler.fence(self.wanted)
        else:
            self.reconciler.mark(self.wanted)

    # -- what is done ----------------------------------------------------------

    def follow_switch(self) -> None:
        """Takes the rows of the local Open_vSwitch that changed, and what follows."""
        for name in self.ports.take_changed():
            self.services.note_installed(name, self._is_installed(name))
            self.touched.add(name)
            wanted = self.wanted.get(name)
            # What was noted last may be what was wanted before; what failed may be possible now.
            if (
                not isinstance(wanted, Container)
                or name in self.reconciler.failures
                or self.ports.read(name) != wanted.resources[SwitchPorts]
            ):
                self.reconciler.mark([name])

    def run_services(self, clock_ms: int) -> None:
        """Lets services do what they can do now."""
        self.services.run(clock_ms)
        self.reconciler.mark(self.services.failed)
        self.touched |= self.services.ran
        self.services.failed.clear()
        self.services.ran.clear()

    def reconcile(self, losses: Losses, clock_ms: int) -> str:
        """Brings the host to what is wanted, as far as one pass goes; returns what it did."""
        self.reconciler.mark(losses.take_lost(self._names, self._links))
        if self._sweep.begins(clock_ms):
            owned = self.reconciler.find_owned()
            self.reconciler.mark(name for name in owned if name not in self.wanted)
            self.touched |= self._records.take_lost()
            self._sweep.left.update(dict.fromkeys(sorted(self._names)))
        done = self.reconciler.run(self.wanted)
        if self._sweep.is_due(clock_ms):
            begun_ms = monotonic_ms()
            looked = self.reconciler.look(self.wanted, self._sweep.left, BUDGET_MS)
            self._sweep.rest(begun_ms, monotonic_ms())
            done = "; ".join(filter(None, (done, looked)))
        self.touched |= self.reconciler.touched
        self.reconciler.touched.clear()
        return done

    def check_all(self) -> None:
        """Makes the next pass look at everything."""
        self._sweep.hasten()
        self.reconciler.mark(self.wanted)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done on the host that can be done."""
        failed = self.reconciler.failures
        if self._deferred:
            return False
        return self.reconciler.settled and all(each in failed for each in self.ports.unfinished)

    def wait(self, poller: ovs.poller.Poller, clock_ms: int) -> None:
        """Arms 'poller' for the host; services are waited for by services.wait()."""
        moments = (
            self.reconciler.find_next_ms(),
            self._sweep.find_next_ms(),
            self.ports.find_next_ms(),
        )
        next_ms = min(each for each in moments if each is not None)
        poller.timer_wait(max(0, next_ms - clock_ms))

    # -- what is told ----------------------------------------------------------

    def make_report(self, name: str, incarnation: str = "") -> Report | None:
        """Returns how a wanted container is; None for another, and while its type is pending."""
        wanted = self.wanted.get(name)
        if wanted is None or name in self._deferred:
            return None
        return Report(
            wanted=wanted,
            failure=self.reconciler.find_problem(name),
            told=self.services.find_told(name),
            installed=self.ports.find_installed(name),
            fenced=self.fenced,
            incarnation=incarnation,
        )

    def find_telling(self, name: str, figures: bool, incarnation: str) -> Telling:
        """Returns what is to be written of a container; keeps what it runs with."""
        report = self.make_report(name, incarnation)
        binding = self.bindings.find_binding(name)
        ports, items = self.bindings.find_ports(name), self.bindings.find_items(name)
        if report is None and binding is not None:
            return Telling((), settled=False)
        changes = make_changes(report, Rows(binding, ports, items), now_ms(), figures)
        if report is None:
            return Telling(changes, settled=True, gone=not changes)
        if isinstance(report.wanted, Container) and runs_as_wanted(report):
            self._records.keep(name, report.wanted.record)
        late = binding is not None and differ(binding.metrics, report.told.metrics)
        return Telling(changes, is_settled(report), pending=late and not figures)

    # -- helpers -----------------------------------------------------------

    def _compute(self, name: str) -> None:
        binding, before = self.bindings.find_binding(name), self.wanted.get(name)
        deferred = name in self._deferred
        self._deferred.discard(name)
        if binding is None:
            self.wanted.pop(name, None)
            self._names.discard(name)
            self._inputs.pop(name, None)
            self._records.forget(name)
            self._note_links(before, None)
            if before is not None:
                self.reconciler.mark([name])
            return
        if binding.service_type in self._pending and (before is None or deferred):
            self._deferred.add(name)
            self._inputs.pop(name, None)
            self.wanted[name] = Problem(name, binding.generation, PENDING, not self.fenced)
            return
        assert self._chassis is not None
        ports = self.bindings.find_ports(name)
        inputs = (make_record(binding, ports), binding.role)
        if before is not None and self._inputs.get(name) == inputs:
            return  # what changed is what this chassis wrote
        self._inputs[name] = inputs
        wanted = make_wanted(binding, ports, self._chassis, self._records.by_name.get(name))
        wanted = set_up(wanted, not self.fenced)
        if isinstance(wanted, Container):
            self._records.propose(name, wanted.record)
        self.wanted[name] = wanted
        if is_name(name):
            self._names.add(name)
            self.services.note_installed(name, self._is_installed(name))
        self._note_links(before, wanted)
        if not _are_alike(before, wanted):
            self.reconciler.mark([name])

    def _note_links(self, before: Wanted | None, after: Wanted | None) -> None:
        for each in _find_links(before):
            self._links.pop(each, None)
        if after is not None:
            self._links.update(dict.fromkeys(_find_links(after), after.name))

    def _is_installed(self, name: str) -> bool:
        """Returns whether OVN has installed every port that the container is to have."""
        installed, wanted = self.ports.find_installed(name), self.wanted.get(name)
        if not isinstance(wanted, Container):
            return bool(installed) and all(installed.values())
        ports = wanted.resources[SwitchPorts]
        assert isinstance(ports, SwitchPorts)
        return all(installed.get(each.name, False) for each in ports.ports)

    def _find_restarts(self, container: str) -> int:
        """Returns how often the programs had been restarted before this process began."""
        binding = self.bindings.find_binding(container)
        return binding.restarts if binding is not None else 0


def _find_links(wanted: Wanted | None) -> Iterable[str]:
    if not isinstance(wanted, Container):
        return () if wanted is None else (wanted.name,)
    links = wanted.resources[Links]
    assert isinstance(links, Links)
    return [each.outside for each in links.links]


def _are_alike(before: Wanted | None, after: Wanted) -> bool:
    try:
        return before == after
    except Exception:  # settings of somebody else's type that cannot be compared
        return False
