"""The rows of the local Open_vSwitch that matter to a chassis, kept by the rows that change."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from ...lib.idl import Session
from ...lib.rows import Row
from ..row_index import RowIndex

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
    tag: int | None
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class Interface(Row):
    TABLE: ClassVar[str] = "Interface"
    name: str
    type: str
    options: dict[str, str]
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class SSL(Row):
    TABLE: ClassVar[str] = "SSL"
    private_key: str
    certificate: str
    ca_cert: str
    bootstrap_ca_cert: bool


ROW_CLASSES = (OpenvSwitch, Bridge, Port, Interface, SSL)

TUNNELS = ("geneve", "stt", "vxlan")

Change = tuple[Row | None, Row | None]


class SwitchRows:
    """Our ports by container, and what else is asked for at each pass.

    'bridges_changed' is whether a bridge came, went or got other ports,
    'root_changed' whether the Open_vSwitch row did, and 'identity_changed'
    whether anything may that says who this chassis is; 'peers' are the addresses
    at the other ends of tunnels.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._marked = RowIndex(Port, _find_mark)
        self._named: dict[str, dict[UUID, Port]] = {}
        self._interfaces: dict[str, UUID] = {}
        self._port_of: dict[UUID, UUID] = {}
        self._holder_of: dict[UUID, UUID] = {}
        self._peer_of: dict[UUID, str] = {}
        self.bridges_changed = False
        self.root_changed = False
        self.identity_changed = True
        self.peers: frozenset[str] = frozenset()

    def take_changed(self) -> set[str]:
        """Takes the changed rows; returns the containers that have or had some of them."""
        ports = self._marked.take(self._session)
        changed = self._marked.find_keys(ports)
        for port_before, port_after in ports:
            self._note_port(port_before, port_after)
        changed |= self._take_bridges()
        changed |= self._take_interfaces()
        self.root_changed = bool(self._session.take_rows(OpenvSwitch))
        self.identity_changed |= self.root_changed
        return changed

    @property
    def containers(self) -> set[str]:
        """The containers of which a port is there."""
        return set(self._marked.keys)

    def find_ports(self, container: str) -> list[Port]:
        """Returns the ports that have the mark of 'container'."""
        return self._marked.find(container)

    def find_named(self, name: str) -> list[Port]:
        """Returns the ports that have that name, or an interface of that name; ours or not."""
        found = dict(self._named.get(name, {}))
        interface = self._interfaces.get(name)
        holder = self._port_of.get(interface) if interface is not None else None
        port = self._session.rows(Port).get(holder) if holder is not None else None
        if port is not None:
            found[port.uuid] = port
        return list(found.values())

    def pair(self, port: Port) -> tuple[Port, Interface | None]:
        """Returns 'port' and the interface in it, None if there is not exactly one."""
        interfaces = self._session.rows(Interface)
        inside = [interfaces[each] for each in port.interfaces if each in interfaces]
        return port, inside[0] if len(inside) == 1 else None

    def find_holder(self, port: Port) -> Bridge | None:
        """Returns the bridge that has 'port'."""
        holder = self._holder_of.get(port.uuid)
        return self._session.rows(Bridge).get(holder) if holder is not None else None

    def find_bridge(self, name: str) -> Bridge | None:
        """Returns the bridge 'name', or None."""
        return find_bridge(self._session.rows(Bridge).values(), name)

    # -- helpers -------------------------------------------------------------

    def _note_port(self, before: Port | None, after: Port | None) -> None:
        if before is not None:
            named = self._named.get(before.name, {})
            named.pop(before.uuid, None)
            if not named:
                self._named.pop(before.name, None)
            for each in before.interfaces:
                self._port_of.pop(each, None)
        if after is not None:
            self._named.setdefault(after.name, {})[after.uuid] = after
            self._port_of.update(dict.fromkeys(after.interfaces, after.uuid))

    def _take_bridges(self) -> set[str]:
        """Returns the containers whose ports came to a bridge, or left one."""
        changed: set[str] = set()
        self.bridges_changed = False
        for before, after in self._session.take_rows(Bridge):
            self.identity_changed = True
            old = before.ports if before is not None else ()
            new = after.ports if after is not None else ()
            if before is None or after is None or old != new or before.name != after.name:
                self.bridges_changed = True
                moved = set(old) ^ set(new)
                if before is None or after is None or before.name != after.name:
                    moved |= set(old) | set(new)
                for each in set(old) - set(new):
                    if before is not None and self._holder_of.get(each) == before.uuid:
                        del self._holder_of[each]
                if after is not None:
                    self._holder_of.update(dict.fromkeys(set(new) - set(old), after.uuid))
                changed |= self._find_marks(moved)
        return changed

    def _take_interfaces(self) -> set[str]:
        changed: set[UUID] = set()
        peers_changed = False
        for before, after in self._session.take_rows(Interface):
            row = after or before
            assert row is not None
            if before is not None and self._interfaces.get(before.name) == before.uuid:
                del self._interfaces[before.name]
            if after is not None:
                self._interfaces[after.name] = after.uuid
            if row.uuid in self._port_of:
                changed.add(self._port_of[row.uuid])
            peers_changed |= self._note_peer(row.uuid, after)
        if peers_changed:
            self.peers = frozenset(self._peer_of.values())
        return self._find_marks(changed)

    def _note_peer(self, uuid: UUID, after: Interface | None) -> bool:
        """Notes the other end of a tunnel; returns whether it is another one than before."""
        before = self._peer_of.pop(uuid, None)
        peer = find_peer(after) if after is not None else None
        if peer is not None:
            self._peer_of[uuid] = peer
        return peer != before

    def _find_marks(self, ports: Iterable[UUID]) -> set[str]:
        rows = self._session.rows(Port)
        return {mark for each in ports if each in rows for mark in _find_mark(rows[each])}


def find_bridge(bridges: Iterable[Bridge], name: str) -> Bridge | None:
    """Returns the bridge 'name', or None."""
    return next((row for row in bridges if row.name == name), None)


def find_peer(row: Interface) -> str | None:
    """Returns the address of the host at the other end of a tunnel.

    None if it is no tunnel, or for text that is no address of one host ("flow").
    """
    if row.type not in TUNNELS:
        return None
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(row.options.get("remote_ip", ""))
        if not (address.is_multicast or address.is_unspecified or address.is_link_local):
            return str(address)
    return None


def _find_mark(port: Port) -> tuple[str, ...]:
    return (port.external_ids[MARK],) if MARK in port.external_ids else ()
