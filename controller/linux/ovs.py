"""Driver of the Port and Interface rows of containers in the local Open_vSwitch.

apply() and remove() only note what is wanted; plan() says what to change, in
one transaction with everything else noted in the same pass.  One that the
server refuses is halved until the container is found that it does not take;
that one says so, and is tried again later.  What is there is kept by container,
by the rows that change.

A port is only gone once ovs-vswitchd says so (cur_cfg, as 'ovs-vsctl' waits for
it): it holds sockets of the link, and would not notice that a new link has
come in place of the one that it knew by the same name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ...lib.delta import Actual, Change, Delete, Desired, Parent, Ref, Update, plan
from ...lib.errors import TransientError
from ...lib.idl import Session
from ...lib.loop import monotonic_ms
from ...lib.rows import Row
from ...lib.suspects import Suspects
from ..host.kinds import SwitchPort, SwitchPorts
from .switch_rows import MARK, Bridge, Interface, OpenvSwitch, Port, SwitchRows

_LEAVE_TIMEOUT_MS = 500
_REFUSED_PAUSE_MS = 10_000
_COMMIT_AGAIN_MS = 1000

_UNLIKE_ANY = SwitchPort("", "", "", "")

# ovn-controller and ovs-vswitchd write other keys of Interface:external_ids beside these.
_OWN_KEYS = (MARK, "iface-id", "attached-mac")


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A port was deleted with the request 'number' to ovs-vswitchd."""

    number: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The server did not take what was wanted; None for nothing."""

    wanted: SwitchPorts | None
    sentence: str
    retry_ms: int


class PortDriver:
    """The ports with our mark on every bridge of this host."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.rows = SwitchRows(session)
        self._wanted: dict[str, SwitchPorts] = {}
        self._unwanted: set[str] = set()
        self._leaving: dict[str, _Leaving] = {}
        self._unplanned: set[str] = set()
        self._planned: tuple[str, ...] = ()
        # Until when what was sent may still come back as rows.
        self._sent: dict[str, int] = {}
        self._suspects: Suspects[str] = Suspects()
        self._refused: dict[str, _Refusal] = {}
        self._told: set[str] = set()

    # -- host.Driver -------------------------------------------------------

    def owned(self) -> set[str]:
        return self.rows.containers | self._wanted.keys() | self._unwanted

    def owns(self, container: str) -> bool:
        noted = container in self._wanted or container in self._unwanted
        return noted or bool(self.rows.find_ports(container))

    def read(self, container: str) -> SwitchPorts | None:
        found = sorted(map(self._read_port, self.rows.find_ports(container)), key=_find_name)
        return SwitchPorts(tuple(found)) if found else None

    def apply(self, container: str, wanted: SwitchPorts) -> None:
        self._unwanted.discard(container)
        self._wanted[container] = wanted
        self._unplanned.add(container)
        for each in wanted.ports:
            if self.rows.find_bridge(each.bridge) is None:
                raise TransientError(f"the local Open vSwitch has no bridge {each.bridge}")
            if self._is_taken(container, each.name):
                raise TransientError(f"Open vSwitch has a port {each.name} that is not ours")
        refusal = self._find_refusal(container)
        if refusal is not None:
            raise TransientError(f"Open vSwitch does not take its ports: {refusal.sentence}")

    def remove(self, container: str) -> bool:
        self._wanted.pop(container, None)
        self._unwanted.add(container)
        self._unplanned.add(container)
        if self.rows.find_ports(container):
            refusal = self._find_refusal(container)
            if refusal is not None:
                sentence = f"Open vSwitch does not let go of its ports: {refusal.sentence}"
                raise TransientError(sentence)
            return False
        if not self._has_left(container):
            return False
        self._unwanted.discard(container)
        self._unplanned.discard(container)
        self._leaving.pop(container, None)
        self._refused.pop(container, None)
        return True

    def let_go(self, container: str, names: Collection[str]) -> bool:
        wanted = self._wanted.get(container)
        if wanted is not None:
            kept = tuple(each for each in wanted.ports if each.name not in names)
            self._wanted[container] = SwitchPorts(kept)
        there = {port.name for port in self.rows.find_ports(container)}
        if there.intersection(names):
            if wanted is None:  # what a controller before this one wanted
                self._unwanted.add(container)
            self._unplanned.add(container)
            return False
        return self._has_left(container)

    # -- what the caller's loop asks -----------------------------------------

    def take_changed(self) -> set[str]:
        """Returns the containers of which rows changed, or that wait for what changed."""
        changed, self._told = self.rows.take_changed() | self._told, set()
        if self.rows.bridges_changed:
            # A bridge that was missing may be there, a port may hang on another one.
            changed |= self._unplanned
        if self.rows.root_changed:
            changed |= self._take_left()
        for container in changed & self._sent.keys():
            del self._sent[container]
        self._unplanned |= changed & (self._wanted.keys() | self._unwanted)
        return changed

    def find_installed(self, container: str) -> dict[str, bool]:
        """Returns by the name of each port of 'container' whether OVN has installed it."""
        return {
            port.name: inside is not None and inside.external_ids.get("ovn-installed") == "true"
            for port, inside in map(self.rows.pair, self.rows.find_ports(container))
        }

    def is_as_wanted(self, container: str) -> bool:
        """Returns whether the rows of 'container' are what apply() noted last, if it did."""
        wanted = self._wanted.get(container)
        return wanted is None or self.read(container) == wanted

    @property
    def unfinished(self) -> Collection[str]:
        """The containers whose rows are not yet seen to be what was noted."""
        return self._unplanned

    def plan(self) -> list[Change]:
        """Returns the changes that bring what apply() and remove() noted, of some or of all."""
        now_ms = monotonic_ms()
        refused = {each for each in self._unplanned if self._find_refusal(each) is not None}
        due = {each for each in refused if now_ms >= self._refused[each].retry_ms}
        # Whoever is not suspected waits for nobody.
        others = self._unplanned - refused - self._suspects.find_members()
        changes = self._plan(sorted(others))
        while self._suspects and not changes:
            changes = self._plan(self._suspects.take())
        while due and not changes:
            changes = self._plan([due.pop()])
        return changes

    def find_next_ms(self) -> int | None:
        """Returns when plan() may have something again, rows that come aside."""
        now_ms = monotonic_ms()
        moments = (*self._sent.values(), *(each.retry_ms for each in self._refused.values()))
        # What is past was looked at.
        return min((each for each in moments if each > now_ms), default=None)

    def note_outcome(self, outcome: str | None) -> None:
        """Takes what became of the transaction with the changes of plan().

        "" if it succeeded, the server's words if it was refused, None if it is
        not known or nothing new.
        """
        if outcome is None:
            return
        planned, self._planned = self._planned, ()
        if not outcome:
            self._told |= self._refused.keys() & set(planned)
            for container in planned:
                self._refused.pop(container, None)
            return
        for container in planned:
            self._sent.pop(container, None)
        if len(planned) > 1:
            self._suspects.add(planned)
        for container in planned if len(planned) == 1 else ():
            wanted = self._wanted.get(container)
            retry_ms = monotonic_ms() + _REFUSED_PAUSE_MS
            self._refused[container] = _Refusal(wanted, outcome, retry_ms)
            self._told.add(container)

    # -- helpers -------------------------------------------------------------

    def _find_refusal(self, container: str) -> _Refusal | None:
        """Returns that the server does not take what is wanted, if that is still the same."""
        found = self._refused.get(container)
        if found is not None and found.wanted != self._wanted.get(container):
            self._refused.pop(container)
            return None
        return found

    def _plan(self, containers: Iterable[str]) -> list[Change]:
        changes: list[Change] = []
        planned: list[str] = []
        now_ms = monotonic_ms()
        for container in containers:
            own = self._plan_one(container) if now_ms >= self._sent.get(container, 0) else []
            if own:
                planned.append(container)
                changes += own
        self._planned = tuple(planned)
        self._sent.update(dict.fromkeys(planned, now_ms + _COMMIT_AGAIN_MS))
        return self._acknowledge(changes)

    def _plan_one(self, container: str) -> list[Change]:
        actual = list(self._find_actual(container))
        desired = list(self._find_desired(container, actual))
        if self.is_as_wanted(container) and container not in self._unwanted:
            self._unplanned.discard(container)
        return plan(desired, actual)

    def _read_port(self, port: Port) -> SwitchPort:
        port, interface = self.rows.pair(port)
        if interface is None or port.name != interface.name:
            return _UNLIKE_ANY
        ids = interface.external_ids
        bridge = self.rows.find_holder(port)
        ours = bridge is not None and ids.get(MARK) == port.external_ids.get(MARK)
        return SwitchPort(
            name=port.name,
            bridge=bridge.name if bridge is not None and ours else "",
            iface_id=ids.get("iface-id", ""),
            mac=ids.get("attached-mac", ""),
            tag=port.tag,
        )

    def _find_desired(self, container: str, actual: Iterable[Actual]) -> Iterator[Desired]:
        wanted = self._wanted.get(container)
        interfaces = {each.key: each.row for each in actual if isinstance(each.row, Interface)}
        for each in wanted.ports if wanted else ():
            bridge = self.rows.find_bridge(each.bridge)
            if bridge is not None and not self._is_taken(container, each.name):
                yield from _make_rows(container, each, bridge, interfaces.get(each.name))

    def _acknowledge(self, changes: list[Change]) -> list[Change]:
        """Adds to 'changes' the request that ovs-vswitchd tells when it has deleted a port."""
        present = self._session.rows(Port)
        uuids = [each.uuid for each in changes if isinstance(each, Delete)]
        deleted = [present[each] for each in uuids if each in present]
        root = next(iter(self._session.rows(OpenvSwitch).values()), None)
        if not deleted or root is None:
            return changes
        number = root.next_cfg + 1
        leaving = _Leaving(number, monotonic_ms() + _LEAVE_TIMEOUT_MS)
        self._leaving.update((each.external_ids[MARK], leaving) for each in deleted)
        return [*changes, Update(OpenvSwitch.TABLE, root.uuid, {"next_cfg": number})]

    def _has_left(self, container: str) -> bool:
        """Returns whether ovs-vswitchd has let go of the ports, or does not answer."""
        leaving = self._leaving.get(container)
        if leaving is None or monotonic_ms() >= leaving.deadline_ms:
            return True
        roots = self._session.rows(OpenvSwitch).values()
        return all(row.cur_cfg >= leaving.number for row in roots)

    def _take_left(self) -> set[str]:
        """Returns the containers whose ports ovs-vswitchd has let go of since."""
        left = {container for container in self._leaving if self._has_left(container)}
        for container in left:
            del self._leaving[container]
        return left

    def _find_actual(self, container: str) -> Iterator[Actual]:
        """Yields our Port rows, and the Interface rows inside them.

        An Interface goes with its Port and so is only ever deleted with it.
        """
        wanted = self._wanted.get(container)
        names = {each.name for each in wanted.ports} if wanted else set()
        for port in self.rows.find_ports(container):
            bridge = self.rows.find_holder(port)
            parent = Parent(Bridge.TABLE, bridge.uuid, "ports") if bridge else None
            yield Actual(port.name, port, parent)
            _port, interface = self.rows.pair(port)
            if interface is not None and port.name in names:
                yield Actual(port.name, interface)

    def _is_taken(self, container: str, name: str) -> bool:
        named = self.rows.find_named(name)
        return any(row.external_ids.get(MARK) != container for row in named)


def _find_name(port: SwitchPort) -> str:
    return port.name


def _make_rows(
    container: str, wanted: SwitchPort, bridge: Bridge, interface: Row | None
) -> tuple[Desired, Desired]:
    own = dict(zip(_OWN_KEYS, (container, wanted.iface_id, wanted.mac), strict=True))
    present = interface.external_ids if isinstance(interface, Interface) else {}
    # A new iface-id is another port to OVN: what it wrote of the old one is not kept.
    others = present if present.get("iface-id") == wanted.iface_id else {}
    columns = {
        "name": wanted.name,
        "interfaces": (Ref(Interface.TABLE, wanted.name),),
        "tag": wanted.tag,
    }
    return (
        Desired(
            Port.TABLE,
            wanted.name,
            columns,
            initial={"external_ids": {MARK: container}},
            parent=Parent(Bridge.TABLE, bridge.uuid, "ports"),
        ),
        Desired(
            Interface.TABLE,
            wanted.name,
            {"name": wanted.name, "type": "", "external_ids": {**others, **own}},
        ),
    )
