"""What the connections of one router may not have in common, since one container serves them.

Pure.  Connections are added one after the other; one that contends with one
that was added before is refused with a sentence.  Two subnets share addresses
when one is a prefix of the other, so each is found by its own prefixes: adding
costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from ...lib.addresses import (
    Prefix,
    Subnet,
    canonical_address,
    find_overlap,
    find_prefixes,
    overlap,
    quote,
)
from . import rules
from .identity import Identity, parse
from .ike_settings import IkeSettings, find_difference, find_ike_settings, make_ike_entry
from .rows import IKEPolicy, IPsecConnection, VPNService

_Identities = tuple[Identity | None, Identity]
_Addresses = tuple[str, str]
_Shared = tuple[str | None, IkeSettings]
"""Pre-shared key, settings of IKE."""
# What the configuration of a container has room for (host/connections.py).
MOST_PAIRS = 4096


@dataclass(frozen=True, slots=True)
class Contender:
    """A connection as it contends with others; one that is disabled does for its name only.

    What tells charon which pre-shared key is meant are the 'identities'; but one
    that waits for a peer with IKE v1 has to find it before it is told an identity,
    by the addresses: 'addresses', None with IKE v2.  'entry' has what its entry of
    the configuration says of IKE (ike_settings.py).
    """

    uuid: str
    service: UUID
    name: str
    enabled: bool
    local_subnets: tuple[Subnet, ...]
    peer_subnets: tuple[Subnet, ...]
    identities: _Identities
    addresses: _Addresses | None
    entry: Mapping[str, Any]
    psk: str | None = field(repr=False)

    # Of one that is alone on its router nobody asks these.

    @property
    def ike(self) -> IkeSettings:
        """What it must have in common with those of the same identities."""
        return find_ike_settings(self.entry)

    @property
    def peer(self) -> Subnet | None:
        """The address of the peer as a subnet."""
        try:
            return ip_network(str(self.entry.get("peer_address")))
        except ValueError:
            return None


def make_contender(
    service: VPNService, row: IPsecConnection, policy: IKEPolicy | None
) -> Contender:
    """Returns a connection of 'service' as its row, and that of its IKE policy, have it."""
    entry = make_ike_entry(service, row, policy)
    return Contender(
        uuid=str(row.uuid),
        service=service.uuid,
        name=row.name,
        enabled=row.enabled is not False and service.enabled is not False,
        local_subnets=tuple(rules.parse_subnets(service.local_subnets)),
        peer_subnets=tuple(rules.parse_subnets(row.peer_subnets)),
        identities=_find_identities(entry),
        addresses=_find_addresses(entry),
        entry=entry,
        psk=row.psk,
    )


def make_last_contender(
    service: VPNService, row: IPsecConnection, entry: Mapping[str, Any]
) -> Contender:
    """Returns a connection as its container was last given it."""
    return Contender(
        uuid=str(row.uuid),
        service=service.uuid,
        name=row.name,
        enabled=True,
        local_subnets=tuple(rules.parse_subnets(entry["local_subnets"])),
        peer_subnets=tuple(rules.parse_subnets(entry["peer_subnets"])),
        identities=_find_identities(entry),
        addresses=_find_addresses(entry),
        entry=entry,
        psk=row.psk,
    )


def _find_identities(entry: Mapping[str, Any]) -> _Identities:
    local = entry["local_id"]
    return parse(local) if local else None, parse(entry["peer_id"])


def _find_addresses(entry: Mapping[str, Any]) -> _Addresses | None:
    if entry.get("ike_version") != 1:
        return None
    ends = entry.get("local_address"), entry.get("peer_address")
    return canonical_address(str(ends[0])), canonical_address(str(ends[1]))


_SAME_IDENTITIES = "has the same local and peer id"
_SAME_ADDRESSES = (
    "has the same addresses with another pre-shared key, and IKE v1 finds the key by them"
)

# With whom a connection contends, its own subnet and the other's; or what they share.
_Clash = tuple[Contender, Subnet | str, Subnet | str]


class Contention:
    """The connections that stand beside each other on one router."""

    def __init__(self) -> None:
        self._names: set[tuple[UUID, str]] = set()
        # By what charon would know them by: those that have all of it in common stand beside
        # each other, as child SAs of one IKE_SA.
        self._identities: dict[_Identities, dict[_Shared, list[Contender]]] = {}
        self._addresses: dict[_Addresses, dict[str | None, list[Contender]]] = {}
        # Under a prefix those that have a subnet of just it, or one inside it.
        self._exact: dict[Prefix, list[Contender]] = {}
        self._inside: dict[Prefix, list[tuple[Subnet, Contender]]] = {}
        # Under a prefix those that have it as a subnet of either side, or a peer address in it.
        self._subnets: dict[Prefix, list[Contender]] = {}
        self._peers: dict[Prefix, list[Contender]] = {}
        self._pairs = 0

    def add(self, contender: Contender) -> str | None:
        """Adds a connection, or returns in a sentence why it cannot stand beside the others."""
        problem = self.find_problem(contender)
        if problem is None:
            self.keep(contender)
        return problem

    def keep(self, contender: Contender) -> None:
        """Adds a connection that is there in any case."""
        self._names.add((contender.service, contender.name))
        if not contender.enabled:
            return
        same = self._identities.setdefault(contender.identities, {})
        alike = (contender.psk, contender.ike)
        same.setdefault(alike, []).append(contender)
        if contender.addresses is not None:
            keys = self._addresses.setdefault(contender.addresses, {})
            keys.setdefault(contender.psk, []).append(contender)
        for subnet in contender.peer_subnets:
            first, *rest = find_prefixes(subnet)
            self._exact.setdefault(first, []).append(contender)
            for each in rest:
                self._inside.setdefault(each, []).append((subnet, contender))
        for subnet in (*contender.local_subnets, *contender.peer_subnets):
            self._subnets.setdefault(next(find_prefixes(subnet)), []).append(contender)
        peer = contender.peer
        for each in find_prefixes(peer) if peer is not None else ():
            self._peers.setdefault(each, []).append(contender)
        self._pairs += _count_pairs(contender)

    def find_problem(self, contender: Contender, *, alone: bool = False) -> str | None:
        """Returns why a connection cannot stand beside those that were added.

        With 'alone' it is not held to have in common with them what those of one
        IKE_SA must have, since they may be about to change as well.
        """
        if (contender.service, contender.name) in self._names:
            return "a connection with this name already exists"
        if not contender.enabled:
            return None
        pairs = self._pairs + _count_pairs(contender)
        if pairs > MOST_PAIRS:
            return (
                f"{pairs} pairs of subnets are too many for the connections of one router;"
                f" {MOST_PAIRS} are the most"
            )
        found = self._find_all(contender, alone=alone)
        return next((_format(*each) for each in found), None)

    def find_rival(self, contender: Contender) -> str | None:
        """Returns the UUID of the first of those that were added with which one contends."""
        if not contender.enabled:
            return None
        return next((other.uuid for other, _, _ in self._find_all(contender)), None)

    def find_contending(self, contender: Contender) -> Iterator[tuple[str, str]]:
        """Yields who, of those that were added, cannot stand beside a connection, and why."""
        for other, mine, its in self._find_all(contender):
            yield other.uuid, _format(contender, its, mine)

    def _find_all(self, contender: Contender, *, alone: bool = False) -> Iterator[_Clash]:
        for subnet in contender.peer_subnets:
            for other_subnet, other in self._find_near(subnet):
                if _share_local(contender, other):
                    yield other, subnet, other_subnet
        yield from self._find_in_the_way(contender)
        same = self._identities.get(contender.identities, {}) if not alone else {}
        mine = (contender.psk, contender.ike) if same else None
        for alike, others in same.items():
            if alike != mine:
                said = _tell_difference(alike, contender)
                yield from ((other, said, said) for other in others)
        for psk, others in self._find_by_addresses(contender).items():
            if psk != contender.psk:
                yield from ((other, _SAME_ADDRESSES, _SAME_ADDRESSES) for other in others)

    def _find_in_the_way(self, contender: Contender) -> Iterator[_Clash]:
        """Yields those of which the container would send what is for a peer into a tunnel."""
        peer = contender.peer
        for prefix in find_prefixes(peer) if peer is not None else ():
            for other in self._subnets.get(prefix, ()):
                if other.service != contender.service or prefix in _find_exact(other.peer_subnets):
                    yield other, *_tell_in_the_way(prefix, peer)
        for subnet in (*contender.local_subnets, *contender.peer_subnets):
            prefix = next(find_prefixes(subnet))
            for other in self._peers.get(prefix, ()):
                its, mine = _tell_in_the_way(prefix, other.peer)
                yield other, mine, its

    def _find_by_addresses(self, contender: Contender) -> Mapping[str | None, list[Contender]]:
        if contender.addresses is None:
            return {}
        return self._addresses.get(contender.addresses, {})

    def _find_near(self, subnet: Subnet) -> Iterator[tuple[Subnet, Contender]]:
        """Yields the subnets that share addresses with 'subnet', and whose they are."""
        prefixes = list(find_prefixes(subnet))
        for each in prefixes:
            for contender in self._exact.get(each, ()):
                around = next(one for one in contender.peer_subnets if overlap(one, subnet))
                yield around, contender
        yield from self._inside.get(prefixes[0], ())


def _tell_in_the_way(prefix: Prefix, peer: Subnet | None) -> tuple[str, str]:
    """Returns what is said of the one with the subnet, and of the one with the peer."""
    version, length, bits = prefix
    size = 32 if version == 4 else 128
    subnet = ip_network((bits << (size - length), length))
    address = peer.network_address if peer is not None else ""
    return (
        f"has the subnet {subnet}, in which the peer address {address} is",
        f"has the peer address {address}, which is in the subnet {subnet}",
    )


def _find_exact(subnets: Iterable[Subnet]) -> set[Prefix]:
    return {next(find_prefixes(each)) for each in subnets}


def _count_pairs(contender: Contender) -> int:
    return len(contender.local_subnets) * len(contender.peer_subnets)


def _tell_difference(alike: _Shared, contender: Contender) -> str:
    psk, settings = alike
    if psk != contender.psk:
        return f"{_SAME_IDENTITIES} with another pre-shared key"
    return f"{_SAME_IDENTITIES} {find_difference(settings, contender.ike)}"


def _format(other: Contender, mine: Subnet | str, its: Subnet | str) -> str:
    """Returns why a connection cannot stand beside 'other', which has 'its' subnet."""
    name = quote(other.name)
    if isinstance(mine, str):
        return f"connection {name} {mine}"
    return f"peer subnet {mine} overlaps peer subnet {its} of connection {name}"


def _share_local(one: Contender, other: Contender) -> bool:
    if one.service == other.service:
        return True
    return find_overlap(one.local_subnets, other.local_subnets) is not None
