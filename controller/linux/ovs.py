"""Driver of the Port and Interface rows of containers in the local Open_vSwitch.

apply() and remove() only note what is wanted; plan() says what to change, in
one transaction with everything else noted in the same pass.

A port is only gone once ovs-vswitchd says so (cur_cfg, as 'ovs-vsctl' waits for
it): it holds sockets of the link, and would not notice that a new link has
come in place of the one that it knew by the same name.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from ...lib.delta import Actual, Change, Delete, Desired, Parent, Ref, Update, plan
from ...lib.errors import TransientError
from ...lib.idl import Session
from ...lib.loop import monotonic_ms
from ...lib.rows import Row
from ..order import SwitchPort

DATABASE = "Open_vSwitch"
MARK = "ovnsvc"


@dataclass(frozen=True, slots=True)
class OpenvSwitch(Row):
    TABLE: ClassVar[str] = "Open_vSwitch"
    external_ids: dict[str, str]
    next_cfg: int
    cur_cfg: int


@dataclass(frozen=True, slots=True)
class Bridge(Row):
    TABLE: ClassVar[str] = "Bridge"
    name: str
    ports: tuple[UUID, ...]
    datapath_type: str
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class Port(Row):
    TABLE: ClassVar[str] = "Port"
    name: str
    interfaces: tuple[UUID, ...]
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class Interface(Row):
    TABLE: ClassVar[str] = "Interface"
    name: str
    type: str
    options: dict[str, str]
    external_ids: dict[str, str]


ROW_CLASSES = (OpenvSwitch, Bridge, Port, Interface)

TUNNELS = ("geneve", "stt", "vxlan")

_LEAVE_TIMEOUT_MS = 500

# ovn-controller and ovs-vswitchd write other keys of Interface:external_ids beside these.
_OWN_KEYS = (MARK, "iface-id", "attached-mac")


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A port was deleted with the request 'number' to ovs-vswitchd."""

    number: int
    deadline_ms: int


class PortDriver:
    """The ports with our mark on every bridge of this host."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wanted: dict[str, SwitchPort] = {}
        self._unwanted: set[str] = set()
        self._leaving: dict[str, _Leaving] = {}

    def owned(self) -> set[str]:
        ports = self._session.rows(Port).values()
        marked = {row.external_ids[MARK] for row in ports if MARK in row.external_ids}
        return marked | self._wanted.keys() | self._unwanted

    def read(self, container: str) -> SwitchPort | None:
        found = [
            (bridge, port, interface) for bridge, port, interface in self._find_ports(container)
        ]
        if not found:
            return None
        if len(found) > 1 or found[0][2] is None:
            return SwitchPort("", "", "")
        bridge, port, interface = found[0]
        ids = interface.external_ids if interface else {}
        named = port.name == container == (interface.name if interface else "")
        bridge_name = bridge.name if bridge and named and ids.get(MARK) == container else ""
        return SwitchPort(bridge_name, ids.get("iface-id", ""), ids.get("attached-mac", ""))

    def apply(self, container: str, wanted: SwitchPort) -> None:
        self._wanted[container] = wanted
        self._unwanted.discard(container)
        if self._find_bridge(wanted.bridge) is None:
            raise TransientError(f"the local Open vSwitch has no bridge {wanted.bridge}")
        for row in self._session.rows(Port).values():
            if row.name == container and row.external_ids.get(MARK) != container:
                raise TransientError(f"Open vSwitch has a port {container} that is not ours")

    def remove(self, container: str) -> bool:
        self._wanted.pop(container, None)
        self._unwanted.add(container)
        if self.read(container) is not None or not self._has_left(container):
            return False
        self._unwanted.discard(container)
        self._leaving.pop(container, None)
        return True

    def installed(self, container: str) -> bool:
        """Returns whether OVN has installed the flows of the container's port."""
        return container in self.find_installed()

    def find_installed(self) -> set[str]:
        """Returns the containers whose port OVN has installed."""
        ids = (row.external_ids for row in self._session.rows(Interface).values())
        return {each[MARK] for each in ids if MARK in each and each.get("ovn-installed") == "true"}

    def plan(self) -> list[Change]:
        """Returns the changes that bring what apply() and remove() noted."""
        desired: list[Desired] = []
        actual: list[Actual] = []
        for container in sorted(self._wanted.keys() | self._unwanted):
            actual.extend(self._find_actual(container))
        keys = {(each.row.TABLE, each.key): each.row for each in actual}
        for container, wanted in sorted(self._wanted.items()):
            bridge = self._find_bridge(wanted.bridge)
            if bridge is not None and not self._is_taken(container):
                interface = keys.get((Interface.TABLE, container))
                desired.extend(_make_rows(container, wanted, bridge, interface))
        return self._acknowledge(plan(desired, actual), {each.row.uuid: each for each in actual})

    def _acknowledge(self, changes: list[Change], actual: Mapping[UUID, Actual]) -> list[Change]:
        """Adds to 'changes' the request that ovs-vswitchd tells when it has deleted a port."""
        deleted = [str(actual[each.uuid].key) for each in changes if isinstance(each, Delete)]
        root = next(iter(self._session.rows(OpenvSwitch).values()), None)
        if not deleted or root is None:
            return changes
        number = root.next_cfg + 1
        leaving = _Leaving(number, monotonic_ms() + _LEAVE_TIMEOUT_MS)
        self._leaving.update(dict.fromkeys(deleted, leaving))
        return [*changes, Update(OpenvSwitch.TABLE, root.uuid, {"next_cfg": number})]

    def _has_left(self, container: str) -> bool:
        """Returns whether ovs-vswitchd has let go of the port, or does not answer."""
        leaving = self._leaving.get(container)
        if leaving is None or monotonic_ms() >= leaving.deadline_ms:
            return True
        roots = self._session.rows(OpenvSwitch).values()
        return all(row.cur_cfg >= leaving.number for row in roots)

    def _find_actual(self, container: str) -> Iterator[Actual]:
        """Yields our Port rows, and the Interface rows inside them.

        An Interface goes with its Port and so is only ever deleted with it.
        """
        wanted = container in self._wanted
        for bridge, port, interface in self._find_ports(container):
            parent = Parent(Bridge.TABLE, bridge.uuid, "ports") if bridge else None
            yield Actual(container, port, parent)
            if interface is not None and wanted:
                yield Actual(container, interface)

    def _find_ports(self, container: str) -> Iterator[tuple[Bridge | None, Port, Interface | None]]:
        interfaces = self._session.rows(Interface)
        for port in self._session.rows(Port).values():
            if port.external_ids.get(MARK) != container:
                continue
            inside = [interfaces[uuid] for uuid in port.interfaces if uuid in interfaces]
            holders = (row for row in self._session.rows(Bridge).values() if port.uuid in row.ports)
            yield next(holders, None), port, inside[0] if len(inside) == 1 else None

    def _find_bridge(self, name: str) -> Bridge | None:
        return find_bridge(self._session.rows(Bridge).values(), name)

    def _is_taken(self, container: str) -> bool:
        return any(
            row.name == container and row.external_ids.get(MARK) != container
            for row in self._session.rows(Port).values()
        )


def find_bridge(bridges: Iterable[Bridge], name: str) -> Bridge | None:
    """Returns the bridge 'name', or None."""
    return next((row for row in bridges if row.name == name), None)


def find_peers(interfaces: Iterable[Interface]) -> set[str]:
    """Returns the addresses of the hosts at the other ends of the tunnels; text that is none
    ("flow"), and what cannot be one host's, is left out."""
    found = set()
    for row in interfaces:
        if row.type not in TUNNELS:
            continue
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(row.options.get("remote_ip", ""))
            if not (address.is_multicast or address.is_unspecified or address.is_link_local):
                found.add(str(address))
    return found


def _make_rows(
    container: str, wanted: SwitchPort, bridge: Bridge, interface: Row | None
) -> tuple[Desired, Desired]:
    own = dict(zip(_OWN_KEYS, (container, wanted.iface_id, wanted.mac), strict=True))
    present = interface.external_ids if isinstance(interface, Interface) else {}
    # A new iface-id is another port to OVN: what it wrote of the old one is not kept.
    others = present if present.get("iface-id") == wanted.iface_id else {}
    return (
        Desired(
            Port.TABLE,
            container,
            {"name": container, "interfaces": (Ref(Interface.TABLE, container),)},
            initial={"external_ids": {MARK: container}},
            parent=Parent(Bridge.TABLE, bridge.uuid, "ports"),
        ),
        Desired(
            Interface.TABLE,
            container,
            {"name": container, "type": "", "external_ids": {**others, **own}},
        ),
    )
