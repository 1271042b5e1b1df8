"""What the connections of one router may not have in common, since one container serves them.

Pure.  Connections are added one after the other; one that contends with one
that was added before is refused with a sentence.  Two subnets share addresses
when one is a prefix of the other, so each is found by its own prefixes: adding
costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ...lib.addresses import Subnet, canonical_address, find_overlap, overlap, quote
from . import rules
from .identity import Identity, parse
from .rows import IPsecConnection, VPNService

_Identities = tuple[Identity | None, Identity]
_Addresses = tuple[str, str]
_Prefix = tuple[int, int, int]
"""IP version, length, and the bits of the prefix."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A connection as it contends with others; one that is disabled does for its name only.

    What tells charon which pre-shared key is meant are the 'identities'; but one
    that waits for a peer with IKE v1 has to find it before it is told an identity,
    by the addresses: 'addresses', None with IKE v2.
    """

    uuid: str
    service: UUID
    name: str
    enabled: bool
    local_subnets: tuple[Subnet, ...]
    peer_subnets: tuple[Subnet, ...]
    identities: _Identities
    addresses: _Addresses | None
    psk: str | None = field(repr=False)


def make_contender(service: VPNService, row: IPsecConnection, ike_version: int) -> Contender:
    """Returns a connection of 'service' as its row has it."""
    external = service.external_ips[0] if service.external_ips else None
    local = row.local_id or external
    return Contender(
        uuid=str(row.uuid),
        service=service.uuid,
        name=row.name,
        enabled=row.enabled is not False and service.enabled is not False,
        local_subnets=tuple(rules.parse_subnets(service.local_subnets)),
        peer_subnets=tuple(rules.parse_subnets(row.peer_subnets)),
        identities=(parse(local) if local else None, parse(row.peer_id or row.peer_address)),
        addresses=_find_addresses(external or "", row.peer_address, ike_version),
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
        identities=(parse(entry["local_id"]), parse(entry["peer_id"])),
        addresses=_find_addresses(
            entry["local_address"], str(entry.get("peer_address")), entry.get("ike_version")
        ),
        psk=row.psk,
    )


def _find_addresses(local: str, peer: str, ike_version: object) -> _Addresses | None:
    return (canonical_address(local), canonical_address(peer)) if ike_version == 1 else None


_SAME_IDENTITIES = "has the same local and peer id with another pre-shared key"
_SAME_ADDRESSES = (
    "has the same addresses with another pre-shared key, and IKE v1 finds the key by them"
)

# With whom a connection contends, its own subnet and the other's; or what they share.
_Clash = tuple[Contender, Subnet | str, Subnet | str]


class Contention:
    """The connections that stand beside each other on one router."""

    def __init__(self) -> None:
        self._names: set[tuple[UUID, str]] = set()
        # By pre-shared key, since those of one key stand beside each other.
        self._identities: dict[_Identities, dict[str | None, list[Contender]]] = {}
        self._addresses: dict[_Addresses, dict[str | None, list[Contender]]] = {}
        # Under a prefix those that have a subnet of just it, or one inside it.
        self._exact: dict[_Prefix, list[Contender]] = {}
        self._inside: dict[_Prefix, list[tuple[Subnet, Contender]]] = {}

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
        same.setdefault(contender.psk, []).append(contender)
        if contender.addresses is not None:
            same = self._addresses.setdefault(contender.addresses, {})
            same.setdefault(contender.psk, []).append(contender)
        for subnet in contender.peer_subnets:
            first, *rest = _find_prefixes(subnet)
            self._exact.setdefault(first, []).append(contender)
            for each in rest:
                self._inside.setdefault(each, []).append((subnet, contender))

    def find_problem(self, contender: Contender) -> str | None:
        """Returns why a connection cannot stand beside those that were added."""
        if (contender.service, contender.name) in self._names:
            return "a connection with this name already exists"
        if not contender.enabled:
            return None
        return next((_format(*each) for each in self._find_all(contender)), None)

    def find_contending(self, contender: Contender) -> Iterator[tuple[str, str]]:
        """Yields who, of those that were added, cannot stand beside a connection, and why."""
        for other, mine, its in self._find_all(contender):
            yield other.uuid, _format(contender, its, mine)

    def _find_all(self, contender: Contender) -> Iterator[_Clash]:
        for subnet in contender.peer_subnets:
            for other_subnet, other in self._find_near(subnet):
                if _share_local(contender, other):
                    yield other, subnet, other_subnet
        same = self._identities.get(contender.identities, {})
        yield from _find_other_keys(contender, same, _SAME_IDENTITIES)
        if contender.addresses is not None:
            same = self._addresses.get(contender.addresses, {})
            yield from _find_other_keys(contender, same, _SAME_ADDRESSES)

    def _find_near(self, subnet: Subnet) -> Iterator[tuple[Subnet, Contender]]:
        """Yields the subnets that share addresses with 'subnet', and whose they are."""
        prefixes = list(_find_prefixes(subnet))
        for each in prefixes:
            for contender in self._exact.get(each, ()):
                around = next(one for one in contender.peer_subnets if overlap(one, subnet))
                yield around, contender
        yield from self._inside.get(prefixes[0], ())


def _find_other_keys(
    contender: Contender, others: Mapping[str | None, list[Contender]], shared: str
) -> Iterator[_Clash]:
    """Yields those of 'others', by their keys, that have another one."""
    for psk, each in others.items():
        if psk != contender.psk:
            yield from ((other, shared, shared) for other in each)


def _format(other: Contender, mine: Subnet | str, its: Subnet | str) -> str:
    """Returns why a connection cannot stand beside 'other', which has 'its' subnet."""
    name = quote(other.name)
    if isinstance(mine, str):
        return f"connection {name} {mine}"
    return f"peer subnet {mine} overlaps peer subnet {its} of connection {name}"


def _find_prefixes(subnet: Subnet) -> Iterator[_Prefix]:
    """Yields 'subnet' as a prefix, and then each shorter one that holds it."""
    bits = int(subnet.network_address) >> (subnet.max_prefixlen - subnet.prefixlen)
    for length in range(subnet.prefixlen, -1, -1):
        yield subnet.version, length, bits
        bits >>= 1


def _share_local(one: Contender, other: Contender) -> bool:
    if one.service == other.service:
        return True
    return find_overlap(one.local_subnets, other.local_subnets) is not None
